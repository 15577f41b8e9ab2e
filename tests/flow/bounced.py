"""Messages that left, and what came back of them, at moments of a story's own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from colporteur.domain.bounces import Event, Origin, verdict_of
from colporteur.flow import standing
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding
from tests.daemons.delivering import a_mailing

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def day(number: float) -> datetime:
    """So many days after the beginning of the story."""
    return START + timedelta(days=number)


def accept(mailing: Mailing, refused: Collection[str] = ()) -> Mailing:
    """Every copy is accepted but for those refused in the dialogue."""
    Copy.objects.filter(mailing=mailing).update(state=2)
    blamed = list(Address.objects.filter(email__in=refused).values_list("pk", flat=True))
    failed = Copy.objects.filter(mailing=mailing, address_id__in=blamed).update(state=3, code=550)
    for slice_ in Slice.objects.filter(mailing=mailing):
        Slice.objects.filter(mailing=mailing, number=slice_.number).update(sent=slice_.size - failed, failed=failed, done=True)
    Mailing.objects.filter(pk=mailing.pk).update(state="done", finished=mailing.started)
    return mailing


def posted(list_: List, at: datetime) -> Mailing:
    """A message of the list that left at that moment, accepted by the relay for everybody."""
    return accept(a_mailing(list_, now=at))


def event(email: str, mailing: Mailing, at: datetime, reason: str = "no_mailbox", key: str = "", **more: object) -> Event:
    """What came back of one copy."""
    verdict = verdict_of(reason)
    values = {"status": "5.1.1", "code": 550, "text": f"<{email}>: {reason}", "origin": Origin.REPORT, "evidence": None, **more}
    return Event(at, Address.objects.get(email=email).pk, mailing.pk, mailing.list_id, verdict, key=key or f"{mailing.pk} {email} {reason}", **values)  # type: ignore[arg-type]


def comes_back(mailing: Mailing, emails: Collection[str], at: datetime, reason: str = "no_mailbox") -> standing.Recorded:
    """Reports about some copies of a mailing, recorded together."""
    return standing.record([event(email, mailing, at, reason) for email in emails], at)


def state(email: str) -> str:
    """How an address stands."""
    row = AddressStanding.objects.filter(address__email=email).first()
    return row.standing.word if row else "good"
