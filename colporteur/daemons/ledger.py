"""Acceptances, written from the event loop itself: the hottest statement of delivery, without a thread in between.

A thread that settles waits for the interpreter lock at every turn while the loop is busy sending, and all that time
accepted copies are unsettled and the gate is shut. So a worker has one connection of its own here, in libpq's pipeline
mode: the slices of one batch are one round trip and one commit, and of each slice one row changes. Whatever is not plain (a copy that is no longer open
where it was, a lock held by somebody, a database that went away) is left to ``flow.copies`` on a thread; writing an
acceptance twice changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from django.db import Error, connections
from psycopg import pq

from colporteur.daemons.threads import in_thread
from colporteur.store.copies import ACCEPTED_PLACES, ACCEPTED_ROWS, Claimed, Due, Standing, array, bits

_PLACES, _ROWS = b"accepted_places", b"accepted_rows"
# Not by the startup parameter "options": poolers refuse it.
_SET = """
SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET jit = off; SET lock_timeout = 300; SET synchronous_commit = on
"""
ANSWER_SECONDS = 10.0  # a database host that vanished says nothing at all
_NOT_SIMPLE = Standing(0, done=False, generation=0, state="")  # not all places were open: nothing was changed
_AGAIN_SECONDS = 2.0  # between two attempts to connect


class LedgerError(Exception):
    """Nothing of the batch was written, or nobody knows: write it on a thread."""


class Batch(NamedTuple):
    """Acceptances of one slice. ``placed``: each of its copies has a place."""

    slice: Claimed
    copies: Sequence[Due]
    placed: bool


class Ledger:
    """One connection and what is under way on it. ``write`` may be called by several lanes at once."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._under_way: deque[tuple[int, asyncio.Future[list[Standing]]]] = deque()
        self._found: list[Standing] = []
        self._error = ""
        self._fresh = False  # a result came, the None behind it not yet
        self._opening = asyncio.Lock()
        self._not_before = 0.0

    async def write(self, batches: Sequence[Batch], lease: float) -> list[Standing]:
        """Commit the acceptances of some slices together; how each slice stands. Raises ``LedgerError``."""
        if self._connection is None:
            await self._open()
        assert self._connection
        wire = self._connection.pgconn
        order = sorted(range(len(batches)), key=lambda number: batches[number].slice)  # locked in one order
        future: asyncio.Future[list[Standing]] = asyncio.get_running_loop().create_future()
        self._under_way.append((len(batches), future))  # before anything can fail: ``_close`` answers what is under way
        try:
            for number in order:
                slice_, copies, placed = batches[number]
                settled = bits([copy.place for copy in copies]) if placed else array([copy.address for copy in copies])
                values = (slice_.mailing, slice_.number, slice_.generation, settled, float(lease))
                wire.send_query_prepared(_PLACES if placed else _ROWS, [str(value).encode() for value in values])
            wire.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            self._close(str(error))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                standings = await future
        except TimeoutError:
            self._close("no answer")
            raise LedgerError("no answer") from None
        return [standing for _, standing in sorted(zip(order, standings, strict=True))]

    def close(self) -> None:
        """End the connection; what is under way is unknown."""
        self._close("closed")

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._opening:
            if self._connection is not None:
                return
            if loop.time() < self._not_before:
                raise LedgerError("no connection a moment ago")
            try:
                opened = await in_thread(_connect)
            except (psycopg.Error, Error) as error:
                self._not_before = loop.time() + _AGAIN_SECONDS
                raise LedgerError(str(error)) from error
            self._connection = opened
            loop.add_reader(opened.pgconn.socket, self._readable)

    def _flush(self) -> None:
        if self._connection is None:
            return
        wire, loop = self._connection.pgconn, asyncio.get_running_loop()
        try:
            if wire.flush():
                loop.add_writer(wire.socket, self._flush)
            else:
                loop.remove_writer(wire.socket)
        except psycopg.Error as error:
            self._close(str(error))

    def _readable(self) -> None:
        assert self._connection
        wire = self._connection.pgconn
        try:
            wire.consume_input()
            while not wire.is_busy():
                result = wire.get_result()
                if result is None:
                    if not self._fresh:
                        break
                    self._fresh = False
                    continue
                self._take_in(result)
                self._fresh = result.status != pq.ExecStatus.PIPELINE_SYNC
        except psycopg.Error as error:
            self._close(str(error))

    def _take_in(self, result: pq.abc.PGresult) -> None:
        if result.status == pq.ExecStatus.TUPLES_OK and result.ntuples == 1:
            changed, done, generation, state = (result.get_value(0, column) or b"" for column in range(4))
            self._found.append(Standing(int(changed), done == b"t", int(generation), bytes(state).decode()))
        elif result.status == pq.ExecStatus.TUPLES_OK:
            self._found.append(_NOT_SIMPLE)
        elif result.status == pq.ExecStatus.PIPELINE_SYNC:
            number, future = self._under_way.popleft()
            found, self._found = self._found, []
            error, self._error = self._error, ""
            if not future.done():
                if len(found) == number:
                    future.set_result(found)
                else:
                    future.set_exception(LedgerError(error or "a slice is missing"))
        else:
            self._error = self._error or result.error_message.decode("utf-8", "replace")[:200]

    def _close(self, why: str) -> None:
        opened, self._connection = self._connection, None
        if opened is not None:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(psycopg.Error, OSError, ValueError):
                loop.remove_reader(opened.pgconn.socket)
                loop.remove_writer(opened.pgconn.socket)
            opened.close()
        under_way, self._under_way = self._under_way, deque()
        self._found, self._error, self._fresh = [], "", False
        for _, future in under_way:
            if not future.done():
                future.set_exception(LedgerError(why))


def _connect() -> psycopg.Connection[Any]:
    """On a thread: a connection with the statement prepared, in pipeline mode, that never waits."""
    values = connections["default"].get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        values.pop(name, None)
    opened = psycopg.Connection.connect(**values, autocommit=True)
    opened.execute(_SET)
    for prepared_as, statement in ((_PLACES, ACCEPTED_PLACES), (_ROWS, ACCEPTED_ROWS)):
        prepared = opened.pgconn.prepare(prepared_as, statement.encode())
        if prepared.status != pq.ExecStatus.COMMAND_OK:
            opened.close()
            raise psycopg.OperationalError(prepared.error_message.decode("utf-8", "replace"))
    opened.pgconn.enter_pipeline_mode()
    opened.pgconn.nonblocking = 1
    return opened
