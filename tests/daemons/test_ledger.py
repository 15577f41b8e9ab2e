"""The ledger never waits for an answer that cannot come."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from colporteur.daemons import ledger
from colporteur.daemons.ledger import Batch, Ledger, LedgerError
from colporteur.store.copies import Claimed, Due

BATCH = [Batch(Claimed(1, 0, 1), [Due(1, 0, 1, "a@members.example", "", True, 0)], placed=True)]


class Wire:
    """A connection to a server that is gone: what is sent fails, or is never answered."""

    def __init__(self, breaks: bool) -> None:
        self.breaks, self.closed, self.socket = breaks, False, 0
        self.pgconn = self

    def send_query_prepared(self, *_: object) -> None: ...

    def pipeline_sync(self) -> None: ...

    def flush(self) -> int:
        if self.breaks:
            raise psycopg.OperationalError("the server closed the connection")
        return 0

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("breaks", [True, False])
def test_a_server_that_is_gone_is_told_and_not_waited_for(breaks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "ANSWER_SECONDS", 0.05, raising=False)
    wire = Wire(breaks)

    async def write() -> None:
        written = Ledger()
        written._connection = wire  # type: ignore[assignment]
        async with asyncio.timeout(60):
            await written.write(BATCH, 60)

    with pytest.raises(LedgerError):
        asyncio.run(write())
    assert wire.closed
