"""Destination groups: which one a recipient's domain is in, how each stands, what its replies and acceptances change.

Mail exchangers are looked up by the worker (``adapters.dns``) and remembered here; until they are known a domain counts by
its name alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.destinations import HALVE_SECONDS, WIDEN_SECONDS, Act, Answer, Members, Pattern, asked, group_of, halved, part, widened
from colporteur.domain.pacing import PUBLISHED_SHARE
from colporteur.domain.providers import RECEIVERS
from colporteur.flow.organisations import actor
from colporteur.flow.senders import domain_of
from colporteur.store import buckets, journal
from colporteur.store.copies.running import run
from colporteur.store.destinations import DestinationGroup, MailDomain, Stream
from colporteur.store.jobs import Wake, wake
from colporteur.store.mailings import Slice
from colporteur.store.people import Person

log = logging.getLogger("colporteur.mail")

_KEEP, _KEEP_FAILURE = timedelta(days=7), timedelta(hours=1)
_MOST_LOOKED_UP = 200


class Standing(NamedTuple):
    """How a group stands for a lane. ``connections``: copies under way at once, 0 any number. ``rests_until``: None, it takes mail.
    ``messages``: of one connection, 0 any number. ``sample``: it was stopped, and what leaves next shows whether it may go on."""

    connections: int
    rests_until: datetime | None
    patterns: tuple[Pattern, ...]
    messages: int = 0
    sample: bool = False


def ship() -> None:
    """Rows of the providers we know, where there are none yet; what administrators changed stays."""
    known = set(DestinationGroup.objects.values_list("name", flat=True))
    for receiver in RECEIVERS:
        if receiver.name in known:
            continue
        with transaction.atomic():
            made, new = DestinationGroup.objects.get_or_create(name=receiver.name, defaults={
                "title": receiver.title, "domains": list(receiver.domains), "exchangers": list(receiver.exchangers), "replies": [list(reply) for reply in receiver.replies],
                "connections": part(receiver.connections, PUBLISHED_SHARE) if receiver.connections else 0, "messages": part(receiver.messages, PUBLISHED_SHARE) if receiver.messages else 0})  # fmt: skip
            for rate in receiver.rates if new else ():
                buckets.BucketRow.objects.create(kind=buckets.GROUP, key=str(made.pk), **rate.share(PUBLISHED_SHARE)._asdict(), profile=receiver.name)


def standings(transport: int = 0) -> dict[int, Standing]:
    """Every group in use, as it stands for a transport: a stream that was stopped rests, then sends one copy at a time as a sample."""
    rows = DestinationGroup.objects.filter(enabled=True)
    held = dict(Stream.objects.filter(transport=transport, until__isnull=False).values_list("group_id", "until"))
    found = _standings(rows)
    for group, until in held.items():
        if group in found and until:
            one = found[group]
            found[group] = one._replace(connections=1, rests_until=max(until, one.rests_until or until), sample=True)
    return found


def _standings(rows: Iterable[DestinationGroup]) -> dict[int, Standing]:
    return {row.pk: Standing(part(row.connections, row.percent) if row.connections else 0, row.rests_until, row.patterns, row.messages) for row in rows}


def rest(transport: int, group: int, now: datetime) -> datetime | None:
    """Until when a group takes nothing by a transport; nobody lets it go on before the caller's transaction ends. None: it takes mail."""
    run("SELECT 1 FROM destination_group WHERE id = %(group)s FOR SHARE", {"group": group})
    standing = standings(transport).get(group)
    return standing.rests_until if standing and standing.rests_until and standing.rests_until > now else None


# --- whose domain is it -----------------------------------------------------------------------------------------


def groups_of(domains: Iterable[str], now: datetime) -> dict[str, int]:
    """The group of each domain, 0 for none. Domains nobody looked up are noted to be looked up; until then they count by
    name alone."""
    wanted = set(domains)
    members = _members()
    known = {row.domain: row for row in MailDomain.objects.filter(domain__in=wanted)}
    new = [MailDomain(domain=domain, expires=now) for domain in sorted(wanted - set(known)) if domain_of(f"x@{domain}") and group_of(domain, (), members) is None]
    MailDomain.objects.bulk_create(new, ignore_conflicts=True)
    return {domain: group_of(domain, known[domain].exchangers if domain in known else (), members) or 0 for domain in wanted}


def known_groups(domains: Iterable[str]) -> dict[str, int]:
    """The group of those of the domains that are in one, as far as known now: to reckon with, nothing is written."""
    wanted, members = set(domains), _members()
    known = dict(MailDomain.objects.filter(domain__in=wanted).values_list("domain", "exchangers"))
    return {domain: group for domain in wanted if (group := group_of(domain, known.get(domain, ()), members))}


def _members() -> list[Members]:
    return [row.members for row in DestinationGroup.objects.filter(enabled=True).order_by("pk")]


def domains_to_look_up(now: datetime) -> list[str]:
    """Recipient domains whose mail exchangers are not known or known for too long, some at a time."""
    return list(MailDomain.objects.filter(expires__lte=now).order_by("looked_up_at", "domain").values_list("domain", flat=True)[:_MOST_LOOKED_UP])


def remember(found: Sequence[tuple[str, Sequence[str] | None]], now: datetime) -> None:
    """Keep mail exchangers, the preferred first; None: the DNS did not answer, what was known stays."""
    for domain, exchangers in found:
        if exchangers is None:
            MailDomain.objects.filter(domain=domain).update(expires=now + _KEEP_FAILURE, looked_up_at=now)
        else:
            MailDomain.objects.filter(domain=domain).update(expires=now + _KEEP, looked_up_at=now, exchangers=[one[:253] for one in exchangers[:20]])


# --- what it says -----------------------------------------------------------------------------------------------


@transaction.atomic
def refused(group: int, code: int, text: str, now: datetime) -> Answer:
    """A reply of the group that is about us: halve its pace or let it rest. A policy refusal is its stream's (``flow.streams``)."""
    row = DestinationGroup.objects.select_for_update().get(pk=group)
    answer = asked(code, text, row.patterns)
    if answer.act in (Act.NONE, Act.PAUSE):
        return answer
    until = now + timedelta(seconds=answer.rest)
    reply = f"{code} {text}".replace("\x00", "")[:1000]
    if answer.act is Act.SLOW:
        if row.changed_at is None or now - row.changed_at > timedelta(seconds=HALVE_SECONDS) or row.percent == 100:
            row.percent, row.changed_at, row.reason = halved(row.percent), now, reply
            log.warning("destination-slower group=%s percent=%d reply=%r", row.name, row.percent, reply[:200])
    else:
        row.reason = reply
    if not (row.rests_until and row.rests_until > now):
        journal.write("destination.paused", now, group=row.title, reason=reply)
    row.rests_until = max(until, row.rests_until or until)
    row.save(update_fields=["percent", "changed_at", "reason", "rests_until"])
    return answer


def accepted(groups: Iterable[int], now: datetime) -> None:
    """Groups took mail: the pace is widened a little each minute."""
    rows = DestinationGroup.objects.filter(pk__in=list(groups))
    rows.filter(Q(last_success__isnull=True) | Q(last_success__lt=now - timedelta(seconds=30))).update(last_success=now)
    narrow = rows.filter(percent__lt=100, changed_at__lt=now - timedelta(seconds=WIDEN_SECONDS))
    for pk, percent, changed_at in list(narrow.values_list("pk", "percent", "changed_at")):
        wider = widened(percent)
        reason = {"reason": ""} if wider == 100 else {}
        DestinationGroup.objects.filter(pk=pk, percent=percent, changed_at=changed_at).update(percent=wider, changed_at=now, **reason)


@transaction.atomic
def resume(group: DestinationGroup, now: datetime, by: Person | str) -> bool:
    """Send to the group again at once, at its full pace. False: it neither rested nor was slowed down."""
    row = DestinationGroup.objects.select_for_update().get(pk=group.pk)
    resting = row.rests_until if row.rests_until and row.rests_until > now else None
    stopped = list(Stream.objects.select_for_update().filter(group=group, until__isnull=False))
    if not resting and row.percent == 100 and not stopped:
        return False
    for one in stopped:
        Slice.objects.filter(done=False, transport=one.transport_id, due_at=one.until).update(due_at=None)
    Stream.objects.filter(pk__in=[one.pk for one in stopped]).update(until=None, stops=0, refusals=0)
    DestinationGroup.objects.filter(pk=row.pk).update(rests_until=None, percent=100, reason="", changed_at=now)
    if resting:
        Slice.objects.filter(done=False, due_at=resting).update(due_at=None)
    journal.write("destination.resumed", now, actor=actor(by), group=row.title, by=str(by))
    wake(Wake.DELIVER)
    return True


@transaction.atomic
def change(group: DestinationGroup, values: Mapping[str, object], now: datetime, by: Person | str) -> None:
    """Set ``title``, ``domains``, ``exchangers`` (names), ``connections``, ``messages`` or ``enabled``. Raises ``ValueError``."""
    clean: dict[str, object] = dict(values)
    for name in ("domains", "exchangers"):
        if name in clean:
            words = sorted({str(word).strip().rstrip(".").lower() for word in clean[name] if str(word).strip()})  # type: ignore[attr-defined]
            if wrong := [word for word in words if "." not in word or "@" in word or "/" in word or len(word) > 253]:
                raise ValueError(_("%(word)r is not a domain: write one a line, like example.org") % {"word": wrong[0][:80]})
            clean[name] = words
    if not 0 <= int(str(clean.get("messages", 0))) <= 10_000:
        raise ValueError(_("messages of one connection are a number from 0 (any number) to 10000"))
    if not 0 <= int(str(clean.get("connections", 0))) <= 1000:
        raise ValueError(_("connections are a number from 0 (any number) to 1000"))
    DestinationGroup.objects.filter(pk=group.pk).update(**clean)
    group.refresh_from_db()
    shown = ", ".join(f"{name}: {' '.join(value) if isinstance(value, list) else value}" for name, value in clean.items())
    journal.write("destination.changed", now, actor=actor(by), group=group.title, by=str(by), change=shown[:500])
