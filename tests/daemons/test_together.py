"""Lists whose members all get the same copy: several recipients in a transaction, exact all the same."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from colporteur.store.lists import List
from tests.daemons.delivering import a_mailing, deliver_until, is_in, sound
from tests.daemons.test_deliver import counts
from tests.servers.sink import Drop, Session, Sink
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        a_transport(f"smtp://127.0.0.1:{running.port}", connections=3)
        yield running


def alike(members: int) -> List:
    return a_list(members=members, copies="together", footer="-- \nTo {name}\nFrom {list}, leave: {unsubscribe}")


def transactions(sink: Sink) -> int:
    return sum(command.startswith("DATA") for session in sink.sessions for command in session.commands)


def test_members_get_the_same_bytes_by_fifties(sink: Sink) -> None:
    list_ = alike(120)
    mailing = a_mailing(list_)
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"sent": 120} and set(sink.received().values()) == {1}
    assert len({one.data for one in sink.taken}) == 1 and {one.sender for one in sink.taken} == {f"{list_.name}-bounces@{list_.host}"}
    assert transactions(sink) <= 6
    seen = message_from_bytes(sink.taken[0].data)
    assert seen["List-Unsubscribe"] == f"<mailto:{list_.name}-unsubscribe@{list_.host}>" and seen["List-Unsubscribe-Post"] is None
    assert seen["X-Colporteur-Trace"] is None and "To " not in str(seen.get_payload()).split("-- ")[-1]
    sound(mailing)


def test_each_recipient_of_a_transaction_ends_as_its_own_reply_says_and_nobody_gets_it_twice(sink: Sink) -> None:
    def script(event: str, argument: str, session: Session) -> str | None:
        number = int(argument[7:13]) if event == "RCPT" else 0
        if event == "RCPT" and len(session.recipients) >= 20:
            return "452 4.5.3 Too many recipients"
        return "550 5.1.1 No such user here" if number % 10 == 1 else "450 4.2.0 Mailbox busy" if number % 10 == 2 else None

    sink.script = script
    mailing = a_mailing(alike(100))
    deliver_until(lambda: counts(mailing) == {"sent": 80, "failed": 10, "deferred": 10})
    assert sink.repeated() == 0
    sound(mailing)


def test_a_connection_cut_after_the_data_repeats_only_that_transaction_once(sink: Sink) -> None:
    cut: list[int] = []

    def script(event: str, argument: str, session: Session) -> Drop | None:
        if event == "BODY" and not cut:
            cut.append(len(session.recipients))
            return Drop(keep=True)
        return None

    sink.script = script
    mailing = a_mailing(alike(100))
    deliver_until(lambda: counts(mailing).get("deferred") == (cut or [0])[0] > 0 and counts(mailing).get("sent") == 100 - cut[0])
    sound(mailing)
