"""Threads: which of them works, and what becomes of what it did."""

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from colporteur.daemons.threads import Latest


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
