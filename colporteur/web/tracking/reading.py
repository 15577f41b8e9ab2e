"""Newsletters in the browser, without an account: one by its link, those of a list's public archive, and the archive's feed."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape
from django.utils.translation import gettext as _

from colporteur.domain.words import Invalid
from colporteur.flow.tracking import pages
from colporteur.flow.tracking.pages import Page
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.web.frame import page_by, whole

ROWS, FED = 30, 20


def one(request: HttpRequest, token: str) -> HttpResponse:
    """A newsletter as its reader, or anybody, reads it."""
    try:
        found = pages.read(token)
    except Invalid:
        found = None
    if found is None:
        raise Http404
    response = _laid_out(request, found) if found.html.strip() else render(request, "tracking/text.html", {"page": found, "list": found.campaign.list})
    if not found.public:
        response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def archive(request: HttpRequest, host: str, name: str) -> HttpResponse:
    """What a list sent, the newest first."""
    list_ = _list(host, name)
    rows = pages.archive(list_)
    if before := whole(request.GET.get("before")):
        rows = rows.filter(mailing_id__lt=before)
    page = page_by(rows, "mailing_id", ROWS)
    return render(request, "tracking/archive.html", {"list": list_, "rows": [(one, pages.called(one), _path(one)) for one in page.rows], "next": page.next})


def feed(_request: HttpRequest, host: str, name: str) -> HttpResponse:
    """The same for programs that follow it (RFC 4287)."""
    list_ = _list(host, name)
    place = f"{settings.BASE_URL}{reverse('campaign-archive', args=[host, name])}"
    found = Atom1Feed(title=list_.title or list_.name, link=place, description=list_.description, language=list_.language or list_.organisation.language, feed_url=f"{place}/feed", feed_guid=place)
    for campaign in pages.archive(list_)[:FED]:
        began = campaign.mailing.started if campaign.mailing else None
        found.add_item(title=pages.called(campaign) or _("(no subject)"), link=pages.page_of(campaign), description=escape(pages.first_line(campaign)), pubdate=began, updateddate=began, unique_id=pages.page_of(campaign))
    return HttpResponse(found.writeString("utf-8"), content_type="application/atom+xml; charset=utf-8")


# --- how ---


def _list(host: str, name: str) -> List:
    """A list with a public archive; others do not differ from those that are not there."""
    found = List.objects.select_related("organisation", "domain").filter(address=f"{name}@{host}".lower()).first()
    if found is None or not pages.public(found):
        raise Http404
    return found


def _path(campaign: Campaign) -> str:
    return pages.page_of(campaign).removeprefix(settings.BASE_URL)


def _laid_out(request: HttpRequest, found: Page) -> HttpResponse:
    """The HTML itself: no script, no form, an origin of its own; pictures of this site only."""
    here = request.build_absolute_uri("/").rstrip("/")
    html = found.html.replace(settings.BASE_URL, here)
    html = re.sub(r"(?i)<head[^>]*>", lambda head: f'{head[0]}<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">', html, count=1)
    policy = f"sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data: {here}/f/ {here}/look/; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
    return HttpResponse(html, headers={"Content-Security-Policy": policy})
