"""A newsletter as one of its readers would see it: in the inbox, on a phone or a screen, in the light, in the dark, as text.

What is shown runs nothing, has an origin of its own, and loads pictures from this site only.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import escape
from django.utils.translation import gettext as _

from colporteur.domain.campaigns import Lane
from colporteur.domain.words import Invalid
from colporteur.flow.campaigns import audience, content, files, readers
from colporteur.flow.tracking import pages
from colporteur.mail.campaigns import fields, message
from colporteur.mail.campaigns.frames import FRAMES
from colporteur.mail.render import PrepareError
from colporteur.store.campaigns import Campaign
from colporteur.store.mailings import Copy
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, Person
from colporteur.web.campaigns.rows import campaign_or_404
from colporteur.web.campaigns.whose import on, own_of
from colporteur.web.guard import person_of
from colporteur.web.saying import said

FIRST_FRAME = "letter"
FOUND = 8
"""Readers a search offers."""
_DARK = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)
_STYLE = re.compile(r"(<style[^>]*>)(.*?)(</style>)", re.IGNORECASE | re.DOTALL)
_LINKS = ("url_unsubscribe", "url_preferences", "url_web")


class Seen(NamedTuple):
    """What one reader gets. ``fault``: why it cannot be shown; ``why``: what makes each copy be worked out by itself."""

    sender: str
    subject: str
    preheader: str
    html: str = ""
    text: str = ""
    fast: bool = True
    why: tuple[str, ...] = ()
    problems: tuple[Any, ...] = ()
    fault: str = ""


def frames() -> list[tuple[str, str]]:
    """The frames a newsletter may be set in."""
    return [(name, _(words)) for name, words in FRAMES.items()]


def reader(campaign: Campaign, person: Person, wanted: str = "") -> Address | None:
    """A real reader this person may see: who was asked for, else the first member of the list whose address begins so."""
    return next(iter(members(campaign, person, wanted, 1)), None)


def members(campaign: Campaign, person: Person, wanted: str, most: int = FOUND) -> list[Address]:
    """Members of the lists it goes to whose addresses begin so; of what was sent, who had a copy. Of lists of others nobody."""
    own = own_of(campaign, person)
    if campaign.mailing:
        had = Copy.objects.filter(mailing=campaign.mailing)
        if own is not None:
            had = had.filter(address__in=on(own, campaign.mailing.audience_at))
        if wanted:
            had = had.filter(address__in=Address.objects.filter(email__startswith=wanted).values("pk"))
        return list(Address.objects.select_related("person").filter(pk__in=list(had.order_by("address_id").values_list("address_id", flat=True)[:most])).order_by("email"))
    chosen = audience.audience_of(campaign)
    lists = {one.pk for one in chosen.lists} | {one.list_id for one in chosen.segments}
    if own is not None:
        lists &= own
    ids = Membership.objects.filter(list__in=lists, until__isnull=True, email__startswith=wanted).order_by("email").values_list("address_id", flat=True)[: most * 2]
    return list(Address.objects.select_related("person").filter(pk__in=list(ids)).order_by("email")[:most])


def values(campaign: Campaign, address: Address) -> dict[str, Any]:
    """What is put into the fields for somebody; the personal links lead nowhere here."""
    return readers.values_of(campaign, address) | {name: f"#{name.removeprefix('url_')}" for name in _LINKS}


def seen(campaign: Campaign, address: Address | None) -> Seen:
    """The newsletter as this address gets it; of nobody with the fields empty."""
    sender = campaign.sender_name or campaign.list.title or campaign.list.name
    known, problems = values(campaign, address) if address else {}, ()
    try:
        ready, problems = _ready(campaign)
        subject, html, text = ready.render(known)
        preheader = fields.compile(campaign.preheader, "", "", "", readers.attributes_of(campaign)).render(known)[0]
    except (Invalid, PrepareError) as error:
        return Seen(sender, campaign.subject, campaign.preheader, problems=problems, fault=said(error) if isinstance(error, Invalid) else str(error))
    why = tuple(said(sentence) for sentence in ready.why)
    html, text = pages.straight(html, campaign), pages.straight(text, campaign, pages.IN_TEXT)  # nobody who looks is counted
    return Seen(sender, subject, preheader, files.on_a_page(html, campaign), text, ready.lane is Lane.FAST, why, problems)


def _ready(campaign: Campaign) -> tuple[fields.Compiled, tuple[Any, ...]]:
    """What was sent, as it was frozen; else what is written now, with what is to mend. Raises ``Invalid``."""
    if campaign.mailing is not None:
        return message.compiled(bytes(campaign.mailing.blob.raw), readers.attributes_of(campaign)), ()
    made = content.rendered(campaign)
    return made.compiled(readers.attributes_of(campaign)), made.problems


def inbox(campaign: Campaign, person: Person) -> Seen:
    """The first lines, as the list of messages of a mail program shows them to the first reader."""
    return seen(campaign, reader(campaign, person))


def preview_url(campaign: Campaign, way: str, email: str = "") -> str:
    """The page of a way to look: phone, desktop or text."""
    query = {"way": way} | ({"as": email} if email else {})
    return f"{reverse('campaign-preview', args=[campaign.pk])}?{urlencode(query)}"


@login_required
def preview(request: HttpRequest, number: int) -> HttpResponse:
    """The whole preview, as any reader found by the beginning of an address."""
    campaign, person = campaign_or_404(request, number), person_of(request)
    wanted = request.GET.get("as", "").strip().lower()[:320]
    found = members(campaign, person, wanted)
    shown = found[0] if found else reader(campaign, person)
    ways = [("phone", _("Phone")), ("desktop", _("Computer")), ("dark", _("Phone, dark")), ("desktop-dark", _("Computer, dark")), ("text", _("Text"))]
    way = request.GET.get("way", "")
    context = {
        "campaign": campaign, "seen": seen(campaign, shown), "shown": shown, "sent": campaign.mailing_id, "found": found if wanted and (len(found) > 1) else [], "missed": bool(wanted) and not found, "wanted": wanted, "ways": ways,
        "way": way if way in dict(ways) else "phone", "frame": f"{reverse('campaign-seen', args=[campaign.pk])}?{urlencode({'as': shown.email if shown else '', 'scheme': 'dark' if 'dark' in way else 'light'})}",
    }  # fmt: skip
    return render(request, "campaigns/preview.html", context)


@login_required
def frame(request: HttpRequest, number: int) -> HttpResponse:
    """What the frame of a preview shows: the HTML itself, without script, in an origin of its own."""
    campaign, person = campaign_or_404(request, number), person_of(request)
    found = seen(campaign, reader(campaign, person, request.GET.get("as", "").strip().lower()[:320]) or reader(campaign, person))
    return framed(request, found.html if not found.fault else f"<p>{escape(found.fault)}</p>", dark=request.GET.get("scheme") == "dark")


def framed(request: HttpRequest, html: str, *, dark: bool = False) -> HttpResponse:
    """An HTML part as a page for a frame of ours."""
    here = request.build_absolute_uri("/").rstrip("/")
    html = html.replace(settings.BASE_URL, here)
    html = _STYLE.sub(lambda found: found[1] + _DARK.sub("(min-width:0px)" if dark else "(max-width:0px)", found[2]) + found[3], html)
    scheme = "dark" if dark and "(min-width:0px)" in html else "light"
    head = f'<meta charset="utf-8"><meta name="referrer" content="no-referrer"><base target="_blank"><style>:root{{color-scheme:{scheme}}}</style>'
    html = re.sub(r"(?i)<head[^>]*>", lambda found: found[0] + head, html, count=1) if re.search(r"(?i)<head[^>]*>", html) else f"<!doctype html><head>{head}</head><body>{html}</body>"
    policy = f"sandbox allow-popups; default-src 'none'; img-src data: {here}/f/ {here}/look/; style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
    return HttpResponse(html, headers={"Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer"})


