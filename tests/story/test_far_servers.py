"""Mail servers that misbehave, all at once, each in its way: every copy ends right, no accepted one is sent again, and a server
that behaves is served meanwhile as if they were not there."""

from __future__ import annotations

import random
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db.models import Q
from django.utils import timezone

from colporteur.domain.mailings import CopyState, MailingState
from colporteur.flow import mailings
from colporteur.store.mailings import Copy, Mailing, Refusal, Slice
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing, is_in, sound
from tests.servers.dovecot import make_certificate
from tests.servers.ports import wait_until
from tests.servers.sink import Drop, Session, Silent, Sink
from tests.story.numbers import FULL
from tests.story.scenes import Installation, a_list, a_transport, message
from tests.story.test_delivery import ALIVE

MEMBERS = 2000 if FULL else 200
BODY = "A few words.\r\n" * 40
Answer = str | Drop | Silent | None


class Far:
    """A mail server that misbehaves in one way for as long as it is ``bad``, at random messages; and a mailing that goes there."""

    def __init__(self, seed: int, context: ssl.SSLContext) -> None:
        self.bad, self.shown, self.most = True, 0, 0
        self.dice = random.Random(seed)
        self.never = {f"member-{number:06}@members.example" for number in self.dice.sample(range(1, MEMBERS + 1), MEMBERS // 4)}
        self.sink = Sink(self._answer, context=context, extensions=("PIPELINING", "8BITMIME", "SIZE 10000000", *(["STARTTLS"] if self.tls == "starttls" else [])))
        self.mailing = Mailing()

    tls = "none"
    copies = "individual"

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        """What it says while it is bad; None: it behaves."""
        return None

    def lasting(self, event: str, argument: str, session: Session) -> Answer:
        """What it says always."""
        return None

    def check(self) -> None:
        """How the copies ended."""
        assert mailings.totals(self.mailing.pk).counts == {"queued": 0, "sent": MEMBERS, "deferred": 0, "failed": 0, "cancelled": 0}

    def _answer(self, event: str, argument: str, session: Session) -> Answer:
        self.most = max(self.most, len(session.recipients))
        said = self.lasting(event, argument, session)
        if said is None and self.bad and (said := self.answer(event, argument, session)) is not None:
            self.shown += 1
        return said

    def now_and_then(self, one_in: int) -> bool:
        """By the seed."""
        return self.dice.randrange(one_in) == 0

    def mend(self) -> None:
        """From now on it behaves."""
        self.bad = False
        self.sink.release()

    @property
    def over(self) -> bool:
        """Whether every copy has ended."""
        return is_in(self.mailing, "done")()


class PutsOff(Far):
    """450 to every other recipient."""

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return "450 4.2.1 Later" if event == "RCPT" and self.now_and_then(2) else None


class Refuses(Far):
    """550 to a quarter of the recipients, for good."""

    def lasting(self, event: str, argument: str, session: Session) -> Answer:
        return "550 5.1.1 Nobody here" if event == "RCPT" and argument in self.never else None

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return "451 4.3.0 Later" if event == "BODY" and self.now_and_then(3) else None

    def check(self) -> None:
        failed = set(Copy.objects.filter(mailing=self.mailing, state=CopyState.FAILED).values_list("address__email", flat=True))
        assert failed == self.never
        assert Refusal.objects.filter(mailing_id=self.mailing.pk, code=550, text__contains="Nobody here").count() == len(failed), "each is refused once"
        assert mailings.totals(self.mailing.pk).sent == MEMBERS - len(failed)


class HangsUp(Far):
    """421 at any moment, and closes."""

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return Drop("421 4.3.2 Going down") if event in ("MAIL", "RCPT", "DATA") and self.now_and_then(12) else None


class Stalls(Far):
    """No answer to the data of one message in ten."""

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return Silent() if event == "BODY" and self.now_and_then(10) else None


class Drops(Far):
    """The connection ends in the middle of the message."""

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return Drop("354 Go on") if event == "DATA" and self.now_and_then(8) else None


class Shrinks(Far):
    """Connections after the second take small messages only."""

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return "250-sink.test\r\n250-PIPELINING\r\n250 SIZE 300" if event == "EHLO" and session.number >= 2 else None

    def mend(self) -> None:
        super().mend()
        self.sink.cut()  # what was announced holds for as long as the connection

    def check(self) -> None:
        totals = mailings.totals(self.mailing.pk)
        assert totals.sent + totals.failed == MEMBERS and totals.sent == len(self.sink.taken)
        failed = set(Copy.objects.filter(mailing=self.mailing, state=CopyState.FAILED).values_list("address_id", "code"))
        assert {code for _, code in failed} <= {552}
        assert not set(self.sink.received()) & set(Copy.objects.filter(mailing=self.mailing, state=CopyState.FAILED).values_list("address__email", flat=True))


class NoTls(Far):
    """STARTTLS is announced and refused."""

    tls = "starttls"

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return "454 4.7.0 Not now" if event == "STARTTLS" else None

    def check(self) -> None:
        super().check()
        assert all(session.secured for session in self.sink.sessions if session.taken), "never in the clear"


class TakesHalf(Refuses):
    """Many recipients in one transaction: a quarter refused for good, of the others half put off, and some data refused."""

    copies = "together"

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return "452 4.5.3 Too many" if event == "RCPT" and self.now_and_then(2) else super().answer(event, argument, session)

    def check(self) -> None:
        super().check()
        assert self.most > 10, "in one transaction"


class DropsMany(Drops):
    """The connection ends in the middle of a message to many."""

    copies = "together"

    def answer(self, event: str, argument: str, session: Session) -> Answer:
        return Drop("354 Go on") if event == "DATA" and not self.shown else None


KINDS: tuple[type[Far], ...] = (PutsOff, Refuses, HangsUp, Stalls, Drops, Shrinks, NoTls, TakesHalf, DropsMany)


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    with Installation(tmp_path / "installation", options=ALIVE) as made:
        yield made


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    make_certificate(tmp_path / "certificate.pem", tmp_path / "key.pem")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return made


def time_passes() -> None:
    """Whatever waits for a later try is due now."""
    now = timezone.now()
    Slice.objects.filter(done=False, due_at__gt=now).update(due_at=now)
    Mailing.objects.filter(state=MailingState.PAUSED, resume_at__gt=now).update(resume_at=now)
    Transport.objects.filter(Q(next_try__gt=now)).update(next_try=now)


def test_servers_that_misbehave(installation: Installation, context: ssl.SSLContext) -> None:
    with ExitStack() as stack:
        all_ = [kind(number, context) for number, kind in enumerate(KINDS)]
        good = Far(99, context)
        good.bad = False
        for far in (*all_, good):
            stack.enter_context(far.sink)
            name = type(far).__name__.lower()
            way = a_transport(f"smtp://127.0.0.1:{far.sink.port}?tls={far.tls}&verify=no", name, default=False)
            list_ = a_list(f"{name}@lists.example", members=MEMBERS, transport=way, copies=far.copies)
            far.mailing = a_mailing(list_, message(to=list_.address, subject=name, body=BODY))
        installation.start("worker")

        def states() -> str:
            rows = Mailing.objects.values_list("list__address", "state", "pause_reason")
            return f"{[*rows]}\n{[(type(far).__name__, far.shown, mailings.totals(far.mailing.pk).counts) for far in all_]}\n{installation.words('worker')[-3000:]}"

        wait_until(lambda: good.over, 60, states)
        wait_until(lambda: all(far.shown for far in all_), 60, states)
        second = a_mailing(Mailing.objects.get(pk=good.mailing.pk).list, message(subject="Again"))  # with all of them at their worst
        wait_until(is_in(second, "done"), 60, states)
        assert len(good.sink.taken) == 2 * MEMBERS and good.sink.repeated() == 0
        assert not any(far.over for far in all_ if isinstance(far, Stalls | NoTls))

        for far in all_:
            far.mend()

        def over() -> bool:
            time_passes()
            return all(far.over for far in all_)

        wait_until(over, 120, states)
        for far in all_:
            far.check()
            assert max(Counter((one.recipient, one.message_id) for one in far.sink.taken if one.answered).values()) == 1, f"{type(far).__name__}: accepted, and sent again"
            assert len(far.sink.received()) == mailings.totals(far.mailing.pk).sent, type(far).__name__
        assert installation.stop("worker") == {"worker": 0}
        for far in all_:
            sound(far.mailing)
