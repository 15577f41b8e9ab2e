"""One LMTP dialogue as an ``asyncio.Protocol``: no task, no timer and one write for all replies to one portion of input.

Whatever portions the bytes come in, the replies are the same. Nothing waits but for a decision of the intake, for
memory, or for a client that does not read its replies; meanwhile what it sends further is read up to a bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, cast

from colporteur.adapters.sources.lmtp import MAX_RECIPIENTS, Answer, Intake
from colporteur.adapters.sources.lmtp.body import Body, Room
from colporteur.adapters.sources.lmtp.commands import RefusedError, recipient, sender

log = logging.getLogger("colporteur.lmtp")
T = TypeVar("T")

GONE = "421 4.3.2 Closing for a moment, come back soon"
_TROUBLE: Answer = (451, "4.3.0 Our trouble, not yours: try again later")
_NO_ROOM: Answer = (451, "4.3.1 Too much mail at once: try again later")
_LONGEST = 2048  # octets of a command; RFC 5321 section 4.5.3.1.4 asks for 512
_AHEAD = 128 * 1024  # octets that are read while something is decided
_TURN = 200  # commands before other sessions have their turn
_NONSENSE = 5  # commands nobody knows, then the session is closed: that is no mail server
_SLOWEST = 1000  # octets a second of data; who is slower is closed after the idle time


class Owner(Protocol):
    """What a dialogue needs of its listener."""

    intake: Intake
    room: Room
    max_size: int
    hostname: str
    idle: float
    patience: float
    draining: bool
    hello: bytes

    def left(self, session: Session) -> None: ...


class Session(asyncio.Protocol):
    """One client. ``deadline``: loop time by which it must have said more."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.loop = asyncio.get_running_loop()
        self.deadline = self.loop.time() + owner.idle
        self.wire: asyncio.Transport | None = None
        self._input, self._at = b"", 0  # what came, and how far it is read
        self._replies: list[bytes] = []
        self._waits: asyncio.Future[None] | None = None  # for a decision, or for its turn
        self._clogged = self._paused = self._ended = self._closing = self._lost = False
        self._cutting = False  # in the middle of a command that is too long
        self._greeted = False
        self._sender: str | None = None
        self._declared = 0
        self._recipients: list[str] = []
        self._body: Body | None = None
        self._began = 0.0  # of the data
        self._nonsense = 0

    # --- the wire ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire = cast(asyncio.Transport, transport)
        self.wire.write(b"220 %b LMTP Colporteur\r\n" % self.owner.hostname.encode())

    def data_received(self, data: bytes) -> None:
        self._input = self._input[self._at :] + data if self._at < len(self._input) else data
        self._at = 0
        if self._waits is None and not self._clogged:
            self._advance()
        elif len(self._input) > _AHEAD and not self._paused and self.wire:
            self._paused = True
            self.wire.pause_reading()

    def eof_received(self) -> bool:
        """Nothing more comes; what is being decided is still answered. Half a message is never taken."""
        self._ended = True
        if self._waits is None and not self._clogged:
            self._close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self.owner.left(self)
        if self._waits is None:
            self._release()

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        if self._waits is None:
            self._advance()

    @property
    def waits(self) -> bool:
        """Whether the client waits for us, not we for it."""
        return self._waits is not None

    def dismiss_if_idle(self) -> None:
        """Say 421 and close, unless a transaction is running."""
        if self._sender is None and self._body is None and self._waits is None:
            self._say(GONE)
            self._close()

    def abort(self) -> None:
        """Close at once."""
        if self.wire and not self._lost:
            self.wire.abort()
        if self._waits is None:
            self._release()

    def _close(self) -> None:
        """Say what is to be said, and no more."""
        self._flush()
        self._closing = True
        if self.wire and not self._lost:
            self.wire.close()

    def _say(self, reply: str) -> None:
        self._replies.append(reply.encode("utf-8", "replace") + b"\r\n")

    def _refuse(self, answer: Answer) -> None:
        self._say(f"{answer[0]} {answer[1]}")

    def _flush(self) -> None:
        if self._replies and self.wire and not self._lost and not self._closing:
            self.wire.write(b"".join(self._replies))
        self._replies.clear()

    # --- going on ---------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Read on until something must be waited for."""
        if self._closing or self._lost:
            return
        for _ in range(_TURN):
            if self._at >= len(self._input) or self._closing or not (self._take_data() if self._body else self._take_line()):
                break
        else:
            self._wait(asyncio.sleep(0), lambda _: None)
        self._flush()
        if self._waits is not None:
            return
        if self.owner.draining and self._sender is None and self._body is None and not self._closing:
            self._leave()
        elif self._ended and not self._clogged:
            self._close()
        elif self._paused and self.wire and not self._lost:
            self._paused = False
            self.wire.resume_reading()

    def _wait(self, answer: Awaitable[T], then: Callable[[asyncio.Future[T]], None]) -> None:
        """Go on with ``then`` when the answer is there."""
        future = asyncio.ensure_future(answer)
        self._waits = cast("asyncio.Future[None]", future)
        future.add_done_callback(lambda done: self._answered(done, then))

    def _answered(self, done: asyncio.Future[T], then: Callable[[asyncio.Future[T]], None]) -> None:
        self._waits = None
        self._renew()
        then(done)
        if self._lost:
            self._release()
        elif self._waits is None and not self._clogged:
            self._advance()

    def _renew(self) -> None:
        self.deadline = self.loop.time() + self.owner.idle

    # --- commands ---------------------------------------------------------------------------------------------------

    def _take_line(self) -> bool:
        """One command; False when there is none, or something is waited for."""
        end = self._input.find(b"\n", self._at)
        size = (len(self._input) if end < 0 else end) - self._at
        if end < 0:
            if size > _LONGEST:  # no longer kept; half a line does not renew the deadline
                self._cutting, self._input, self._at = True, b"", 0
            return False
        line = self._input[self._at : end].rstrip(b"\r")
        self._at = end + 1
        self._renew()
        if self._cutting or len(line) > _LONGEST:
            self._cutting = False
            self._unknown("Line too long")
            return True
        word, _, argument = line.partition(b" ")
        command = _COMMANDS.get(word.upper())
        if command is None:
            self._unknown("Unknown command")
        else:
            command(self, argument.strip().decode("utf-8", "surrogateescape"))
        return self._waits is None

    def _unknown(self, text: str) -> None:
        self._nonsense += 1
        if self._nonsense >= _NONSENSE:
            self._say("421 4.7.0 Too much that is no LMTP")
            self._close()
        else:
            self._say(f"500 5.5.1 {text}")

    def _hello(self, argument: str) -> None:
        if not argument:
            self._say("501 5.5.4 Syntax: LHLO hostname")
            return
        self._forget()
        self._greeted = True
        self._replies.append(self.owner.hello)

    def _mail(self, argument: str) -> None:
        if self.owner.draining:
            self._leave()
        elif not self._greeted:
            self._say("503 5.5.1 Say LHLO first")
        elif self._sender is not None:
            self._say("503 5.5.1 There is a sender already")
        else:
            try:
                address, size = sender(argument)
            except RefusedError as refused:
                self._refuse(refused.answer)
                return
            if size > self.owner.max_size:
                self._say("552 5.3.4 Message too big")
                return
            self._sender, self._declared = address, size
            self._replies.append(b"250 2.0.0 OK\r\n")

    def _rcpt(self, argument: str) -> None:
        if self._sender is None:
            self._say("503 5.5.1 Say MAIL first")
            return
        try:
            address = recipient(argument)
        except RefusedError as refused:
            self._refuse(refused.answer)
            return
        if len(self._recipients) >= MAX_RECIPIENTS:
            self._say("452 4.5.3 Too many recipients")
            return
        try:
            answer = self.owner.intake.known(address)
        except Exception:
            log.exception("recipient not looked up to=%s", address)
            answer = _TROUBLE
        if isinstance(answer, tuple):
            self._welcome(address, answer)
        else:
            self._flush()
            self._wait(answer, lambda done: self._welcome(address, _outcome(done, "recipient not looked up to=%s", address) or _TROUBLE))

    def _welcome(self, address: str, answer: Answer) -> None:
        if answer[0] == 250:
            self._recipients.append(address)
            self._replies.append(b"250 2.1.5 Go on\r\n")
        else:
            self._refuse(answer)

    def _rset(self, argument: str) -> None:
        if argument:
            self._say("501 5.5.4 Syntax: RSET")
            return
        self._forget()
        self._noop(argument)

    def _noop(self, _argument: str) -> None:
        self._replies.append(b"250 2.0.0 OK\r\n")

    def _vrfy(self, argument: str) -> None:
        self._say("252 2.5.0 Send mail and you will see" if argument else "501 5.5.4 Syntax: VRFY address")

    def _quit(self, argument: str) -> None:
        if argument:
            self._say("501 5.5.4 Syntax: QUIT")
            return
        self._say("221 2.0.0 Bye")
        self._close()

    def _leave(self) -> None:
        self._say(GONE)
        self._close()

    def _forget(self) -> None:
        self._sender, self._declared = None, 0
        self._recipients = []

    # --- data -------------------------------------------------------------------------------------------------------

    def _data(self, argument: str) -> None:
        """One reply for each accepted recipient will follow the data, whatever happens (RFC 2033 section 4.2)."""
        if argument:
            self._say("501 5.5.4 Syntax: DATA")
        elif not self._recipients:
            self._say("503 5.5.1 No valid recipients")
        elif self.owner.room.take(self._declared):
            self._go_ahead(True)
        else:
            self._flush()
            self._wait(self.owner.room.wait(self._declared, self.owner.patience), lambda done: self._go_ahead(_outcome(done, "no room") or False))

    def _go_ahead(self, room: bool) -> None:
        if not room:
            self._refuse(_NO_ROOM)
            return
        self._body, self._began = Body(self.owner.room, self.owner.max_size, self._declared), self.loop.time()
        self._replies.append(b"354 End data with <CR><LF>.<CR><LF>\r\n")

    def _take_data(self) -> bool:
        """What is there of the data; False when something is waited for."""
        assert self._body
        chunk = self._input[self._at :] if self._at else self._input
        lack = self._body.lacks(len(chunk))
        if lack and not self.owner.room.take(lack):
            self._flush()
            self._wait(self.owner.room.wait(lack, self.owner.patience), lambda done: self._has_room(lack, _outcome(done, "no room") or False))
            return False
        self._body.reserved(lack)
        self._input, self._at = b"", 0
        now = self.loop.time()
        rest = self._body.add(chunk)
        self.deadline = min(now, self._began + self._body.received / _SLOWEST) + self.owner.idle
        if rest is None:
            return False
        self._input = rest
        self._complete(self._body)
        return self._waits is None

    def _has_room(self, lack: int, room: bool) -> None:
        assert self._body
        if room:
            self._body.reserved(lack)
        else:
            self._body.refused = _NO_ROOM

    def _complete(self, body: Body) -> None:
        mail_from, recipients = self._sender or "", tuple(self._recipients)
        self._forget()
        if body.refused:
            log.info("refused from=%s code=%s size=%s", mail_from, body.refused[0], body.size)
            self._taken([body.refused] * len(recipients))
            return
        self._flush()
        try:
            answers = self.owner.intake.take(body.message(), mail_from, recipients)
        except Exception:
            log.exception("not taken from=%s size=%s", mail_from, body.size)
            self._taken([_TROUBLE] * len(recipients))
            return
        self._wait(answers, lambda done: self._taken(_outcome(done, "not taken from=%s size=%s", mail_from, body.size), len(recipients)))

    def _taken(self, answers: Sequence[Answer] | None, number: int = 0) -> None:
        if number and len(answers or ()) != number:
            if answers is not None:
                log.error("%d answers for %d recipients", len(answers), number)
            answers = [_TROUBLE] * number
        for answer in answers or ():
            self._refuse(answer)
        self._release()
        if self.owner.draining:
            self._leave()

    def _release(self) -> None:
        if self._body:
            self._body.release()
            self._body = None


def _outcome(done: asyncio.Future[T], words: str, *values: object) -> T | None:
    """What came of it; None, with a line in the log, when that was an error."""
    try:
        return done.result()
    except (Exception, asyncio.CancelledError) as error:
        log.error(words, *values, exc_info=error)
        return None


_COMMANDS: dict[bytes, Callable[[Session, str], None]] = {
    b"LHLO": Session._hello, b"MAIL": Session._mail, b"RCPT": Session._rcpt, b"DATA": Session._data, b"RSET": Session._rset,
    b"NOOP": Session._noop, b"VRFY": Session._vrfy, b"QUIT": Session._quit,
}  # fmt: skip
