"""Whose a report is. Never guessed: a signature of ours says it, or nothing else can be meant.

In this order: the token of the address it came to (VERP); the token in the message it returns; its Message-ID with a recipient;
a recipient who got exactly one copy. The last two anybody could write, so they are believed only for mailings whose envelope
sender could not carry a token (a host that takes no other sender); a true report about any other comes back to a signed address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext_noop as _

from colporteur.domain import tokens
from colporteur.domain.bounces import Event, Kind, Origin, Verdict
from colporteur.domain.tokens import Purpose
from colporteur.mail.reports import Report, Told
from colporteur.store import bounces
from colporteur.store.bounces import Fitting

GOOD_FOR = timedelta(days=30)
"""Reports come within the five days a server keeps trying; a month is generous. Older signatures are worth nothing."""

WHY: dict[str, str] = {
    "forged": _("the signature of its address is not ours, or too old"),
    "several": _("it returns several of our copies"),
    "unsigned": _("it names a member without our signature: anybody could have written it"),
    "ambiguous": _("several of our copies fit"),
    "nobody": _("none of our copies fits"),
    "unread": _("it is no report we can read"),
}
"""Why a report was matched with no copy, in words."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A report as it came. ``to``: the address; ``token``: of that address, "" for none; ``list``: whose address it is."""

    arrival: int
    to: str
    token: str
    list: int | None
    organisation: int | None
    report: Report
    summary: str


@dataclass(slots=True)
class Matched:
    """What became of a report: the copies it is about with what it says of each, and why others are about none."""

    arrived: Arrived
    copies: list[tuple[Fitting, Told | None]]
    why: str = ""
    left: list[Told] | None = None  # told, and matched with nothing


def match(several: Sequence[Arrived], now: datetime) -> list[Matched]:
    """Match many at once: one question for all that carry tokens, and one for each list with reports that carry none."""
    since = now - GOOD_FOR
    numbers = [_numbers(one) for one in several]
    there = bounces.of_numbers({pair for pairs in numbers for pair in pairs}, since)
    return [_match(one, pairs, there, since) for one, pairs in zip(several, numbers, strict=True)]


def _numbers(one: Arrived) -> set[tuple[int, int]]:
    """What its tokens name: that of its address alone where it has one."""
    named = [one.token] if one.token else one.report.tokens
    return {found for token in named if (found := tokens.read(settings.TOKEN_KEY, Purpose.COPY, token))}


def _match(one: Arrived, pairs: set[tuple[int, int]], there: Mapping[tuple[int, int], Fitting], since: datetime) -> Matched:
    if len(pairs) > 1:
        return Matched(one, [], "several")
    if pairs and (found := there.get(next(iter(pairs)))):
        return Matched(one, [(found, _about(found.email, one.report.told))])
    if one.token or pairs:
        return Matched(one, [], "forged")
    if not one.report.told:
        return Matched(one, [], "unread")
    return _by_recipients(one, since)


def _about(email: str, told: Sequence[Told]) -> Told | None:
    """What a report that is about one copy says of it: what it says of its address, else the one thing it says at all."""
    of_it = [item for item in told if email in (item.recipient, item.final)]
    found = of_it or list(told)
    return found[0] if len({item.verdict for item in found}) == 1 else None


def _by_recipients(one: Arrived, since: datetime) -> Matched:
    matched = Matched(one, [], left=[])
    named = {email for told in one.report.told for email in (told.recipient, told.final) if email}
    candidates = bounces.of_addresses(named, one.list, since) if named else []
    for told in one.report.told:
        fitting = [(copy, message_id) for copy, message_id in candidates if copy.email in (told.recipient, told.final)]
        returned = [copy for copy, message_id in fitting if message_id and message_id in one.report.message_ids]
        fits = returned or [copy for copy, _message_id in fitting if not one.report.message_ids]
        if len(fits) == 1 and not fits[0].signed:
            matched.copies.append((fits[0], told))
            continue
        matched.why = "ambiguous" if len(fits) > 1 else "unsigned" if fits else "nobody"
        assert matched.left is not None
        matched.left.append(told)
    return matched


def events(matched: Iterable[Matched], now: datetime) -> list[Event]:
    """The events that follow; the same for a report that comes twice, and for another about the same copy that says the same."""
    return [
        event_of(copy.mailing, copy.address, copy.list, told.verdict, told.status, told.code, told.text, Origin.REPORT, one.arrived.arrival, now)
        for one in matched
        for copy, told in one.copies
        if told
    ]


def event_of(mailing: int, address: int, list_: int | None, verdict: Verdict, status: str, code: int, text: str, origin: Origin, evidence: int | None, now: datetime) -> Event:
    """One event about one copy; a copy fails once, whoever says it how often."""
    group = "failed" if verdict.kind.counts else verdict.kind.value
    return Event(now, address, mailing, list_, verdict, status, code, text.replace("\x00", "")[:500], origin, evidence, f"copy:{mailing}:{address}:{group}")


FAILED = frozenset({Kind.DEAD, Kind.MAILBOX_STATE, Kind.OURS})
"""Kinds that end a copy: its author or the owners are told of it."""
