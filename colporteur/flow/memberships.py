"""Memberships: who is on a list, from when to when. Everything is set-based: one person or 100,000 is the same few statements."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from colporteur.domain import tokens
from colporteur.domain.addresses import SUFFIXES, normal
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.entries import Entries, Entry, Refused, of_pairs
from colporteur.domain.mailings import MailingKind, Priority
from colporteur.domain.policy import Leaving
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import attributes, nesting, quotas
from colporteur.flow.organisations import actor
from colporteur.store import copies, journal, privacy
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import NAMED, Address, Person
from colporteur.store.policies import policy
from colporteur.store.privacy import Consent
from colporteur.store.sources import Source

log = logging.getLogger("colporteur.memberships")
mail = logging.getLogger("colporteur.mail")

CHUNK = 10_000
ONE_BY_ONE = 20  # so many changes are journaled one by one; more of them as one entry with counts

LEFT_BY_MEMBER, LEFT_BY_OWNER = "member", "owner"
LEFT_BY_BOUNCE, LEFT_BY_COMPLAINT = "bounce", "complaint"

# Addresses and names travel as one text with a line each (neither has line ends): quoting 10,000 elements of an array cost
# more than the statement.
_ADD_ADDRESSES = """
INSERT INTO address (email, name, created)
SELECT email, coalesce(name, ''), %(now)s
FROM unnest(string_to_array(%(emails)s, E'\\n'), string_to_array(%(names)s, E'\\n')) AS entry (email, name) ORDER BY email
ON CONFLICT (email) DO UPDATE SET name = excluded.name WHERE address.name = '' AND excluded.name <> ''
"""

# Whoever ended the last membership by themselves stays away unless asked for.
_ADD_MEMBERSHIPS = f"""
INSERT INTO membership (list_id, address_id, source_id, consent_id, delivery, paused, since, left_by, email, called)
SELECT %(list)s, address.id, %(source)s, %(consent)s, coalesce(nullif(entry.delivery, ''), %(delivery)s), false, %(now)s, '', address.email, address.called
FROM unnest(string_to_array(%(emails)s, E'\\n'), string_to_array(%(deliveries)s, E'\\n')) AS entry (email, delivery) JOIN ({NAMED}) address USING (email)
WHERE NOT EXISTS (SELECT 1 FROM membership m WHERE m.list_id = %(list)s AND m.address_id = address.id AND m.until IS NULL)
  AND (%(bring_back)s OR coalesce((
    SELECT m.left_by FROM membership m WHERE m.list_id = %(list)s AND m.address_id = address.id ORDER BY m.until DESC, m.id DESC LIMIT 1), '') NOT IN ('member', 'complaint'))
ORDER BY address.id
ON CONFLICT DO NOTHING
RETURNING address_id
"""

_STAYED_AWAY = """
SELECT email FROM unnest(string_to_array(%(emails)s, E'\\n')) AS entry (email) JOIN address USING (email)
WHERE NOT EXISTS (SELECT 1 FROM membership m WHERE m.list_id = %(list)s AND m.address_id = address.id AND m.until IS NULL)
ORDER BY email
"""

_END = """
UPDATE membership SET until = %(now)s, left_by = %(left_by)s
FROM address WHERE address.id = membership.address_id AND address.email = ANY(%(emails)s)
  AND membership.list_id = %(list)s AND membership.until IS NULL
RETURNING membership.address_id, address.email
"""


@dataclass
class Added:
    """What became of the entries; each is in exactly one of the five."""

    added: int = 0
    already: int = 0  # members before
    twice: int = 0  # of an address named before, whatever became of that
    refused: list[Refused] = field(default_factory=list)  # lines that cannot be taken: (line, reason, text)
    left: list[str] = field(default_factory=list)  # left by themselves and were not asked to be brought back


@dataclass(frozen=True)
class Given:
    """Why somebody may be written to, for the ledger. ``own``: the address itself said yes, which ends its opposition."""

    how: str = "added"
    own: bool = False
    wording: str = ""  # what was said yes to
    client: str = ""  # IP address
    evidence: str = ""


@dataclass(frozen=True)
class Removed:
    """Addresses whose membership ended, and how many of the asked ones were no members."""

    removed: list[str]
    unknown: list[str]


@dataclass(frozen=True)
class Left:
    """What an unsubscribe token names: ``member`` tells whether there is (was) a membership to end, ``way`` how the list lets
    members leave. A copy that came by an inner list names that one, and ``path`` says the way. ``left_out``: a newsletter
    that came by an inner list nobody leaves alone; who leaves is left out of the newsletter."""

    list: List
    address: Address
    member: bool
    way: Leaving
    path: str = ""
    left_out: bool = False


def add(list_: List, entries: Iterable[tuple[str, str]] | Entries, now: datetime, *, by: Person | str, source: Source | None = None, bring_back: bool = False, progress: Callable[[int], None] | None = None, given: Given | None = None) -> Added:
    """Add members: pairs (address, name), or ``domain.entries`` as read from a file. One transaction: all or none.

    What cannot be taken is told by line and reason and keeps nobody else out. ``bring_back``: also who left by
    themselves. ``progress`` is called with the number of entries done. ``given``: why they may be written to, kept in the
    consent ledger. Nobody but the address itself undoes its opposition. Values of attributes are kept of members who were there, too.
    """
    if list_.state == ListState.PENDING:
        raise Invalid(_("this list waits for an administrator: members can be added once it is activated"))
    read = entries if isinstance(entries, Entries) else of_pairs(entries)
    answer = Added(refused=list(read.refused))
    given = given or Given()
    with transaction.atomic():
        if given.own:
            privacy.admit([entry.email for entry in read.taken])
        fit = wanted(list_, read.taken, answer)
        consent = Consent.objects.create(at=now, how=given.how, by=str(by), wording=given.wording, client=given.client, evidence=given.evidence).pk if fit else None
        made: list[int] = []
        delivery = policy(list_).delivery.value
        for start in range(0, len(fit), CHUNK):
            made += _add_chunk(list_, fit[start : start + CHUNK], now, source, bring_back, answer, consent, delivery)
            if progress:
                progress(min(start + CHUNK, len(fit)))
        quotas.check_members(list_, len(made))
        if consent and not made:
            Consent.objects.filter(pk=consent).delete()
        _journal_joined(list_, made, now, by, source)
    answer.refused.sort()
    log.info("members-added list=%s added=%d already=%d twice=%d refused=%d left=%d", list_.address, answer.added, answer.already, answer.twice, len(answer.refused), len(answer.left))
    return answer


def remove(list_: List, emails: Sequence[str], now: datetime, *, by: Person | str) -> Removed:
    """End memberships by the hand of an owner. Raises ``ValueError`` when one of the texts is not an address."""
    return _end(list_, [normal(email) for email in emails], LEFT_BY_OWNER, now, by)


def leave(list_: List, address: Address, now: datetime, *, by: Person | str) -> bool:
    """End a membership at the member's own wish, which later imports respect. False when there was none.

    Copies not sent yet are skipped, also those a worker has claimed. Whether the policy allows leaving is the caller's question.
    """
    return bool(_end(list_, [address.email], LEFT_BY_MEMBER, now, by).removed)


def end(list_: List, emails: Sequence[str], left_by: str, now: datetime, *, by: Person | str) -> list[str]:
    """End memberships because of what came back: ``LEFT_BY_BOUNCE`` or ``LEFT_BY_COMPLAINT``; those that ended. A later import
    does not bring back who complained."""
    return _end(list_, list(emails), left_by, now, by).removed


def named_by_token(token: str) -> Left | None:
    """What the token of a copy, or of a letter that asks about leaving, names: whose membership of which list; None when it was not
    made by us for one of these."""
    token = token.strip().lower()
    numbers = tokens.read(settings.TOKEN_KEY, tokens.Purpose.COPY, token)
    if numbers is None:
        return _named_to_leave(token)
    mailing = Mailing.objects.filter(pk=numbers[0]).exclude(kind=MailingKind.LETTER, campaign__isnull=True).select_related("list__organisation", "list__domain").first()
    address = Address.objects.filter(pk=numbers[1]).first()
    if mailing is None or mailing.list is None or address is None:
        return None
    from_list = nesting.inner_of(mailing, address.pk) or mailing.list
    member = Membership.objects.filter(list=from_list, address=address, until__isnull=True).exists()
    way, path = policy(from_list).leaving, nesting.path_of(mailing, address.pk) if mailing.nested else ""
    if way.by_oneself or mailing.priority != Priority.NEWSLETTER:
        return Left(from_list, address, member, way, path)
    if from_list.pk == mailing.list.pk:
        return Left(from_list, address, member, Leaving.CONFIRM, path)
    return Left(mailing.list, address, member and address.email not in nesting.excluded(mailing.list), Leaving.CONFIRM, path, left_out=True)


def leave_token(list_: List, address: Address) -> str:
    """What the letter that asks about leaving names; good as long as the membership, like that of a copy."""
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.LEAVE, list_.pk, address.pk)


def _named_to_leave(token: str) -> Left | None:
    numbers = tokens.read(settings.TOKEN_KEY, tokens.Purpose.LEAVE, token)
    list_ = List.objects.exclude(state=ListState.DELETED).select_related("organisation", "domain").filter(pk=numbers[0]).first() if numbers else None
    address = Address.objects.filter(pk=numbers[1]).first() if numbers else None
    if list_ is None or address is None:
        return None
    member = Membership.objects.filter(list=list_, address=address, until__isnull=True).exists()
    return Left(list_, address, member, policy(list_).leaving)


def pause(list_: List, emails: Sequence[str], now: datetime, *, by: Person | str, paused: bool = True) -> int:
    """Stop sending to these members, or begin again; they stay members. How many changed."""
    return _change(list_, emails, "paused", paused, "paused" if paused else "receives again", now, by)


def set_delivery(list_: List, emails: Sequence[str], mode: DeliveryMode, now: datetime, *, by: Person | str) -> int:
    """How these members receive. How many changed."""
    return _change(list_, emails, "delivery", mode.value, f"delivery: {mode.value}", now, by, delivery_since=now)


# --- how ---


def wanted(list_: List, taken: Sequence[Entry], answer: Added) -> list[Entry]:
    """Entries once per address, without the list's own (mail to them would come back to it) and those opposed to being added."""
    own = {list_.address, *(f"{list_.name}{suffix}@{list_.host}" for suffix in SUFFIXES), *list_.aliases.values_list("address", flat=True)}
    once: dict[str, Entry] = {}
    opposed = privacy.opposed([entry.email for entry in taken])
    for entry in taken:
        if entry.email in own:
            answer.refused.append(Refused(entry.line, _("this is an address of the list itself"), entry.email))
        elif entry.email in opposed:
            answer.refused.append(Refused(entry.line, _("whoever has this address does not want to be added: only he or she can join"), entry.email))
        elif entry.email in once:
            answer.twice += 1
            if entry.name and not once[entry.email].name:
                once[entry.email] = once[entry.email]._replace(name=entry.name)
            if entry.values:
                once[entry.email] = once[entry.email]._replace(values={**(once[entry.email].values or {}), **entry.values})
        else:
            once[entry.email] = entry
    return list(once.values())


def _add_chunk(list_: List, chunk: list[Entry], now: datetime, source: Source | None, bring_back: bool, answer: Added, consent: int | None, delivery: str) -> list[int]:
    values = {
        "list": list_.pk, "source": source.pk if source else None, "consent": consent, "now": now, "bring_back": bring_back,
        "emails": "\n".join(entry.email for entry in chunk), "names": "\n".join(entry.name for entry in chunk),
        "deliveries": "\n".join(entry.delivery for entry in chunk), "delivery": delivery,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ADD_ADDRESSES, values)
        cursor.execute(_ADD_MEMBERSHIPS, values)
        made = [row[0] for row in cursor.fetchall()]
        left: list[str] = []
        if len(made) < len(chunk):
            cursor.execute(_STAYED_AWAY, values)
            left = [row[0] for row in cursor.fetchall()]
    attributes.write_many(list_, ((entry.email, entry.values) for entry in chunk if entry.values))
    answer.added += len(made)
    answer.left += left
    answer.already += len(chunk) - len(made) - len(left)
    return made


def _end(list_: List, emails: list[str], left_by: str, now: datetime, by: Person | str) -> Removed:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_END, {"now": now, "left_by": left_by, "emails": emails, "list": list_.pk})
            ended: list[tuple[int, str]] = cursor.fetchall()
        if len(ended) > ONE_BY_ONE:
            journal.write("memberships.left", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, count=len(ended), by=str(by))
        else:
            _one_by_one("membership.left", list_, ended, now, by, {})
            for _id, email in ended:
                mail.info("left list=%s address=%s by=%s", list_.address, email, by)
            if ended:
                copies.gone([id_ for id_, _email in ended])
    gone = {email for _id, email in ended}
    return Removed(sorted(gone), [email for email in dict.fromkeys(emails) if email not in gone])


def _change(list_: List, emails: Sequence[str], column: str, value: bool | str, words: str, now: datetime, by: Person | str, **besides: datetime) -> int:
    checked = [normal(email) for email in emails]
    with transaction.atomic():
        rows = Membership.objects.select_for_update(of=("self",)).filter(list=list_, until__isnull=True, address__email__in=checked).exclude(**{column: value}).order_by("id")
        found = list(rows.values_list("id", "address_id", "address__email"))
        Membership.objects.filter(id__in=[row[0] for row in found]).update(**{column: value, **besides})
        if len(found) > ONE_BY_ONE:
            journal.write("memberships.changed", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, count=len(found), change=words, by=str(by))
        else:
            _one_by_one("membership.changed", list_, [(address, email) for _id, address, email in found], now, by, {"change": words})
    return len(found)


def _journal_joined(list_: List, made: list[int], now: datetime, by: Person | str, source: Source | None) -> None:
    if not made:
        return
    if len(made) > ONE_BY_ONE:
        journal.write("memberships.joined", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, count=len(made), by=str(by), source=source.name if source else "")
        return
    _one_by_one("membership.joined", list_, list(Address.objects.filter(id__in=made).order_by("id").values_list("id", "email")), now, by, {})


def _one_by_one(event: str, list_: List, changed: list[tuple[int, str]], now: datetime, by: Person | str, values: dict[str, str]) -> None:
    assert event in journal.EVENTS, event
    JournalEntry.objects.bulk_create(
        JournalEntry(at=now, event=event, actor_id=actor(by), organisation_id=list_.organisation_id, list_id=list_.pk, address_id=address, values={"email": email, "by": str(by), **values})
        for address, email in changed
    )
