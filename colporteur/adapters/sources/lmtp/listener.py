"""The LMTP listener: aiosmtpd's dialogue, with our own data phase.

Ours because aiosmtpd answers once for all recipients when a message is too large, a line too long or something raises,
refuses lines over 1,000 octets, and does not say PIPELINING. Lines may have any length here: the other doors take them
too. The data end at CRLF.CRLF and nowhere else; every other CR and LF is data (no SMTP smuggling).
Sources: RFC 2033, RFC 5321 sections 4.1.1.4 and 4.5.2, RFC 1870, RFC 2034, RFC 2920, RFC 6152, RFC 6531.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import re
import socket
from collections.abc import Sequence
from typing import Any, Protocol

from aiosmtpd.lmtp import LMTP

log = logging.getLogger("colporteur.lmtp")

IDLE_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7: a server waits at least 5 minutes for a command
ROOM_SECONDS = 30.0
MAX_RECIPIENTS = 100
_CHUNK = 128 * 1024
_END = b"\r\n.\r\n"
_GONE = "421 4.3.2 Closing for a moment, come back soon"
_TROUBLE = (451, "4.3.0 Our trouble, not yours: try again later")
_TOO_BIG = (552, "5.3.4 Message too big")
_NO_ROOM = (451, "4.3.1 Too much mail at once: try again later")
_PATH = re.compile(r'<(?:@[^:<>]*+:)?((?:"(?:[^"\\]|\\.)*+"|[^\s"<>\\])*+)>\s*(.*)', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENHANCED = re.compile(rb"[245]\d\d [245]\.\d{1,3}\.\d{1,3} ")
_DEFAULT_CODES = {
    b"421": b"4.3.2", b"451": b"4.3.0", b"452": b"4.5.3", b"500": b"5.5.1", b"501": b"5.5.4", b"502": b"5.5.1", b"503": b"5.5.1", b"552": b"5.3.4", b"553": b"5.1.3", b"555": b"5.5.4",
}  # fmt: skip

Answer = tuple[int, str]
"""Reply code, and text beginning with the enhanced status code."""


class Intake(Protocol):
    """Who decides. Both may raise: that is answered 451."""

    async def known(self, recipient: str) -> Answer:
        """Whether mail for this recipient is taken."""
        ...

    async def take(self, raw: bytes, mail_from: str, recipients: Sequence[str]) -> Sequence[Answer]:
        """Commit one message; one answer per recipient."""
        ...


class Room:
    """Bytes of messages that may be in memory at once, over all sessions."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._freed = asyncio.Condition()

    async def wait(self, size: int, seconds: float) -> bool:
        """Reserve ``size`` bytes, waiting up to ``seconds`` for others to finish; False when there is no room by then."""
        if self.used + size > self.limit:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds), self._freed:
                    await self._freed.wait_for(lambda: self.used + size <= self.limit)
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    async def give(self, size: int) -> None:
        """Give back."""
        self.used -= size
        async with self._freed:
            self._freed.notify_all()


class Listener:
    """The open door: at most ``connections`` sessions, at most ``room`` bytes of messages in memory.

    ``max_size``: bytes of one message, announced as SIZE. A session that says nothing for ``idle`` seconds is closed.
    A message for which there is no room waits up to ``patience`` seconds for others to be finished.
    """

    def __init__(self, intake: Intake, *, max_size: int, hostname: str = "", connections: int = 200, room: int = 0, idle: float = IDLE_SECONDS, patience: float = ROOM_SECONDS) -> None:
        self.intake, self.max_size, self.connections, self.idle, self.patience = intake, max_size, connections, idle, patience
        self.hostname = hostname or socket.gethostname()
        self.room = Room(max(room or 128 * 1024 * 1024, 2 * max_size))
        self.draining = False
        self.sessions: set[Session] = set()
        self._server: asyncio.Server | None = None
        self._left = asyncio.Event()

    async def open(self, host: str, port: int) -> int:
        """Listen; the port (of use when ``port`` is 0). Raises ``OSError`` when the place is taken."""
        self._server = await asyncio.get_running_loop().create_server(self._session, host, port, backlog=512)
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
            return _Refusal(_GONE if self.draining else "421 4.3.2 Too many connections, come back soon")
        return Session(self)


class _Refusal(asyncio.Protocol):
    """A connection we have no place for: one line, and good-bye."""

    def __init__(self, line: str) -> None:
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._line.encode() + b"\r\n")
        transport.close()


class _Hooks:
    """What aiosmtpd asks of its handler."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        try:
            code, text = await self._listener.intake.known(address)
        except Exception:
            log.exception("recipient not looked up to=%s", address)
            code, text = _TROUBLE
        if code == 250:
            envelope.rcpt_tos.append(address)
            text = "2.1.5 Go on"
        return f"{code} {text}"


class Session(LMTP):
    """One client."""

    line_length_limit = _CHUNK  # of the reader's buffer and of commands; the data are not read by lines
    command_size_limit = 2048
    command_size_limits: dict[str, int] = collections.defaultdict(lambda: 2048)

    def __init__(self, listener: Listener) -> None:
        super().__init__(
            _Hooks(listener), data_size_limit=listener.max_size, enable_SMTPUTF8=True, hostname=listener.hostname, ident="LMTP Colporteur",
            timeout=listener.idle, auth_exclude_mechanism=("LOGIN", "PLAIN"), loop=asyncio.get_running_loop(),
        )  # fmt: skip
        self._listener = listener
        self._in_data = False
        for command in ("AUTH", "STARTTLS", "EXPN", "HELP"):
            self._smtp_methods.pop(command, None)

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._listener.left(self)
        super().connection_lost(error)

    def dismiss_if_idle(self) -> None:
        """Say 421 and close, unless a transaction is running."""
        if self.transport is not None and not self._in_data and not (self.envelope and self.envelope.mail_from):
            self._writer.write(_GONE.encode() + b"\r\n")
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]

    # --- the dialogue ---

    async def push(self, status: str | bytes) -> None:
        """Send one reply line, with an enhanced status code (RFC 2034) where the library gave none."""
        line = status.encode("utf-8", "replace") if isinstance(status, str) else status
        if line[:1] in b"245" and not _ENHANCED.match(line) and line[:3] not in (b"220", b"251", b"252"):
            line = line[:4] + _DEFAULT_CODES.get(line[:3], line[:1] + b".0.0") + b" " + line[4:]
        await super().push(line)

    async def handle_exception(self, error: Exception) -> str:
        """A bug of ours is our trouble: 451."""
        log.error("session failed", exc_info=error)
        return f"{_TROUBLE[0]} {_TROUBLE[1]}"

    async def smtp_LHLO(self, arg: str | None) -> None:
        """What we can (RFC 2033 section 4.1)."""
        assert self.session
        if not arg:
            await self.push("501 5.5.4 Syntax: LHLO hostname")
            return
        self._set_rset_state()  # type: ignore[no-untyped-call]
        self.session.extended_smtp, self.session.host_name = True, arg
        words = (self.hostname, "PIPELINING", f"SIZE {self._listener.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
        await super().push("\r\n".join([*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}"]))

    async def smtp_MAIL(self, arg: str | None) -> None:
        """A new transaction, unless we are closing."""
        if self._listener.draining:
            await self._leave()
            return
        await super().smtp_MAIL(arg)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Path and parameters; ``<>`` for the null path, (None, None) when it cannot be read. The library's own reading
        takes square time and loses quotes."""
        found = _PATH.match(arg.strip())
        if not found or len(found[1]) > 1024 or _CONTROL.search(found[1]):
            return None, None
        return found[1] or "<>", found[2]

    async def smtp_DATA(self, arg: str | None) -> None:
        """The message, and one reply for each accepted recipient, whatever happens."""
        if await self.check_helo_needed():
            return
        assert self.envelope
        if not self.envelope.rcpt_tos or arg:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 No valid recipients")
            return
        declared = self._declared()
        if not await self._listener.room.wait(declared, self._listener.patience):
            await self.push(f"{_NO_ROOM[0]} {_NO_ROOM[1]}")
            return
        self._in_data = True
        body = _Body(self._listener.room, self._listener.max_size, declared)
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._read(body)
            recipients, mail_from = tuple(self.envelope.rcpt_tos), self.envelope.mail_from or ""
            self._set_post_data_state()  # type: ignore[no-untyped-call]
            answers = await self._answers(body, "" if mail_from == "<>" else mail_from, recipients)
            await super().push("\r\n".join(f"{code} {text}" for code, text in answers))
        finally:
            self._in_data = False
            await body.release()
        if self._listener.draining:
            await self._leave()

    # --- how ---

    async def _leave(self) -> None:
        await self.push(_GONE)
        if self.transport is not None:
            self.transport.close()

    def _declared(self) -> int:
        assert self.envelope
        sizes = [option[5:] for option in self.envelope.mail_options if option.startswith("SIZE=")]
        return int(sizes[0]) if sizes and sizes[0].isdigit() else 0

    async def _read(self, body: _Body) -> None:
        while True:
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                raise ConnectionResetError  # aiosmtpd cancels us at the end of the stream; never take half a message
            self._reset_timeout()
            await body.make_room(len(chunk), self._listener.patience)
            if (rest := body.add(chunk)) is not None:
                # What a pipelining client sent after the end are its next commands; asyncio has no public way to put them back.
                self._reader._buffer[:0] = rest  # type: ignore[attr-defined]
                return

    async def _answers(self, body: _Body, mail_from: str, recipients: tuple[str, ...]) -> Sequence[Answer]:
        if body.refused:
            log.info("refused from=%s code=%s size=%s", mail_from, body.refused[0], body.size)
            return [body.refused] * len(recipients)
        try:
            answers = await self._listener.intake.take(body.message(), mail_from, recipients)
        except Exception:
            log.exception("not taken from=%s size=%s", mail_from, body.size)
            return [_TROUBLE] * len(recipients)
        if len(answers) != len(recipients):
            log.error("%d answers for %d recipients", len(answers), len(recipients))
            return [_TROUBLE] * len(recipients)
        return answers


class _Body:
    """The data of one message as they come. ``refused``: why they are no longer kept; reading goes on to their end."""

    def __init__(self, room: Room, max_size: int, reserved: int) -> None:
        self._room, self._max_size, self._reserved = room, max_size, reserved
        self._data = bytearray(b"\r\n")  # the line end of DATA itself: a lone dot may be the first line
        self.size = 0
        self.refused: Answer | None = None

    async def make_room(self, size: int, seconds: float) -> None:
        """Reserve memory for ``size`` more bytes; without any within ``seconds`` the message is refused for now."""
        grow = min(self.size + size, self._max_size) - self._reserved
        if self.refused or grow <= 0:
            return
        if await self._room.wait(grow, seconds):
            self._reserved += grow
        else:
            self.refused = _NO_ROOM

    def add(self, chunk: bytes) -> bytes | None:
        """Take a piece; what follows the end of the data when it was in there, else None."""
        before = len(self._data)
        self._data += chunk
        # The size of a message is without doubled dots (RFC 1870 section 5).
        self.size += len(chunk) - self._data.count(b"\r\n.", max(0, before - 2))
        end = self._data.find(_END, max(0, before - len(_END) + 1))
        rest = None
        if end >= 0:
            rest = bytes(self._data[end + len(_END) :])
            self.size -= len(rest) + 2 - self._data.count(b"\r\n.", end + 3)
            del self._data[end + 2 :]
        if self.refused is None and self.size > self._max_size + (0 if rest is not None else len(_END)):
            self.refused = _TOO_BIG
        if self.refused:
            del self._data[: max(0, len(self._data) - len(_END) + 1)]
        return rest

    def message(self) -> bytes:
        """The message, without the doubled dots (RFC 5321 section 4.5.2)."""
        plain = self._data.replace(b"\r\n.", b"\r\n")
        self._data.clear()
        return bytes(memoryview(plain)[2:])

    async def release(self) -> None:
        """Give its memory back."""
        self._data.clear()
        await self._room.give(self._reserved)
        self._reserved = 0
