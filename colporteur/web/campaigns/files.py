"""Pictures and attachments of a newsletter: added, used otherwise, taken away."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.domain.campaigns import Editor, FileUse
from colporteur.flow.campaigns import files
from colporteur.store.campaigns import Campaign, CampaignFile
from colporteur.web.campaigns.rows import draft_or_404
from colporteur.web.frame import whole
from colporteur.web.saying import said

MOST_BYTES = 30_000_000
"""Larger uploads are not even looked at."""


class Shown(NamedTuple):
    """A file as the editor lists it. ``written``: what the text says to show it, "" for an attachment."""

    file: CampaignFile
    use: str
    written: str
    other: tuple[str, str] | None  # another use it can have, with its words


@require_POST
@login_required
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Adds a file, uses one otherwise, or takes one away."""
    campaign, wish = draft_or_404(request, number), request.POST.get("wish", "")
    upload = request.FILES.get("upload")
    found = campaign.files.select_related("campaign__list").filter(pk=whole(request.POST.get("file")) or 0).first()
    try:
        if wish == "add" and upload:
            if (upload.size or 0) > MOST_BYTES:
                raise ValueError(_("This file is too large."))
            files.add(campaign, upload.name or "", upload.read(), _use(request), timezone.now())
            messages.success(request, _("The file is added."))
        elif wish == "delete" and found:
            files.remove(found)
            messages.success(request, _("The file is taken away."))
        elif wish == "use" and found:
            files.use_as(found, _use(request))
        else:
            messages.warning(request, _("Choose a file first."))
    except ValueError as error:
        messages.error(request, said(error))
    return redirect(reverse("campaign", args=[campaign.pk]) + "#files")


def _use(request: HttpRequest) -> FileUse:
    wish = request.POST.get("use", "")
    return FileUse(wish) if wish in list(FileUse) else FileUse.SERVED


def uses() -> list[tuple[str, str]]:
    """What a file is for, in words."""
    return [(FileUse.SERVED.value, _("Picture, shown from this site")), (FileUse.EMBEDDED.value, _("Picture, inside each copy")), (FileUse.ATTACHED.value, _("Attachment"))]


def shown(campaign: Campaign) -> list[Shown]:
    """The files of a newsletter as the editor lists them."""
    words = dict(uses())
    turned = {FileUse.SERVED: FileUse.EMBEDDED, FileUse.EMBEDDED: FileUse.SERVED}
    found = []
    for file in campaign.files.order_by("pk"):
        other = turned.get(FileUse(file.use))
        found.append(Shown(file, words[file.use], "" if other is None else _written(campaign, file), (other.value, words[other]) if other else None))
    return found


def _written(campaign: Campaign, file: CampaignFile) -> str:
    address, name = files.address_of(file), file.name.rpartition(".")[0]
    if campaign.editor == Editor.HTML:
        return f'<img src="{address}" alt="{escape(name)}">'
    if campaign.editor == Editor.MJML:
        return f'<mj-image src="{address}" alt="{escape(name)}" />'
    return f"![{name}]({address})" if campaign.editor == Editor.MARKDOWN else address
