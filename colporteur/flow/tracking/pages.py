"""A newsletter read in the browser: by the link of a copy with its reader's values, by its public link without any."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from colporteur.domain import tokens
from colporteur.domain.campaigns import CampaignState
from colporteur.domain.tokens import Purpose
from colporteur.domain.words import Invalid
from colporteur.flow.campaigns import files, readers
from colporteur.mail.campaigns import fields, message
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.people import Address
from colporteur.store.policies import policy
from colporteur.store.privacy import ERASED
from colporteur.store.tracking import Link

_OURS = re.compile(rf'"{re.escape(settings.BASE_URL)}/l/([a-z2-7]{{24}})(?:-[a-z0-9]*)?"')
IN_TEXT = re.compile(rf"{re.escape(settings.BASE_URL)}/l/([a-z2-7]{{24}})(?:-[a-z0-9]*)?")
_POINT = re.compile(rf'<img src="{re.escape(settings.BASE_URL)}/o/[^"]*"[^>]*>')


class Page(NamedTuple):
    """A newsletter to show. ``personal``: it has somebody's values in it; ``public``: its list has a public archive and it is part of it."""

    campaign: Campaign
    subject: str
    html: str
    text: str
    personal: bool
    public: bool


def page_of(campaign: Campaign) -> str:
    """The public address of a newsletter: to be passed on, it names nobody."""
    return f"{settings.BASE_URL}/n/{tokens.sign(settings.TOKEN_KEY, Purpose.PAGE, campaign.pk, 0)}"


def read(token: str) -> Page | None:
    """What the token of a copy or of a public page opens; None when nothing (any more). The copy's reader is not told from
    anybody else once the details are gone."""
    token = token.strip().lower()
    if named := tokens.read(settings.TOKEN_KEY, Purpose.COPY, token):
        return _of_copy(token, *named)
    named = tokens.read(settings.TOKEN_KEY, Purpose.PAGE, token)
    campaign = _campaigns().filter(pk=named[0], public=True, state=CampaignState.STARTED).first() if named else None
    return _page(campaign, campaign.mailing) if campaign and campaign.mailing else None


def public(list_: List) -> bool:
    """Whether anybody may read what the list sent."""
    return list_.state != ListState.DELETED and policy(list_).public_archive


def archive(list_: List) -> QuerySet[Campaign]:
    """The newsletters of a public archive, the newest first; none where the list has none."""
    if not public(list_):
        return Campaign.objects.none()
    return Campaign.objects.select_related("mailing", "list__organisation").filter(list=list_, public=True, state=CampaignState.STARTED, mailing__started__isnull=False).order_by("-mailing_id")


def called(campaign: Campaign) -> str:
    """The subject for whoever reads the archive: its fields are nobody's."""
    return _neutral(campaign, campaign.subject)


def first_line(campaign: Campaign) -> str:
    """The preheader likewise."""
    return _neutral(campaign, campaign.preheader)


def _neutral(campaign: Campaign, line: str) -> str:
    if not re.search(r"[{@#]", line):
        return line
    try:
        return fields.compile(line, "", "", "", readers.attributes_of(campaign)).render(_nobody(campaign))[0]
    except Invalid:
        return ""


# --- how ---


def _campaigns() -> QuerySet[Campaign]:
    return Campaign.objects.select_related("list__organisation", "list__domain", "mailing__blob").exclude(list__state=ListState.DELETED)


def _of_copy(token: str, mailing: int, address: int) -> Page | None:
    row = Mailing.objects.select_related("blob").filter(pk=mailing, campaign__isnull=False).first()
    campaign = _campaigns().filter(pk=row.campaign_id).first() if row and row.campaign_id else None
    if row is None or campaign is None:
        return None
    reader = Address.objects.select_related("person").filter(pk=address).exclude(email__endswith=f"@{ERASED}").first()
    if reader and Copy.objects.filter(mailing=row, address=reader).exists():
        return _page(campaign, row, readers.values_of(campaign, reader, token=token))
    return _page(campaign, row) if campaign.public and campaign.mailing_id == row.pk else None


def _page(campaign: Campaign, mailing: Mailing, values: Mapping[str, Any] | None = None) -> Page:
    """As it went out, its links leading straight on. Raises ``Invalid`` when it cannot be filled in."""
    found = message.compiled(bytes(mailing.blob.raw), readers.attributes_of(campaign))
    subject, html, text = found.render(_nobody(campaign) if values is None else values)
    indexed = values is None and campaign.public and public(campaign.list)
    return Page(campaign, subject, files.on_a_page(straight(html, campaign), campaign), straight(text, campaign, IN_TEXT), values is not None, indexed)


def _nobody(campaign: Campaign) -> dict[str, Any]:
    """Fields for whoever reads the public page: neutral words in the newsletter's language, and the page to leave by an address."""
    list_ = campaign.list
    language = campaign.language or list_.language or list_.organisation.language
    with translation.override(language):
        name, address = _("dear reader"), _("your address")
    leave = f"{settings.BASE_URL}/leave/{list_.host}/{list_.name}"
    return {"email": address, "name": name, "first_name": name, "lang": language, "url_unsubscribe": leave, "url_preferences": leave, "url_web": page_of(campaign)}


def straight(source: str, campaign: Campaign, ours: re.Pattern[str] = _OURS) -> str:
    """Without what counts: on a page links lead where they say, and no image tells that it was read."""
    urls = dict(Link.objects.filter(campaign=campaign).values_list("id", "url"))

    def led(found: re.Match[str]) -> str:
        named = tokens.read(settings.TOKEN_KEY, Purpose.LINK, found[1])
        url = urls.get(named[1]) if named and named[0] == campaign.pk else None
        if url is None:
            return found[0]
        return url if ours is IN_TEXT else '"' + url.replace("&", "&amp;").replace('"', "%22") + '"'

    return _POINT.sub("", ours.sub(led, source))
