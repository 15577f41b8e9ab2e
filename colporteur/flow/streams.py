"""Streams: what leaves by one sending service for one provider. One that is refused because of us is stopped, before more mail
does more harm to our name; administrators are told why and what to do; after a rest a little goes first, as a sample.

Three things stop a stream: policy refusals in the dialogue that follow each other, reports that name our policy, authentication or
reputation, and a message most of whose copies to the provider came back, whatever was said about them.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from colporteur.domain.bounces import Event, Fault, Kind
from colporteur.domain.destinations import PATIENCE, Stop, next_rest, too_many
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.flow import destinations, letters
from colporteur.store import journal
from colporteur.store.copies.running import array, run
from colporteur.store.destinations import Stream, hosts_of_copies
from colporteur.store.lists import RoleKind
from colporteur.store.mailings import Mailing, Slice
from colporteur.store.people import Address
from colporteur.store.rights import addresses_of, administrators
from colporteur.store.standing import FAILING, DeliveryEvent

log = logging.getLogger("colporteur.mail")

WITHIN = timedelta(hours=1)
"""Reports of so long count together."""
MOST_TOLD = 50
"""Messages under way whose owners are told of one stop, the newest."""


def accepted(transport: int, groups: Collection[int], now: datetime) -> None:
    """Groups took mail: policy refusals so far were single ones; a sample of which nothing came back for a while lets the rest go."""
    Stream.objects.filter(transport=transport, group__in=groups, refusals__gt=0).update(refusals=0)
    Stream.objects.filter(transport=transport, group__in=groups, until__lte=now - WITHIN).update(until=None, stops=0)


@transaction.atomic
def refused(transport: int, group: int, reply: str, rest: timedelta, now: datetime) -> bool:
    """A policy refusal in the dialogue: some that follow each other stop the stream, and one of a sample does, for ``rest`` at least.
    Whether this one did."""
    row = Stream.objects.select_for_update().get_or_create(transport_id=transport, group_id=group)[0]
    if row.until and now < row.until:
        return False  # of a copy that was under way
    row.refusals += 1
    if row.until is None and row.refusals < PATIENCE:
        row.save(update_fields=["refusals"])
        return False
    row.refusals = 0
    if _stop(row, Stop.REFUSED, reply, now, rest):
        _tell_owners(row, now)
    return True


def reported(events: Iterable[Event], now: datetime) -> int:
    """Reports and what providers told: enough of them about one stream stop it. How many were stopped."""
    mailings: defaultdict[int, set[int]] = defaultdict(set)
    for event in events:
        if event.mailing_id and event.verdict.kind.value in FAILING:
            mailings[event.mailing_id].add(event.address_id)
    stopped = 0
    for mailing in Mailing.objects.filter(pk__in=mailings).exclude(transport=None):
        emails = dict(Address.objects.filter(pk__in=mailings[mailing.pk]).values_list("pk", "email"))
        groups = destinations.groups_of({email.rpartition("@")[2] for email in emails.values()}, now)
        for group in set(groups.values()) - {0}:
            domains = [domain for domain, found in groups.items() if found == group]
            stopped += _judged(mailing, group, domains, now)
    return stopped


def _judged(mailing: Mailing, group: int, domains: Sequence[str], now: datetime) -> bool:
    ours = _ours(mailing.transport_id or 0, domains, now)
    failed, copies = _failed(mailing.pk, domains)
    why = too_many(len(ours), failed, copies)
    if why is None:
        return False
    with transaction.atomic():
        row = Stream.objects.select_for_update().get_or_create(transport_id=mailing.transport_id or 0, group_id=group)[0]
        if (row.until and now < row.until) or (row.judged_to and row.judged_to >= mailing.pk and why is Stop.RETURNED):
            return False
        row.judged_to = mailing.pk
        reply = ours[0] if ours else _("%(failed)s of %(copies)s copies of one message came back") % {"failed": failed, "copies": copies}
        _stop(row, why, reply, now)
    return True


def _ours(transport: int, domains: Sequence[str], now: datetime) -> list[str]:
    """What lately came back because of us, from addresses of these domains: one text each address."""
    rows = run(
        "SELECT DISTINCT ON (e.address_id) e.text FROM delivery_event e JOIN mailing m ON m.id = e.mailing_id JOIN address a ON a.id = e.address_id"
        " WHERE e.at > %(since)s AND e.kind = %(kind)s AND e.fault = %(fault)s AND m.transport_id = %(transport)s AND split_part(a.email, '@', 2) = ANY (%(domains)s) AND e.origin <> 'dialogue' LIMIT 100",
        {"since": now - WITHIN, "kind": Kind.OURS.value, "fault": Fault.SENDER.value, "transport": transport, "domains": list(domains)},
    )
    return [row[0] for row in rows]


def _failed(mailing: int, domains: Sequence[str]) -> tuple[int, int]:
    """How many copies of a mailing to these domains came back, of how many; the second is counted when the first is many."""
    failed = DeliveryEvent.objects.filter(mailing_id=mailing, kind__in=FAILING).values_list("address_id", flat=True).distinct()
    hosts = {"domains": list(domains), "mailing": mailing}
    among = run("SELECT count(*) FROM address WHERE id = ANY (%(ids)s::bigint[]) AND split_part(email, '@', 2) = ANY (%(domains)s)", {"ids": array(list(failed)), "domains": list(domains)})[0][0]
    if too_many(0, among, among) is None:
        return among, 0
    copies = run("SELECT count(*) FROM copy c JOIN address a ON a.id = c.address_id WHERE c.mailing_id = %(mailing)s AND c.state IN (2, 3) AND split_part(a.email, '@', 2) = ANY (%(domains)s)", hosts)
    return among, copies[0][0]


def _stop(row: Stream, why: Stop, reply: str, now: datetime, rest: timedelta = timedelta()) -> bool:
    """Whether it had not been stopped before, so that it is news."""
    row.until, row.why, row.reason, row.stopped_at = now + max(rest, next_rest(row.stops)), why.value, reply.replace("\x00", "")[:1000], now
    first, row.stops = row.stops == 0, min(row.stops + 1, 100)
    row.save()
    group, transport = row.group.title, row.transport.name
    journal.write("stream.stopped", now, group=group, transport=transport, reason=row.reason)
    log.warning("stream-stopped group=%s transport=%s until=%s reply=%r", row.group.name, transport, row.until.isoformat(), row.reason[:200])
    if first:  # a sample that is refused again is no news
        fields = {"thing": f"{group} ({transport})", "error": lambda: f"{row.reason}\n\n{advice(why)}", "since": now, "link": f"{settings.BASE_URL}/settings/destinations/{row.group_id}/"}
        for address in administrators():
            letters.send("trouble", address, now, fields=fields)
    return first


def _tell_owners(row: Stream, now: datetime) -> None:
    """Owners of lists whose messages now wait for the group, once each; of what came back later they are told by its reports."""
    told = set(administrators())
    here = Slice.objects.filter(mailing=OuterRef("pk"), transport=row.transport_id, done=False)
    waiting = Mailing.objects.filter(Exists(here), state=MailingState.RUNNING, list__isnull=False).exclude(kind=MailingKind.LETTER)
    for mailing in waiting.select_related("list__organisation", "list__domain").order_by("-pk")[:MOST_TOLD]:
        if mailing.list is None or row.group_id not in destinations.known_groups(hosts_of_copies(mailing.pk)).values():
            continue
        error = lambda: f"{row.group.title}: {row.reason}\n\n{advice(Stop.REFUSED)}"  # noqa: E731  in the language of whoever reads it
        fields = {"thing": mailing.subject or mailing.list.address, "error": error, "since": now, "link": f"{settings.BASE_URL}/sending/{mailing.pk}/"}
        for address in addresses_of(mailing.list, RoleKind.OWNER):
            if address not in told:
                told.add(address)
                letters.send("trouble", address, now, fields=fields, list_=mailing.list)


def advice(why: Stop) -> str:
    """What an administrator can do about it, in the active language."""
    if why is Stop.RETURNED:
        return _("Look at what came back of the message: a list that was bought or is many years old is best removed. When the provider was at fault, nothing need be done: after a rest a sample leaves, and everything else when it arrives.")
    return _("Look at the signature and DNS records of your domains and at the provider's page for postmasters. Nothing need be done here: after a rest a sample leaves, and everything else when it arrives.")
