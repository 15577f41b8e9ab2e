"""One message for several recipients in one transaction: each recipient has an outcome of its own."""

from __future__ import annotations

import pytest

from colporteur.adapters.transports import Outgoing
from tests.adapters.feeding import copy, send
from tests.adapters.test_smtp import smtp
from tests.servers.sink import Drop, Session, Sink

BOTH_WAYS = pytest.mark.parametrize("extensions", [("PIPELINING", "8BITMIME"), ()], ids=["pipelining", "step by step"])


def together(first: int, number: int) -> Outgoing:
    """One message for members ``first`` and the following."""
    return Outgoing((1, first), b"list-bounces@lists.example", tuple(b"m%d@members.example" % n for n in range(first, first + number)), copy(first).wire)


@BOTH_WAYS
def test_all_recipients_get_the_message_in_one_transaction(extensions: tuple[str, ...]) -> None:
    with Sink(extensions=extensions) as sink:
        sent = send(smtp(sink), [together(1, 30), together(31, 30), copy(61)])
    assert sent.results() == ["SENT"] * 61
    assert set(sink.received().values()) == {1} and len(sink.received()) == 61
    assert len({one.message_id for one in sink.taken}) == 3


@BOTH_WAYS
def test_a_refused_recipient_costs_the_others_nothing(extensions: tuple[str, ...]) -> None:
    replies = {"m3@members.example": "550 5.1.1 No such user", "m5@members.example": "450 4.2.0 Busy", "m12@members.example": "452 4.2.2 Mailbox full"}
    with Sink(lambda event, argument, session: replies.get(argument) if event == "RCPT" else None, extensions=extensions) as sink:
        sent = send(smtp(sink, connections=1), [together(1, 6), together(7, 6), together(13, 6)])
    assert {n: outcome.result.name for n, outcome in sent.outcomes.items() if outcome.result.name != "SENT"} == {3: "FAILED", 5: "DEFERRED", 12: "DEFERRED"}
    assert (sent.outcomes[3].code, sent.outcomes[3].text) == (550, "5.1.1 No such user")
    assert len(sink.received()) == 15 and set(sink.received().values()) == {1}


@BOTH_WAYS
def test_when_all_recipients_are_refused_no_data_are_taken(extensions: tuple[str, ...]) -> None:
    with Sink(lambda event, argument, session: "550 5.1.1 No" if event == "RCPT" and argument < "m3" else None, extensions=extensions) as sink:
        sent = send(smtp(sink, connections=1), [together(1, 2), together(3, 2)])
    assert sent.results() == ["FAILED", "FAILED", "SENT", "SENT"] and len(sink.taken) == 2


@BOTH_WAYS
def test_too_many_recipients_for_the_server_are_given_back(extensions: tuple[str, ...]) -> None:
    def script(event: str, argument: str, session: Session) -> str | None:
        return "452 4.5.3 Too many recipients" if event == "RCPT" and len(session.recipients) >= 4 else None

    with Sink(script, extensions=extensions) as sink:
        transport = smtp(sink, connections=1)
        sent = send(transport, [together(1, 10)])
    assert sent.results() == ["SENT"] * 4 + ["UNSENT"] * 6 and transport.recipients == 4


def test_a_connection_lost_after_the_data_leaves_only_the_welcome_recipients_unknown() -> None:
    def script(event: str, argument: str, session: Session) -> str | Drop | None:
        return "550 5.1.1 No" if argument == "m2@members.example" else Drop(keep=True) if event == "BODY" else None

    with Sink(script) as sink:
        sent = send(smtp(sink, connections=1), [together(1, 3)])
    assert sent.results() == ["UNKNOWN", "FAILED", "UNKNOWN"]


@BOTH_WAYS
@pytest.mark.parametrize("answer, result", [("554 5.7.1 Spam", "FAILED"), ("451 4.3.0 Later", "DEFERRED")])
def test_an_answer_to_the_data_is_every_welcome_recipients(answer: str, result: str, extensions: tuple[str, ...]) -> None:
    with Sink(lambda event, argument, session: answer if event == "BODY" else "550 5.1.1 No" if argument == "m1@members.example" else None, extensions=extensions) as sink:
        sent = send(smtp(sink), [together(1, 3)])
    assert sent.results() == ["FAILED", result, result] and sent.outcomes[1].code == 550
