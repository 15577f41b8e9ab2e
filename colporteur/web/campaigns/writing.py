"""One newsletter being written: begun, saved, copied, thrown away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.domain.campaigns import Editor
from colporteur.flow.campaigns import writing
from colporteur.store.campaigns import Campaign
from colporteur.store.rights import Right, lists_for
from colporteur.web.campaigns import files, seeing
from colporteur.web.campaigns.audience import audience_context
from colporteur.web.campaigns.forms import CopyTo, New, Write, initial
from colporteur.web.campaigns.marks import fields_of, marks_of
from colporteur.web.campaigns.rows import campaign_or_404, campaigns_of, draft_or_404, in_words
from colporteur.web.frame import whole
from colporteur.web.guard import person_of
from colporteur.web.saying import said

NEXT = {"phone": "campaign-preview", "desktop": "campaign-preview", "text": "campaign-preview", "test": "campaign-try", "send": "campaign-send"}
"""Button of the editor -> the page it goes on to, once what was written is saved."""


@login_required
def new(request: HttpRequest) -> HttpResponse:
    """A new draft: which list (the one written for last is offered first), and what it is written in."""
    person = person_of(request)
    lists = lists_for(person, Right.MANAGE).order_by("address")
    if not lists.exists():
        raise Http404
    last = campaigns_of(person).order_by("-pk").values_list("list", flat=True).first()
    form = New(lists, request.POST or None, initial={"list": whole(request.GET.get("list")) or last})
    if request.method == "POST" and form.is_valid():
        editor = Editor(form.cleaned_data["editor"])
        whole_by_itself = editor in (Editor.HTML, Editor.MJML)
        made = writing.create(form.cleaned_data["list"], timezone.now(), by=person, editor=editor, template="" if whole_by_itself else seeing.FIRST_FRAME)
        return redirect("campaign", made.pk)
    return render(request, "campaigns/new.html", {"form": form})


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """The editor; of a newsletter that was sent, the page of its sending. Saving is refused, and both texts are shown, when another saved meanwhile."""
    campaign = campaign_or_404(request, number)
    if campaign.mailing_id and request.method != "POST":
        return redirect("mailing", campaign.mailing_id)
    if request.method != "POST":
        return _page(request, campaign, Write(seeing.frames(), initial=initial(campaign)))
    form = Write(seeing.frames(), request.POST)
    other, fault = None, ""
    if form.is_valid():
        try:
            campaign = writing.change(campaign.pk, form.cleaned_data["version"], timezone.now(), person_of(request), **form.written())
        except ValueError as error:
            fault = said(error)
            campaign = campaign_or_404(request, number)
            other = campaign if campaign.version != form.cleaned_data["version"] else None
    else:
        fault = _("not saved yet: something is written wrongly")
    if request.headers.get("HX-Request"):
        return _saved(request, campaign, fault)
    if fault:
        return _page(request, campaign, form, other=other, fault=fault, status=409 if other else 422)
    then = request.POST.get("then", "")
    if then in NEXT:
        return redirect(f"{NEXT[then]}", campaign.pk) if NEXT[then] != "campaign-preview" else redirect(seeing.preview_url(campaign, then))
    messages.success(request, _("Saved."))
    return redirect("campaign", campaign.pk)


def _saved(request: HttpRequest, campaign: Campaign, fault: str) -> HttpResponse:
    """What a save of its own accord changes on the page: the version, the time, the preview. Refused, the version stays, so that pressing save says why."""
    version = request.POST.get("version", "") if fault else campaign.version
    context: dict[str, Any] = {"campaign": campaign, "version": version, "fault": fault, "swapped": True}
    if not fault:
        context["seen"] = seeing.inbox(campaign, person_of(request))
    return render(request, "campaigns/saved_by_itself.html", context)


def _page(request: HttpRequest, campaign: Campaign, form: Write, *, other: Campaign | None = None, fault: str = "", status: int = 200) -> HttpResponse:
    shape, words = in_words(campaign)
    looks = person_of(request)
    person, fields = fields_of(campaign, looks)
    context = {
        "campaign": campaign, "form": form, "other": other, "fault": fault, "version": campaign.version, "shape": shape, "words": words, "marks": marks_of(Editor(campaign.editor)),
        "fields": fields, "person": person, "seen": seeing.inbox(campaign, looks), "ways": [("phone", _("Phone")), ("desktop", _("Computer")), ("text", _("Text"))], "files": files.shown(campaign), "uses": files.uses(),
    } | audience_context(campaign)  # fmt: skip
    return render(request, "campaigns/one.html", context, status=status)


@login_required
def copy(request: HttpRequest, number: int) -> HttpResponse:
    """A new draft like this one, also for another list."""
    campaign, person = campaign_or_404(request, number), person_of(request)
    form = CopyTo(lists_for(person, Right.MANAGE).filter(organisation=campaign.list.organisation_id).order_by("address"), request.POST or None, initial={"list": campaign.list_id})
    if request.method == "POST" and form.is_valid():
        made = writing.copy(campaign, timezone.now(), person, form.cleaned_data["list"])
        messages.success(request, _("This is the copy. Nothing of it has left."))
        return redirect("campaign", made.pk)
    return render(request, "campaigns/copy.html", {"campaign": campaign, "form": form})


@login_required
def delete(request: HttpRequest, number: int) -> HttpResponse:
    """Asks, then throws a draft away."""
    campaign = draft_or_404(request, number)
    if request.method == "POST":
        try:
            writing.delete(campaign, timezone.now(), person_of(request))
        except ValueError as error:
            messages.warning(request, said(error))
            return redirect("campaign", campaign.pk)
        messages.success(request, _("The newsletter is deleted."))
        return redirect("campaigns")
    return render(request, "campaigns/delete.html", {"campaign": campaign})
