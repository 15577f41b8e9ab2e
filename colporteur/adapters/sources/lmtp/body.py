"""The data of one message as they come, and the memory that all messages together may take."""

from __future__ import annotations

import asyncio

from colporteur.adapters.sources.lmtp import Answer

TOO_BIG = (552, "5.3.4 Message too big")
_END = b"\r\n.\r\n"


class Room:
    """Bytes of messages that may be in memory at once, over all sessions."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._waiting: dict[asyncio.Future[bool], int] = {}

    def take(self, size: int) -> bool:
        """Reserve ``size`` bytes when they are free now."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    async def wait(self, size: int, seconds: float) -> bool:
        """Reserve ``size`` bytes, waiting up to ``seconds`` for others to finish; False when there is no room by then."""
        if self.take(size):
            return True
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting[future] = size
        timer = loop.call_later(seconds, self._give_up, future)
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(future, None)

    def give(self, size: int) -> None:
        """Give back; who waits longest and fits now goes first."""
        self.used -= size
        for future, wanted in [*self._waiting.items()]:
            if not future.done() and self.take(wanted):
                del self._waiting[future]
                future.set_result(True)

    def _give_up(self, future: asyncio.Future[bool]) -> None:
        if not future.done():
            future.set_result(False)


class Body:
    """The data of one message. ``refused``: why they are no longer kept; reading goes on to their end."""

    def __init__(self, room: Room, max_size: int, reserved: int) -> None:
        self._room, self._max_size, self._reserved = room, max_size, reserved
        self._data = bytearray(b"\r\n")  # the line end of DATA itself: a lone dot may be the first line
        self.received = self.size = 0  # octets as they came; of the message
        self.refused: Answer | None = None

    def lacks(self, size: int) -> int:
        """Bytes of memory to reserve before ``size`` more are added; 0 when there is enough."""
        return 0 if self.refused else max(0, min(self.size + size, self._max_size) - self._reserved)

    def reserved(self, size: int) -> None:
        """So much more has been reserved for it."""
        self._reserved += size

    def add(self, chunk: bytes) -> bytes | None:
        """Take a piece; what follows the end of the data when it was in there, else None."""
        before = len(self._data)
        self._data += chunk
        self.received += len(chunk)
        # The size of a message is without doubled dots (RFC 1870 section 5).
        self.size += len(chunk) - self._data.count(b"\r\n.", max(0, before - 2))
        end = self._data.find(_END, max(0, before - len(_END) + 1))
        rest = None
        if end >= 0:
            rest = bytes(memoryview(self._data)[end + len(_END) :])
            self.size -= len(rest) + 2 - self._data.count(b"\r\n.", end + 3)
            del self._data[end + 2 :]
        if self.refused is None and self.size > self._max_size + (0 if rest is not None else len(_END)):
            self.refused = TOO_BIG
        if self.refused:
            del self._data[: max(0, len(self._data) - len(_END) + 1)]
        return rest

    def message(self) -> bytes:
        """The message, without the doubled dots (RFC 5321 section 4.5.2)."""
        plain = self._data.replace(b"\r\n.", b"\r\n")
        self._data.clear()
        return bytes(memoryview(plain)[2:])

    def release(self) -> None:
        """Give its memory back."""
        self._data.clear()
        reserved, self._reserved = self._reserved, 0
        self._room.give(reserved)
