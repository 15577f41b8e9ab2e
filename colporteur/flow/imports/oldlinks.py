"""Newsletters a SPIP site sent before it moved in lie in mailboxes: their links to unsubscribe go on to work, where they prove themselves."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.db import transaction

from colporteur.domain.addresses import is_address, normal
from colporteur.domain.imports import oldlinks
from colporteur.flow import leaving
from colporteur.flow.imports.account import Report
from colporteur.flow.leaving import Outcome, Sure
from colporteur.store.imports import Imported, OldSite
from colporteur.store.lists import List, ListState
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.sealed import SealBroken, seal, unseal

TOKEN, NUMBER = "token", "number"
"""Kinds of ``Imported``: a subscriber's ``jeton``, and a list's number over there."""
_MOST = 50
_LARGEST = 64 * 1024
"""Bytes of a file of keys that are read."""
BY = "unsubscribe link"


class Link(NamedTuple):
    """A link that proved itself. ``lists``: those it is about; ``member``: of these, the ones the address is on."""

    address: Address
    lists: list[List]
    member: set[int]


def take(source: str, setting: str, keys: Path | None, report: Report) -> None:
    """Keep what proves the links of a site, or note what to do. ``setting``: its ``secret_du_site``; ``keys``: its ``config/cles.php``.
    Raises ``ValueError`` for a file of keys that is none."""
    try:
        text = keys.read_bytes()[:_LARGEST].decode("utf-8", "replace") if keys else ""
    except OSError as error:
        raise ValueError(f"{keys} cannot be read: {error.strerror}") from error
    found = oldlinks.secrets_of(setting, text)
    known = OldSite.objects.filter(source=source).first()
    kept = _secrets(known) if known else []
    if new := [one for one in found if one not in kept]:
        OldSite.objects.update_or_create(source=source, defaults={"keys_sealed": seal(json.dumps([one.hex() for one in (*kept, *new)]))})
    if not found and not known and any(name.endswith("mailsubscribers") for name in report.tables):
        report.notes.append("links to unsubscribe in newsletters the site sent ask by a letter here: give its config/cles.php with --keys, and they work as they are")


def read(email: str, arg: str) -> Link | None:
    """What a link is about; None where nothing proves it, whoever the address is."""
    if not is_address(email):
        return None
    address = Address.objects.select_related("person").filter(email=normal(email)).first()
    if address is None:
        return None
    jetons: dict[str, list[str]] = {}
    for source, external in Imported.objects.filter(kind=TOKEN, ours=address.pk, external__startswith="mailsubscribers ").values_list("source", "external")[:_MOST]:
        jetons.setdefault(source, []).append(external.partition(" ")[2])
    for site in OldSite.objects.filter(source__in=jetons):
        numbers = oldlinks.proven(_secrets(site), email, jetons[site.source], arg)
        if numbers is not None:
            lists = _lists(site.source, numbers)
            member = Membership.objects.filter(address=address, list__in=lists, until__isnull=True).values_list("list_id", flat=True)
            return Link(address, lists, set(member))
    return None


@transaction.atomic
def leave(link: Link, now: datetime) -> list[tuple[List, Outcome]]:
    """Leave each of the lists, or ask to where owners decide; harmless when repeated."""
    return [(list_, leaving.ask(list_, link.address, now, by=BY, sure=Sure.SAID)) for list_ in link.lists if list_.pk in link.member]


def _lists(source: str, numbers: tuple[int, ...]) -> list[List]:
    """Lists by their numbers over there; all of the site's for none, or where no number of any is known (an older import)."""
    rows = Imported.objects.filter(source=source)
    known = dict(rows.filter(kind=NUMBER).values_list("external", "ours"))
    wanted = {known.get(f"ms:{one}", 0) for one in numbers} if numbers and known else set(rows.filter(kind="list", external__startswith="ms:").values_list("ours", flat=True))
    return list(List.objects.filter(pk__in=wanted).exclude(state=ListState.DELETED).select_related("organisation", "domain").order_by("address"))


def _secrets(site: OldSite) -> list[bytes]:
    try:
        return [bytes.fromhex(one) for one in json.loads(unseal(site.keys_sealed))]
    except (SealBroken, ValueError):
        return []
