"""The open door: sessions, their number, their memory, their time, and how all of it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import cast

from colporteur.adapters.sources.lmtp import Intake
from colporteur.adapters.sources.lmtp.body import Room
from colporteur.adapters.sources.lmtp.dialogue import GONE, Session

IDLE_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7: a server waits at least 5 minutes for a command
ROOM_SECONDS = 30.0


class Listener:
    """At most ``connections`` sessions, at most ``room`` bytes of messages in memory.

    ``max_size``: bytes of one message, announced as SIZE. A session that says nothing for ``idle`` seconds is closed.
    A message for which there is no room waits up to ``patience`` seconds for others to be finished.
    """

    def __init__(self, intake: Intake, *, max_size: int, hostname: str = "", connections: int = 200, room: int = 0, idle: float = IDLE_SECONDS, patience: float = ROOM_SECONDS) -> None:
        self.intake, self.max_size, self.connections, self.idle, self.patience = intake, max_size, connections, idle, patience
        self.hostname = hostname or socket.gethostname()
        words = (self.hostname, "PIPELINING", f"SIZE {max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
        self.hello = "".join([*(f"250-{word}\r\n" for word in words[:-1]), f"250 {words[-1]}\r\n"]).encode()
        self.room = Room(max(room or 128 * 1024 * 1024, 2 * max_size))
        self.draining = False
        self.sessions: set[Session] = set()
        self._server: asyncio.Server | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._left = asyncio.Event()

    async def open(self, host: str, port: int) -> int:
        """Listen; the port (of use when ``port`` is 0). Raises ``OSError`` when the place is taken."""
        self._server = await asyncio.get_running_loop().create_server(self._session, host, port, backlog=512)
        self._expire()
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self, seconds: float) -> None:
        """Drain: running transactions are finished within ``seconds``, new ones are told 421, then nobody is left."""
        self.draining = True
        for session in [*self.sessions]:
            session.dismiss_if_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.sessions:
                    self._left.clear()
                    await self._left.wait()
        if self._watch:
            self._watch.cancel()
        if self._server:
            self._server.close()
        for session in [*self.sessions]:
            session.abort()

    def left(self, session: Session) -> None:
        """A session is over."""
        self.sessions.discard(session)
        self._left.set()

    def _session(self) -> asyncio.Protocol:
        if self.draining or len(self.sessions) >= self.connections:
            return _Refusal(GONE if self.draining else "421 4.3.2 Too many connections, come back soon")
        session = Session(self)
        self.sessions.add(session)
        return session

    def _expire(self) -> None:
        """Close who kept us waiting too long; one timer for all sessions."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for session in [*self.sessions]:
            if session.deadline < now and not session.waits:
                session.abort()
        self._watch = loop.call_later(min(1.0, self.idle / 4), self._expire)


class _Refusal(asyncio.Protocol):
    """A connection we have no place for: one line, and good-bye."""

    def __init__(self, line: str) -> None:
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast(asyncio.WriteTransport, transport)  # uvloop's is none
        wire.write(self._line.encode() + b"\r\n")
        wire.close()
