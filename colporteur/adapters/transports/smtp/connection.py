"""One SMTP dialogue as an ``asyncio.Protocol``: no task, no timer and one write per message.

With PIPELINING (RFC 2920) the data of one message and MAIL, RCPT and DATA of the next leave in one write, as section
3.1 there allows; without it every command waits for its reply. Replies may come in any portions.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections import deque
from enum import IntEnum
from typing import Protocol, cast

from colporteur.adapters.masking import masked
from colporteur.adapters.transports import Outcome, Outgoing, Result, Stage, Trouble
from colporteur.adapters.transports.smtp.options import Options, Timeouts

_ADDRESS = re.compile(rb"[^\x00-\x20\x7f<>]{0,320}")  # nothing that could end a command or an argument
_ACCEPTED, _WELCOME = [b"250 ", b""], [b"250 ", b"250 ", b"354 ", b""]
_ALL = [b"250 ", *_WELCOME]
_MOST_REPLY = 64 * 1024  # octets of one reply; more is no mail server
_MOST_TEXT = 1000  # characters of a reply that are kept


class _Awaited(IntEnum):
    """Which reply comes next."""

    MAIL = 1
    RCPT = 2
    DATA = 3
    BODY = 4
    EMPTY = 5  # the lone dot that ends data nobody receives
    RSET = 6


_ENVELOPE, _BODY, _SENT = (_Awaited.MAIL, _Awaited.RCPT, _Awaited.DATA), _Awaited.BODY, Result.SENT  # hot: a look-up in an enumeration is slow


class Owner(Protocol):
    """What a dialogue needs of its pool."""

    timeouts: Timeouts
    checked: int

    def next_copy(self) -> Outgoing | None: ...
    def settle(self, outcome: Outcome) -> None: ...
    def took_back(self, copy: Outgoing, text: str, counts: bool) -> None: ...
    def refused_sender(self, trouble: Trouble) -> None: ...
    def idle(self, connection: Connection) -> None: ...
    def ended(self, connection: Connection, code: int, text: str, fruitless: bool) -> None: ...


class Connection(asyncio.Protocol):
    """One connection. ``open`` talks until mail may be sent, ``begin`` starts with a copy; from then on it takes the
    next copies from its owner by itself and reports each one's outcome."""

    def __init__(self, owner: Owner, options: Options) -> None:
        self.owner, self.options = owner, options
        self.loop = asyncio.get_running_loop()
        self.wire: asyncio.Transport | None = None
        self.deadline = float("inf")  # loop time by which the server must have answered
        self.accepted = 0  # messages
        self.extensions: dict[str, str] = {}
        self.pipelining = self.eight_bit = self.utf8 = self.sized = False
        self.size_limit = 0
        self._rest = b""
        self._lines: list[bytes] = []
        self._awaited: deque[_Awaited] = deque()
        self._talking = True  # before mail: replies are handed to whoever asked
        self._replies: deque[tuple[int, str]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._copy: Outgoing | None = None  # in the envelope
        self._sent: Outgoing | None = None  # its data are out, the reply is awaited
        self._refusal: tuple[int, str, bool] | None = None  # of the copy in the envelope; True: of its sender
        self._farewell = (0, "the server closed the connection")
        self._lost = False

    # --- before mail: greeting, EHLO, TLS, AUTH --------------------------------------------------------------------

    async def open(self) -> str:
        """Connect, greet, secure and authenticate; what the server said. Raises ``Trouble``."""
        options, times = self.options, self.owner.timeouts
        context = options.context() if options.tls == "ssl" else None
        try:
            async with asyncio.timeout(times.connect):
                await self.loop.create_connection(lambda: self, options.host, options.port, ssl=context, server_hostname=self._certified() if context else None)
        except ssl.SSLError as error:
            raise Trouble(Stage.TLS, 0, str(error), temporary=False) from error
        except (OSError, TimeoutError, UnicodeError) as error:
            raise Trouble(Stage.CONNECT, 0, f"{options.host}:{options.port}: {str(error) or 'no answer'}") from error
        code, greeting = await self._reply(times.greeting, Stage.GREETING)
        if code != 220:
            raise Trouble(Stage.GREETING, code, greeting)
        await self._hello()
        if options.tls == "starttls":
            await self._secure()
        if options.user:
            await self._authenticate()
        return greeting

    async def _hello(self) -> None:
        name = self.options.helo or self._own_name()
        code, text = await self._command(f"EHLO {name}", Stage.GREETING)
        if code // 100 == 5:
            code, text = await self._command(f"HELO {name}", Stage.GREETING)
            text = text.partition("\n")[0]
        if code != 250:
            raise Trouble(Stage.GREETING, code, text)
        self.extensions = {}
        for line in text.split("\n")[1:]:
            word, _, rest = line.partition(" ")
            self.extensions[word.upper()] = rest
        if (plain := next((word for word in self.extensions if word.startswith("AUTH=")), "")) and "AUTH" not in self.extensions:
            self.extensions["AUTH"] = f"{plain[5:]} {self.extensions[plain]}"  # old Exchange
        self.pipelining, self.eight_bit = "PIPELINING" in self.extensions, "8BITMIME" in self.extensions
        self.utf8, self.sized = "SMTPUTF8" in self.extensions, "SIZE" in self.extensions
        limit = self.extensions.get("SIZE", "").strip()
        self.size_limit = int(limit) if limit.isascii() and limit.isdigit() else 0

    def _own_name(self) -> str:
        """Our address as a literal (RFC 5321 section 4.1.3): true without any look-up."""
        assert self.wire
        host = str(self.wire.get_extra_info("sockname", ("127.0.0.1",))[0])
        return f"[IPv6:{host.partition('%')[0]}]" if ":" in host else f"[{host}]"

    def _certified(self) -> str:
        return self.options.host if self.options.verify else ""

    async def _secure(self) -> None:
        assert self.wire
        if "STARTTLS" not in self.extensions:
            raise Trouble(Stage.TLS, 0, "the server does not offer STARTTLS; if that is right write tls=none", temporary=False)
        code, text = await self._command("STARTTLS", Stage.TLS)
        if code != 220:
            raise Trouble(Stage.TLS, code, text)
        if self._rest or self._lines or self._replies:
            raise Trouble(Stage.TLS, 0, "the server spoke between STARTTLS and TLS: somebody may be in the line", temporary=False)
        try:
            async with asyncio.timeout(self.owner.timeouts.connect):
                secured = await self.loop.start_tls(self.wire, self, self.options.context(), server_hostname=self._certified())
        except (OSError, TimeoutError) as error:
            raise Trouble(Stage.TLS, 0, str(error) or "no answer", temporary=not isinstance(error, ssl.SSLError)) from error
        if secured is None:
            raise Trouble(Stage.TLS, 0, "the connection was closed")
        self.wire = secured
        await self._hello()

    async def _authenticate(self) -> None:
        offered = self.extensions.get("AUTH", "").upper().split()
        user, password = self.options.user, self.options.password
        if "PLAIN" in offered or not offered:
            code, text = await self._command(f"AUTH PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}", Stage.AUTH)
        elif "LOGIN" in offered:
            code, text = await self._command("AUTH LOGIN", Stage.AUTH)
            for secret in (user, password):
                if code == 334:
                    code, text = await self._command(_base64(secret), Stage.AUTH)
        else:
            raise Trouble(Stage.AUTH, 0, f"the server offers none of PLAIN and LOGIN but {' '.join(offered)}", temporary=False)
        if code != 235:
            raise Trouble(Stage.AUTH, code, masked(text, user, password))

    async def _command(self, line: str, stage: Stage) -> tuple[int, str]:
        if self.wire is None or self._lost:
            raise Trouble(stage, *self._farewell)
        self.wire.write(line.encode("ascii") + b"\r\n")
        return await self._reply(self.owner.timeouts.command, stage)

    async def _reply(self, seconds: float, stage: Stage) -> tuple[int, str]:
        if not self._replies and not self._lost:
            self._waiter = self.loop.create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                raise Trouble(stage, 0, f"no answer for {seconds:.0f} seconds") from None
            finally:
                self._waiter = None
        if not self._replies:
            raise Trouble(stage, *self._farewell)
        return self._replies.popleft()

    # --- mail -------------------------------------------------------------------------------------------------------

    def begin(self, copy: Outgoing) -> None:
        """Send ``copy``, then whatever the owner has next."""
        self._talking = False
        self._next(b"", copy)

    def _next(self, before: bytes, copy: Outgoing | None) -> None:
        """Write ``before`` and the envelope of the next copy that can be sent, in one write; idle when there is none."""
        envelope = b""
        while copy is not None:
            refusal = self._impossible(copy)
            if refusal is None:
                envelope = self._envelope(copy)
                break
            self.owner.settle(Outcome(copy.key, Result.FAILED, *refusal))
            copy = self.owner.next_copy()
        self._copy, self._refusal = copy, None
        if before or envelope:
            assert self.wire
            self.wire.write(before + envelope)
        if copy is not None and self._sent is None:
            self.deadline = self.loop.time() + self.owner.timeouts.command
        elif copy is None and not self._awaited:
            self.deadline = float("inf")
            self.owner.idle(self)

    def _impossible(self, copy: Outgoing) -> tuple[int, str] | None:
        """Why this server can never take the copy, as a reply; None when it may."""
        if not copy.recipient or not _ADDRESS.fullmatch(copy.recipient) or not _ADDRESS.fullmatch(copy.sender):
            return 553, "5.1.3 not an address that can be sent"
        if copy.key[0] != self.owner.checked:  # the first copy of a mailing stands for all: they differ in checked values only
            if not _in_lines(copy.wire):
                return 554, "5.6.0 the message is not in lines that can be sent"
            self.owner.checked = copy.key[0]
        if self.size_limit and len(copy.wire) > self.size_limit:
            return 552, f"5.3.4 {len(copy.wire)} bytes, the server takes at most {self.size_limit}"
        if not self.utf8 and (copy.utf8 or not copy.recipient.isascii()):
            return 553, "5.6.7 the address or the headers need SMTPUTF8, which the server does not offer"
        return None

    def _envelope(self, copy: Outgoing) -> bytes:
        parameters = b" SIZE=%d" % len(copy.wire) if self.sized else b""
        if self.eight_bit and not copy.wire.isascii():
            parameters += b" BODY=8BITMIME"  # a server without it gets the eight bits nevertheless, as from everybody
        if copy.utf8 or not copy.recipient.isascii():
            parameters += b" SMTPUTF8"
        if self.pipelining:
            self._awaited += _ENVELOPE
            return b"MAIL FROM:<%b>%b\r\nRCPT TO:<%b>\r\nDATA\r\n" % (copy.sender, parameters, copy.recipient)
        self._awaited.append(_Awaited.MAIL)
        return b"MAIL FROM:<%b>%b\r\n" % (copy.sender, parameters)

    def _answered(self, code: int, lines: list[bytes]) -> None:
        if not self._awaited:
            self._hang_up(code, _text(lines))  # unasked: 421 before it closes, or nonsense
            return
        awaited = self._awaited.popleft()
        if awaited is _Awaited.BODY:
            self._body_answered(code, lines)
        elif code == 421:
            self._refusal = (421, "", True) if awaited is _Awaited.MAIL else None
            self._hang_up(code, _text(lines))
        elif awaited is _Awaited.DATA:
            self._data_answered(code, lines)
        elif awaited is _Awaited.MAIL or awaited is _Awaited.RCPT:
            if code // 100 != 2 and self._refusal is None:
                self._refusal = code, _text(lines), awaited is _Awaited.MAIL
            if not self.pipelining:
                self._step(awaited)
        elif awaited is _Awaited.EMPTY:
            self._refuse()
        elif self._copy is None and not self._awaited:  # RSET
            self._next(b"", self.owner.next_copy())

    def _step(self, awaited: _Awaited) -> None:
        """The next command of an envelope, one at a time."""
        assert self.wire and self._copy
        if self._refusal:
            self._refuse(reset=True)
            return
        following = _Awaited.RCPT if awaited is _Awaited.MAIL else _Awaited.DATA
        self._awaited.append(following)
        self.wire.write(b"RCPT TO:<%b>\r\n" % self._copy.recipient if following is _Awaited.RCPT else b"DATA\r\n")
        self.deadline = self.loop.time() + (self.owner.timeouts.command if following is _Awaited.RCPT else self.owner.timeouts.data)

    def _data_answered(self, code: int, lines: list[bytes]) -> None:
        assert self._copy and self.wire
        if code != 354:
            self._refusal = self._refusal or (code, _text(lines), False)
            self._refuse(reset=True)
        elif self._refusal:
            # DATA accepted although nobody is there to receive: end it at once (RFC 2920 section 3.1).
            self._awaited.append(_Awaited.EMPTY)
            self.wire.write(b".\r\n")
        else:
            self._send_data()

    def _send_data(self) -> None:
        """The data of the copy in the envelope and, where pipelining is allowed, the next envelope behind them."""
        assert self._copy
        copy = self._sent = self._copy
        self._awaited.append(_BODY)
        times = self.owner.timeouts
        self.deadline = self.loop.time() + times.accept + len(copy.wire) / times.slowest
        self._next(copy.wire + b".\r\n", self.owner.next_copy() if self.pipelining else None)

    def _body_answered(self, code: int, lines: list[bytes]) -> None:
        assert self._sent
        copy, self._sent = self._sent, None
        kind = code // 100
        if kind == 2:
            self.accepted += 1
            self.owner.settle(Outcome(copy.key, Result.SENT, code, _text(lines)))
        else:
            self.owner.settle(Outcome(copy.key, Result.FAILED if kind == 5 else Result.DEFERRED, code, _text(lines)))
        if code == 421:
            self._hang_up(code, _text(lines))
        elif self._copy is None:
            self._next(b"", self.owner.next_copy())
        else:
            self.deadline = self.loop.time() + self.owner.timeouts.command

    def _refuse(self, reset: bool = False) -> None:
        """The copy in the envelope was refused before its data; go on with the next."""
        assert self._copy and self._refusal
        copy, (code, text, of_sender) = self._copy, self._refusal
        self._copy = None
        if of_sender and code not in (552, 553 if copy.utf8 else 552):
            self.owner.refused_sender(Trouble(Stage.SENDER, code, text, key=copy.key))
            self.owner.took_back(copy, text, counts=False)
        else:
            # 552 to RCPT counts as 452 (RFC 5321 section 4.5.3.1.10); to MAIL it says that the message is too large.
            final = code // 100 == 5 and (of_sender or code != 552)
            self.owner.settle(Outcome(copy.key, Result.FAILED if final else Result.DEFERRED, code, text))
        if reset:
            self._awaited.append(_Awaited.RSET)
        self._next(b"RSET\r\n" if reset else b"", self.owner.next_copy() if self.pipelining or not reset else None)

    # --- the wire ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP_NODELAY is set by asyncio and uvloop on every TCP connection."""
        self.wire = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Replies, in any portions."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        elif self._all_is_well(data):
            return
        if data[-1:] != b"\n":
            data, _, self._rest = data.rpartition(b"\n") if b"\n" in data else (b"", b"", data)
            if len(self._rest) > _MOST_REPLY:
                self._hang_up(0, "the server sends no lines")
                return
        self._feed(data)

    def _all_is_well(self, data: bytes) -> bool:
        """The usual answers to one write, taken in at one glance: data accepted; next sender, recipient and data welcome.
        They come in one portion or in these two. False: nothing was done, read the replies one by one. Hot."""
        if self._copy is None or self._lines or self._refusal is not None or self._talking:
            return False
        codes = [line[:4] for line in data.split(b"\r\n")]
        awaited = len(self._awaited)
        if self._sent is not None:
            if awaited != 4 or (codes != _ALL and codes != _ACCEPTED):
                return False
            sent, self._sent = self._sent, None
            self.accepted += 1
            self._awaited.popleft()
            self.deadline = self.loop.time() + self.owner.timeouts.command
            self.owner.settle(Outcome(sent.key, _SENT, 250, ""))
            if codes == _ACCEPTED:
                return True
        elif awaited != 3 or codes != _WELCOME:
            return False
        self._awaited.clear()
        self._send_data()
        return True

    def _feed(self, data: bytes) -> None:
        lines = self._lines
        for line in data.split(b"\n"):
            if not line:
                continue
            lines.append(line)
            if line[3:4] == b"-":
                if len(lines) > 1000:
                    self._hang_up(0, "the server's reply does not end")
                    return
                continue
            self._lines = []
            try:
                code = int(line[:3])
            except ValueError:
                code = 0
            if not 200 <= code < 600:
                self._hang_up(0, f"not a reply: {_text([b'    ' + line])}")
                return
            if self._talking:
                self._replies.append((code, "\n".join(_text([one]) for one in lines)))
                self._wake()
            else:
                self._answered(code, lines)
            if self._lost:
                return
            lines = self._lines

    def _hang_up(self, code: int, text: str) -> None:
        """Nothing more is to be expected of this connection."""
        self._farewell = (code, text)
        if self.wire and not self._lost:
            self.wire.abort()
            self.connection_lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Copies under way: UNKNOWN when their data were out, otherwise untouched."""
        if self._lost:
            return
        self._lost = True
        code, text = self._farewell
        if error is not None and code == 0:
            text = str(error) or text
            self._farewell = (0, text)
        self._wake()
        sent, self._sent = self._sent, None
        copy, self._copy = self._copy, None
        if sent is not None:
            self.owner.settle(Outcome(sent.key, Result.UNKNOWN, 0, f"the connection ended after the message was handed over, before the reply: {text}"))
        if copy is not None:
            self.owner.took_back(copy, text, counts=not (self._refusal and self._refusal[2]))
        self.owner.ended(self, code, text, fruitless=sent is not None or not self.accepted)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def expire(self) -> None:
        """Called when the deadline has passed."""
        self._hang_up(0, "the server did not answer in time")

    def cut(self) -> None:
        """End at once."""
        self._hang_up(0, "we ended the connection")

    def quit(self) -> None:
        """End politely; only when idle."""
        if self.wire and not self._lost:
            self.wire.write(b"QUIT\r\n")
            self.wire.close()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _in_lines(wire: bytes) -> bool:
    """Whether a message is in CRLF lines with stuffed dots: no bare CR or LF, nothing that could end the data early."""
    ends = wire.count(b"\r\n")
    whole = wire.endswith(b"\r\n") and wire.count(b"\r") == ends == wire.count(b"\n")
    return whole and wire.count(b"\n.") == wire.count(b"\n..") and (not wire.startswith(b".") or wire.startswith(b".."))


def _text(lines: list[bytes]) -> str:
    """Words of a reply on one line, printable, bounded."""
    words = " ".join(line[4:].strip().decode("utf-8", "replace") for line in lines)
    return "".join(c if c.isprintable() else "?" for c in words)[:_MOST_TEXT]
