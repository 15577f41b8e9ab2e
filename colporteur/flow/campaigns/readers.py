"""The values of a newsletter's fields for its readers, as they are at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.conf import settings

from colporteur.mail.campaigns.fields import COPY_TOKEN, FIELDS, READER_MARK
from colporteur.mail.campaigns.message import Manner, Reader
from colporteur.store import readers as rows
from colporteur.store.campaigns import Campaign
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address
from colporteur.store.segments import Attribute
from colporteur.store.tracking import agreed

UNSUBSCRIBE, PREFERENCES, WEB = "/u/{token}", "/p/{token}", "/n/{token}"
"""Pages a copy's token opens."""
_OF_ADDRESS = frozenset({"email", "name", "first_name", COPY_TOKEN, READER_MARK, "url_unsubscribe", "url_preferences", "url_web"})


class Asked(NamedTuple):
    """A reader whose values are wanted."""

    address: int
    email: str
    name: str


def lists_of(campaign: Campaign) -> list[int]:
    """The lists a campaign goes to, its own first."""
    others = campaign.audience.filter(left_out=False).select_related("segment").order_by("id")
    return list(dict.fromkeys([campaign.list_id, *(one.list_id or (one.segment.list_id if one.segment else campaign.list_id) for one in others)]))


def attributes_of(campaign: Campaign) -> tuple[str, ...]:
    """The keys of the attributes a campaign may ask for: those of every list it goes to."""
    return tuple(dict.fromkeys(Attribute.objects.filter(list__in=lists_of(campaign)).order_by("list", "position", "key").values_list("key", flat=True)))


def values_of(campaign: Campaign, address: Address, *, token: str = "") -> dict[str, Any]:
    """Every field for one reader, subscribed or not. ``token``: of the copy; without one its addresses lead nowhere personal."""
    list_ = next((one for one in lists_of(campaign) if address.memberships.filter(list=one, until=None).exists()), campaign.list_id)
    name = (address.person.name if address.person else "") or address.name
    used = frozenset({*FIELDS, *attributes_of(campaign)})
    found = _values([Asked(address.pk, address.email, name)], used, list_, campaign.list.organisation_id, campaign.language or campaign.list.language or campaign.list.organisation.language)
    return {**found[address.pk], **addresses(token), COPY_TOKEN: token}


def addresses(token: str) -> dict[str, str]:
    """The addresses in a copy that are its reader's own."""
    pages = {"url_unsubscribe": UNSUBSCRIBE, "url_preferences": PREFERENCES, "url_web": WEB}
    return {name: settings.BASE_URL + page.replace("{token}", token) for name, page in pages.items()}


def for_copies(mailing_id: int, asked: Sequence[Asked]) -> dict[int, dict[str, Any]]:
    """What the copies of a mailing use of their readers, by address; the token comes later. A few questions, however many they are."""
    row = Mailing.objects.values_list("rewriting", "list_id", "list__organisation_id", "language").get(pk=mailing_id)
    return _values(asked, frozenset(Manner.from_json(row[0]).used), row[1], row[2], row[3], mailing_id)


def on_list(campaign: Campaign, list_: int, asked: Sequence[Asked], used: frozenset[str]) -> dict[int, dict[str, Any]]:
    """What copies that come by this list would use of their readers, by address, before there is a mailing."""
    language = campaign.language or campaign.list.language or campaign.list.organisation.language
    return {address: {**values, **addresses("")} for address, values in _values(asked, used, list_, campaign.list.organisation_id, language).items()}


def _values(asked: Sequence[Asked], used: frozenset[str], list_: int, organisation: int, language: str, mailing: int = 0) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {one.address: {"email": one.email, "name": one.name} for one in asked}
    ids = list(found)
    if used - _OF_ADDRESS - {"lists"}:
        for address, known in rows.known(ids, list_, mailing).items():
            found[address] = {**_own(known.attributes, used), **found[address], "lang": known.language or language, "status": "on" if known.member else "off"}
    if "lists" in used:
        on = rows.lists_of(ids, organisation)
        for address, values in found.items():
            values["lists"] = on.get(address, [])
    if READER_MARK in used:
        for address in agreed(ids, organisation):
            found[address][READER_MARK] = True
    return found


def _own(attributes: Mapping[str, Any], used: Iterable[str]) -> dict[str, Any]:
    return {key: attributes[key] for key in used if key in attributes}


__all__ = ["Asked", "Reader", "addresses", "attributes_of", "for_copies", "lists_of", "on_list", "values_of"]
