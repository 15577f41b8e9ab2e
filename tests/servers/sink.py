"""A recording SMTP server that misbehaves by script: every accepted (MAIL FROM, RCPT, data) is kept in order."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple


class Taken(NamedTuple):
    """A message the sink answered 250 to (or took and dropped the connection before its answer: ``answered`` False)."""

    sender: str
    recipient: str
    message_id: str
    data: bytes
    answered: bool = True


@dataclass
class Session:
    """One connection: its number, the mail under way, and how many messages it took."""

    number: int
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    taken: int = 0
    mailed: bool = False  # MAIL was accepted
    secured: bool = False
    data: bytes = b""
    commands: list[str] = field(default_factory=list)
    said: str = ""  # the last answer
    kept: bool = False  # the last answer was a cut, the message counts as taken


class Drop(NamedTuple):
    """Cut the connection; ``first`` is said before. With ``keep`` the message counts as taken."""

    first: str = ""
    keep: bool = False


class Silent(NamedTuple):
    """Answer nothing any more; the connection ends at ``release``."""


Script = Callable[[str, str, Session], "str | bytes | Drop | Silent | None"]
"""(event, argument, session) -> what to answer instead; None: behave. Events: CONNECT EHLO STARTTLS AUTH MAIL RCPT DATA
(the command) BODY (the end of the data) RSET."""

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Sink:
    """On a thread of its own, on a free port of ``host``.

    ``extensions``: EHLO words; "STARTTLS" needs ``context``. ``users``: user -> password for AUTH. ``pause``: seconds before
    every answer. ``limit``: once it has taken so many messages, whoever wants to hand over another one waits until it is raised.
    """

    def __init__(
        self, script: Script | None = None, *, extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000"), context: ssl.SSLContext | None = None,
        implicit: bool = False, port: int = 0, users: dict[str, str] | None = None, keep_data: bool = True, host: str = "127.0.0.1", pause: float = 0.0,
    ) -> None:  # fmt: skip
        self.script, self.extensions, self.context, self.implicit, self.users = script, extensions, context, implicit, users or {}
        self.port, self.keep_data, self.host, self.pause = port, keep_data, host, pause
        self.taken: list[Taken] = []
        self.sessions: list[Session] = []
        self.open = self.most_open = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._released = asyncio.Event()
        self.silent = 0  # connections that get no answer
        self.limit: float = inf

    def __enter__(self) -> Sink:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def release(self) -> None:
        """End the connections that got no answer; nobody else is left without one."""
        self._loop.call_soon_threadsafe(self._released.set)

    def cut(self) -> None:
        """End every connection, as a restart does."""
        self._call(self._cut())

    # --- what was seen ---

    def received(self) -> Counter[str]:
        """Recipient -> how often a message for it was taken."""
        return Counter(one.recipient for one in self.taken)

    def repeated(self) -> int:
        """Messages taken more than once for the same recipient with the same Message-ID."""
        return sum(number - 1 for number in Counter((one.recipient, one.message_id) for one in self.taken).values())

    # --- how ---

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    async def _start(self) -> None:
        tls = self.context if self.implicit else None
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=2**24, ssl=tls, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server
        self._server.close()
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=60)

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(len(self.sessions), secured=self.implicit)
        self.sessions.append(session)
        self._writers.add(writer)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._talk(session, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.transport.abort()

    async def _talk(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._answer(session, writer, "CONNECT", "", "220 sink.test ESMTP"):
            return
        while line := await reader.readline():
            words = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            session.commands.append(words)
            verb, _, rest = words.partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
                return
            if not await self._command(session, reader, writer, verb, rest):
                return

    async def _command(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verb: str, rest: str) -> bool:
        if verb in ("EHLO", "HELO"):
            words = [word for word in self.extensions if not (word == "STARTTLS" and session.secured)] if verb == "EHLO" else []
            lines = ["sink.test", *words]
            return await self._answer(session, writer, "EHLO", rest, "\r\n".join(f"250{' ' if n == len(lines) - 1 else '-'}{word}" for n, word in enumerate(lines)))
        if verb == "STARTTLS":
            if not await self._answer(session, writer, "STARTTLS", rest, "220 2.0.0 Go ahead"):
                return False
            if self.context and session.said.startswith("220"):
                await writer.start_tls(self.context)
                session.secured = True
            return True
        if verb == "AUTH":
            return await self._answer(session, writer, "AUTH", rest, await self._authenticate(reader, writer, rest))
        if verb == "MAIL":
            found = re.match(r"FROM:<([^>]*)>", rest, re.IGNORECASE)
            fine = await self._answer(session, writer, "MAIL", rest, "250 2.1.0 Ok" if found else "501 5.5.4 Syntax")
            session.mailed = session.said.startswith("250")
            if session.mailed:
                session.sender, session.recipients = found[1] if found else "", []
            return fine
        if verb == "RCPT":
            found = re.match(r"TO:<([^>]*)>", rest, re.IGNORECASE)
            fine = await self._answer(session, writer, "RCPT", found[1] if found else rest, "503 5.5.1 MAIL first" if not session.mailed else "250 2.1.5 Ok" if found else "501 5.5.4 Syntax")
            if session.said.startswith("250") and found:
                session.recipients.append(found[1])
            return fine
        if verb == "DATA":
            fine = await self._answer(session, writer, "DATA", "", "354 End data with <CR><LF>.<CR><LF>" if session.recipients else "554 5.5.1 No valid recipients")
            return await self._body(session, reader, writer) if fine and session.said.startswith("354") else fine
        if verb == "RSET":
            session.recipients = []
            return await self._answer(session, writer, "RSET", rest, "250 2.0.0 Ok")
        return await self._answer(session, writer, verb, rest, "502 5.5.2 Unknown command")

    async def _authenticate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: str) -> str:
        import base64

        kind, _, word = rest.partition(" ")
        if kind.upper() == "PLAIN":
            _, user, password = base64.b64decode(word).decode().split("\0")
        else:
            secrets = []
            for question in ("Username:", "Password:"):
                writer.write(b"334 " + base64.b64encode(question.encode()) + b"\r\n")
                secrets.append(base64.b64decode(await reader.readline()).decode())
            user, password = secrets
        return "235 2.7.0 Welcome" if self.users.get(user) == password else "535 5.7.8 Wrong user or password"

    async def _body(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line)
        data = b"".join(lines)
        session.data = data
        before = len(self.taken)
        found = _MESSAGE_ID.search(data)
        took = [Taken(session.sender, one, found[1].decode("ascii", "replace") if found else "", data if self.keep_data else b"") for one in session.recipients]
        self.taken += took
        fine = await self._answer(session, writer, "BODY", "", "250 2.0.0 Ok: queued" if took else "554 5.5.1 No valid recipients")
        session.recipients = []
        if session.kept:
            self.taken[before : before + len(took)] = [one._replace(answered=False) for one in took]
        elif not session.said.startswith("250"):
            for one in took:
                self.taken.remove(one)
        else:
            session.taken += 1
        return fine

    async def _answer(self, session: Session, writer: asyncio.StreamWriter, event: str, argument: str, usual: str) -> bool:
        """Say what the script wants, else the usual; False: the connection ends. ``_said`` is what was said."""
        if self.pause:
            await asyncio.sleep(self.pause)
        while event == "MAIL" and len(self.taken) >= self.limit:
            await asyncio.sleep(0.01)
        wanted = self.script(event, argument, session) if self.script else None
        session.kept = isinstance(wanted, Drop) and wanted.keep
        if isinstance(wanted, Silent):
            session.said = ""
            self.silent += 1
            await self._released.wait()
            self.silent -= 1
            return False
        if isinstance(wanted, Drop):
            session.said = wanted.first
            if wanted.first:
                writer.write(wanted.first.encode() + b"\r\n")
                await writer.drain()
            return False
        session.said = usual if wanted is None else wanted.decode("latin-1") if isinstance(wanted, bytes) else wanted
        writer.write(wanted if isinstance(wanted, bytes) else session.said.encode() + b"\r\n")
        await writer.drain()
        return True
