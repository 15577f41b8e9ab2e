"""Threads: which of them works, and what becomes of what it did."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from typing import Any

import pytest
from django.db import connection

from colporteur.daemons import threads as bridge
from colporteur.daemons.threads import THREADS, Latest, close_connections


def test_the_thread_that_worked_last_works_next_and_others_only_when_it_is_busy() -> None:
    threads, held = Latest(3), threading.Event()
    one = threads.submit(threading.get_ident).result()
    assert {threads.submit(threading.get_ident).result() for _ in range(20)} == {one}
    busy = threads.submit(held.wait)
    other = threads.submit(threading.get_ident).result()
    assert other != one
    held.set()
    wait([busy])
    assert threads.submit(threading.get_ident).result() == one, "it ended last"


def test_what_is_more_than_the_threads_waits_its_turn() -> None:
    threads, held = Latest(2), threading.Event()
    busy = [threads.submit(held.wait) for _ in range(2)]
    order: list[int] = []
    later = [threads.submit(order.append, number) for number in range(3)]
    never = threads.submit(order.append, 9)
    assert never.cancel() and not any(one.done() for one in later)
    held.set()
    wait([*busy, *later])
    assert sorted(order) == [0, 1, 2]


def test_a_failure_is_its_callers_and_the_thread_goes_on() -> None:
    threads = Latest(1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result()
    assert threads.submit(lambda: 7).result() == 7


def test_every_thread_ends_once_it_has_nothing_to_do_and_others_begin() -> None:
    threads, held, ends = Latest(3), threading.Event(), list[int]()
    busy = [threads.submit(lambda: (held.wait(), threading.get_ident())[1]) for _ in range(3)]
    held.set()
    assert threads.end(lambda: ends.append(threading.get_ident()), 60.0) == 0
    assert sorted(ends) == sorted(one.result() for one in busy), "each did it, itself"
    assert threads.submit(lambda: 7).result() == 7 and threads.end(lambda: None, 60.0) == 0


@pytest.mark.django_db(transaction=True)
def test_a_long_statement_does_not_hold_up_the_end_of_a_process(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    threads, held, begun = Latest(THREADS), threading.Event(), threading.Event()
    monkeypatch.setattr(bridge, "_threads", threads)

    def connected() -> Any:
        connection.ensure_connection()
        return connection.connection

    def long() -> Any:
        begun.set()
        held.wait()
        return connected()

    def close() -> None:
        connection.close()

    busy = threads.submit(long)
    begun.wait()
    idle = threads.submit(connected).result()
    close_connections(0.0)
    assert idle.closed and "1 threads are still at work" in caplog.text and not busy.done()
    held.set()
    assert not busy.result().closed and threads.end(close, 60.0) == 0
