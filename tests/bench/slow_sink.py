"""An SMTP server that takes everything and answers each portion of commands only after a while, as from far away:
``python -m tests.bench.slow_sink PORT SECONDS``."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

_REPLIES = {b"MAIL": b"250 2.1.0 Ok\r\n", b"RCPT": b"250 2.1.5 Ok\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 2.0.0 Bye\r\n"}


class Dialogue(asyncio.Protocol):
    """One client."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.held, self.in_data = seconds, b"", False
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet late, too."""
        self.wire = cast(asyncio.Transport, transport)
        self._answer(b"220 slow ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """All replies to one portion leave together."""
        held, replies = self.held + data, b""
        while held:
            if self.in_data:
                end = 0 if held.startswith(b".\r\n") else held.find(b"\r\n.\r\n") + 2
                if end == 1:
                    break
                held, self.in_data = held[end + 3 :], False
                replies += b"250 2.0.0 Ok\r\n"
            else:
                line, found, rest = held.partition(b"\r\n")
                if not found:
                    break
                word, held = line[:4].upper(), rest
                self.in_data = word == b"DATA"
                replies += b"250-slow\r\n250-PIPELINING\r\n250 8BITMIME\r\n" if word == b"EHLO" else _REPLIES.get(word, b"250 2.0.0 Ok\r\n")
        self.held = held
        if replies:
            self._answer(replies)

    def _answer(self, replies: bytes) -> None:
        self.loop.call_later(self.seconds, self._send, replies)

    def _send(self, replies: bytes) -> None:
        if not self.wire.is_closing():
            self.wire.write(replies)


async def main(port: int, seconds: float) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Dialogue(seconds), "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
