"""Who is told: owners once a day, all their lists in one letter; whoever complained once, with the way back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain.bounces import Event, Kind
from colporteur.domain.policy import MembersShown
from colporteur.domain.standing import PROBES, Standing
from colporteur.flow import letters
from colporteur.flow.standing import moving, probing
from colporteur.flow.standing.links import link
from colporteur.flow.standing.moving import Move
from colporteur.flow.standing.showing import reason_in_words
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.policies import policy
from colporteur.store.rights import addresses_of
from colporteur.store.standing import StandingNews

TOGETHER = timedelta(days=1)
"""News wait so long for others, so that owners get one letter a day at most."""
LINES = 30


def complaints(events: Iterable[Event], now: datetime) -> list[Move]:
    """Pause addresses whose people reported a message as spam, and tell each once how to come back. The moves made."""
    by_address = {event.address_id: event for event in events}
    rows = moving.rows_of(by_address, now)
    moves = []
    for address, event in by_address.items():
        row = rows[address]
        if (row.kind == Kind.COMPLAINT and row.standing >= Standing.PAUSED) or (row.counts_from and event.at <= row.counts_from):
            continue
        old = row.standing
        probing.stop(row)
        row.state, row.kind, row.reason, row.list_id, row.last_at = Standing.PAUSED.value, Kind.COMPLAINT.value, event.verdict.reason, event.list_id, event.at
        row.failures, row.first_at, row.review_at = 0, event.at, None
        moves.append(Move(row, Standing.GOOD if old is Standing.PAUSED else old))
    moving.make(moves, now, by="complaint")
    for move in moves:
        _tell_complainer(move, now)
    return moves


def _tell_complainer(move: Move, now: datetime) -> None:
    address = Address.objects.select_related("person").get(pk=move.row.pk)
    list_ = List.objects.select_related("organisation", "domain").exclude(state=ListState.DELETED).filter(pk=move.row.list_id or 0).first()
    if list_ is None or letters.today("complained", address, list_, now):
        return
    left = not Membership.objects.filter(list=list_, address=address, until__isnull=True).exists()
    fields = {"list": list_.address, "title": list_.title or list_.address, "email": address.email, "left": "yes" if left else "", "link": link(address, now), "owner": letters.sender_of(list_)}
    letters.send("complained", address, now, fields=fields, list_=list_)


def tell_due(now: datetime) -> int:
    """Tell owners what happened since the last time, when the oldest news is a day old; how many letters."""
    with transaction.atomic():
        if not StandingNews.objects.filter(at__lte=now - TOGETHER).exists():
            return 0
        news = list(StandingNews.objects.select_for_update(skip_locked=True).order_by("id")[:20_000])
        by_list: defaultdict[int, list[StandingNews]] = defaultdict(list)
        for one in news:
            by_list[one.list_id].append(one)
        by_owner: dict[int, tuple[Address, list[tuple[List, list[StandingNews]]]]] = {}
        for list_ in List.objects.exclude(state=ListState.DELETED).select_related("organisation", "domain").filter(pk__in=by_list).order_by("address"):
            if policy(list_).tell_standing:
                for owner in addresses_of(list_, RoleKind.OWNER):
                    by_owner.setdefault(owner.pk, (owner, []))[1].append((list_, by_list[list_.pk]))
        for owner, lists in by_owner.values():
            _tell(owner, lists, now)
        StandingNews.objects.filter(pk__in=[one.pk for one in news]).delete()
    return len(by_owner)


def _tell(owner: Address, lists: Sequence[tuple[List, Sequence[StandingNews]]], now: datetime) -> None:
    emails = dict(Address.objects.filter(pk__in=[one.address_id for _list, news in lists for one in news]).values_list("pk", "email"))
    language = letters.language_of(owner, lists[0][0])
    with translation.override(language):
        text = "\n\n".join(_about(list_, news, emails) for list_, news in lists)
    letters.send("addresses", owner, now, fields={"lists": text, "many": "yes" if len(lists) > 1 else "", "days": str(PROBES[0].days)}, language=language)


def _about(list_: List, news: Sequence[StandingNews], emails: dict[int, str]) -> str:
    last = {one.address_id: one for one in news}  # in the order of what happened: the last word counts
    if policy(list_).members_shown is MembersShown.NOBODY:  # an owner is shown whom he asks for, not who is there
        lines = [ngettext("- %(n)s address", "- %(n)s addresses", len(last)) % {"n": len(last)}]
    else:
        lines = [f"- {emails[address]}: {_line(one)}" for address, one in last.items() if address in emails]
    more = [_("… and %(n)s more") % {"n": len(lines) - LINES}] if len(lines) > LINES else []
    return "\n".join([f"{list_.title or list_.address} ({list_.address})", *lines[:LINES], *more, link_of(list_)])


def link_of(list_: List) -> str:
    """URL of the page where owners see and mend it."""
    return f"{settings.BASE_URL}/lists/{list_.pk}/bounces"


def _line(one: StandingNews) -> str:
    if one.state < Standing.PAUSED:
        return _("receives again")
    if one.kind == Kind.COMPLAINT:
        return _("reported a message as spam and left the list") if one.left else _("reported a message as spam, paused")
    why = reason_in_words(one.reason)
    if one.state == Standing.GONE:
        return (_("gone, no longer on the list: %(why)s") if one.left else _("gone, receives nothing: %(why)s")) % {"why": why}
    return _("paused: %(why)s") % {"why": why}
