"""A folder of .eml files: for the demo, for tests, for looking at what would leave.

A file appears whole or not at all; its first lines are the envelope (Return-Path, Delivered-To).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from colporteur.adapters.transports import Feed, Outcome, Outgoing, Result, Stage, Traits, Trouble, undotted

_AT_ONCE = 50


def open_url(url: str, connections: int) -> FolderTransport:  # noqa: ARG001  one shape for every kind
    """A transport for ``folder:///path``; raises ``ValueError``."""
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/") or "\x00" in unquote(parts.path):
        raise ValueError("a folder transport needs an absolute path: write folder:///var/spool/outbox")
    return FolderTransport(Path(unquote(parts.path)))


class FolderTransport:
    """Writes each copy as ``<nanoseconds>-<mailing>-<address>-<number>.eml``; names sort by time."""

    traits = Traits()
    recipients = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = itertools.count()
        self._closed = False

    async def run(self, feed: Feed) -> None:
        """See ``Transport.run``."""
        while not (feed.closed or self._closed):
            feed.changed.clear()
            batch: list[Outgoing] = []
            while len(batch) < _AT_ONCE and not feed.shut and (copy := feed.take()) is not None:
                batch.append(copy)
            if not batch:
                await feed.changed.wait()
                continue
            written, error = await asyncio.to_thread(self._write, batch)
            for number, copy in enumerate(batch):
                if number < written:
                    feed.accepted(copy)
                else:
                    for index in range(len(copy.recipients)):
                        feed.settle(Outcome(copy, index, Result.UNSENT, 0, ""))
            if error:
                raise Trouble(Stage.CONNECT, 0, error)

    async def check(self) -> str:
        """See ``Transport.check``."""
        try:
            await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
            writable = os.access(self.folder, os.W_OK)
        except OSError as error:
            raise Trouble(Stage.CONNECT, 0, str(error)) from error
        if not writable:
            raise Trouble(Stage.CONNECT, 0, f"{self.folder} cannot be written to")
        return f"files are written to {self.folder}"

    async def close(self) -> None:
        """See ``Transport.close``."""
        self._closed = True

    def _write(self, batch: list[Outgoing]) -> tuple[int, str]:
        """How many were written, and why not more."""
        for number, copy in enumerate(batch):
            name = f"{time.time_ns():020}-{copy.key[0]}-{copy.key[1]}-{next(self._number)}.eml"
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                temporary = self.folder / f".{name}.{os.getpid()}"
                temporary.write_bytes(_file(copy))
                temporary.replace(self.folder / name)
            except OSError as error:
                return number, str(error)
        return len(batch), ""


def _file(copy: Outgoing) -> bytes:
    """The message without its transport dots, the envelope in front."""
    return b"Return-Path: <%b>\r\n%b%b" % (copy.sender, b"".join(b"Delivered-To: %b\r\n" % one for one in copy.recipients), undotted(copy.wire))
