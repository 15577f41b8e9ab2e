"""One connection to a mail server until mail may be sent: greeting, EHLO, TLS, AUTH; and the reading of replies."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import deque
from typing import cast

from colporteur.adapters.masking import masked
from colporteur.adapters.transports import Stage, Trouble
from colporteur.adapters.transports.smtp.options import Options, Timeouts

_MOST_REPLY = 64 * 1024  # octets of one reply; more is no mail server
_MOST_TEXT = 1000  # characters of a reply that are kept


class Dialogue(asyncio.Protocol):
    """``open`` talks until mail may be sent; replies then go to ``_answered``, in any portions."""

    def __init__(self, options: Options, timeouts: Timeouts) -> None:
        self.options, self.timeouts = options, timeouts
        self.loop = asyncio.get_running_loop()
        self.wire: asyncio.Transport | None = None
        self.extensions: dict[str, str] = {}
        self.pipelining = self.eight_bit = self.utf8 = self.sized = False
        self.size_limit = 0
        self._rest = b""
        self._lines: list[bytes] = []
        self._talking = True  # before mail: replies are handed to whoever asked
        self._replies: deque[tuple[int, str]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._farewell = (0, "the server closed the connection")
        self._lost = False

    async def open(self) -> str:
        """Connect, greet, secure and authenticate; what the server said. Raises ``Trouble``."""
        options, times = self.options, self.timeouts
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
            async with asyncio.timeout(self.timeouts.connect):
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
        return await self._reply(self.timeouts.command, stage)

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

    # --- replies ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP_NODELAY is set by asyncio and uvloop on every TCP connection."""
        self.wire = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Replies, in any portions."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if data[-1:] != b"\n":
            data, _, self._rest = data.rpartition(b"\n") if b"\n" in data else (b"", b"", data)
            if len(self._rest) > _MOST_REPLY:
                self._hang_up(0, "the server sends no lines")
                return
        self._feed(data)

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
                self._hang_up(0, f"not a reply: {text_of([b'    ' + line])}")
                return
            if self._talking:
                self._replies.append((code, "\n".join(text_of([one]) for one in lines)))
                self._wake()
            else:
                self._answered(code, lines)
            if self._lost:
                return
            lines = self._lines

    def _answered(self, code: int, lines: list[bytes]) -> None:
        """A reply after mail began."""
        raise NotImplementedError

    def _hang_up(self, code: int, text: str) -> None:
        """Nothing more is to be expected of this connection."""
        self._farewell = (code, text)
        if self.wire and not self._lost:
            self.wire.abort()
            self.connection_lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever waits is told."""
        self._lost = True
        code, text = self._farewell
        if error is not None and code == 0:
            self._farewell = (0, str(error) or text)
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

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


def text_of(lines: list[bytes]) -> str:
    """Words of a reply on one line, printable, bounded."""
    words = " ".join(line[4:].strip().decode("utf-8", "replace") for line in lines)
    return "".join(c if c.isprintable() else "?" for c in words)[:_MOST_TEXT]
