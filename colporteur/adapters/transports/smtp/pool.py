"""The pool: connections opened as needed and kept, copies shared out among them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from colporteur.adapters.transports import Feed, Outcome, Outgoing, Result, Stage, Traits, Trouble
from colporteur.adapters.transports.smtp.connection import Connection
from colporteur.adapters.transports.smtp.options import Options, Timeouts

_DEATHS = 6  # connections lost in a row with nothing accepted in between: the server's trouble
_RETURNS = 2  # times a copy may come back from a connection that died under it before that counts as its own reply
_SHRUNK_SECONDS = 60.0  # how long a server's wish for fewer connections is respected
_MOST_RECIPIENTS = 50  # of one transaction: what hosts allow; every server takes 100 (RFC 5321 section 4.5.3.1.8)


class SmtpTransport:
    """Up to ``connections`` connections to one server."""

    traits = Traits()

    def __init__(self, options: Options, connections: int, timeouts: Timeouts | None = None) -> None:
        self.options, self.most = options, max(1, connections)
        self.timeouts = timeouts or Timeouts()
        self.checked = -1
        self._free: list[Connection] = []
        self._idle_since: dict[Connection, float] = {}
        self._all: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._again: deque[Outgoing] = deque()
        self._returned: Counter[tuple[int, int]] = Counter()
        self._limit, self._limited_until = self.most, 0.0
        self._deaths = 0
        self._trouble: Trouble | None = None
        self._running = False
        self._parked: list[Connection] = []  # with an envelope the server accepted, waiting to hand the message over
        self.recipients = _MOST_RECIPIENTS

    async def run(self, feed: Feed) -> None:
        """See ``Transport.run``."""
        self.feed, self._running, self._trouble, self._deaths = feed, True, None, 0
        watch = asyncio.create_task(self._watch())
        try:
            while True:
                feed.changed.clear()
                self._unpark()
                self._share_out()
                if (feed.closed or self._trouble) and not self._busy():
                    break
                await feed.changed.wait()
        finally:
            watch.cancel()
            while self._again:
                self._give_back(self._again.popleft())
            self._returned.clear()
            self._running = False
        if self._trouble:
            raise self._trouble

    async def check(self) -> str:
        """See ``Transport.check``."""
        connection = Connection(self, self.options)
        try:
            greeting = await connection.open()
            known = [word for word in ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE") if word in connection.extensions]
            security = {"none": "no TLS", "starttls": "STARTTLS", "ssl": "TLS"}[self.options.tls]
            return f"{greeting} ({security}{', signed in' if self.options.user else ''}; {' '.join(known) or 'no extensions'})"
        finally:
            connection.quit()

    async def close(self) -> None:
        """See ``Transport.close``."""
        for task in self._opening:
            task.cancel()
        if self._opening:
            await asyncio.wait(self._opening)
        for connection in self._free:
            connection.quit()
        for connection in self._all - set(self._free):
            connection.cut()
        self._free, self._all = [], set()

    # --- sharing out ------------------------------------------------------------------------------------------------

    def _busy(self) -> bool:
        return bool(self._opening) or len(self._all) > len(self._free)

    def _share_out(self) -> None:
        """Give copies to free connections, and open further ones while there are copies."""
        while self._free or len(self._all) + len(self._opening) < self._limit:
            copy = self.next_copy()
            if copy is None:
                break
            if self._free:
                connection = self._free.pop()
                self._idle_since.pop(connection, None)
                connection.begin(copy)
            else:
                task = asyncio.create_task(self._open(copy))
                self._opening.add(task)
                task.add_done_callback(self._opened)

    async def _open(self, copy: Outgoing) -> None:
        connection = Connection(self, self.options)
        try:
            await connection.open()
        except Trouble as trouble:
            connection.cut()
            self._again.append(copy)
            self._not_opened(trouble)
        except asyncio.CancelledError:
            connection.cut()
            self._again.append(copy)
        else:
            self._all.add(connection)
            connection.begin(copy)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._trouble = self._trouble or Trouble(Stage.CONNECT, 0, f"{type(error).__name__}: {error}")
        self._stir()

    def _not_opened(self, trouble: Trouble) -> None:
        """With other connections alive the server wants fewer of them; alone it is the transport's trouble."""
        others = len(self._all) + len(self._opening) - 1
        if others > 0 and trouble.temporary:
            self._limit, self._limited_until = others, asyncio.get_running_loop().time() + _SHRUNK_SECONDS
        else:
            self._trouble = self._trouble or trouble

    def _stir(self) -> None:
        if self._running:
            self.feed.changed.set()

    async def _watch(self) -> None:
        """End dialogues whose server is silent for too long and connections nobody needs."""
        loop = asyncio.get_running_loop()
        pause = min(1.0, self.timeouts.command / 4, self.timeouts.accept / 4, self.timeouts.idle / 4)
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            for connection in [one for one in self._all if one.deadline < now]:
                connection.expire()
            for connection in [one for one in self._free if self._idle_since.get(one, now) + self.timeouts.idle < now]:
                self._forget(connection)
                connection.quit()
            if self._limit < self.most and now > self._limited_until:
                self._limit = self.most
                self._stir()

    def _forget(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._idle_since.pop(connection, None)
        if connection in self._free:
            self._free.remove(connection)

    # --- what connections tell ----------------------------------------------------------------------------------------

    def next_copy(self) -> Outgoing | None:
        """The next copy to send, None when there is nothing to send now."""
        if self._trouble or not self._running or self.feed.closed:
            return None
        while self._again:
            copy = self._again.popleft()
            if self.feed.still(copy):
                return copy
            self._give_back(copy)
        return self.feed.take()

    def accepted(self, copy: Outgoing) -> None:
        """Every recipient's copy was taken, straight to whoever feeds us."""
        self._deaths = 0
        if self._returned:
            self._returned.pop(copy.key, None)
        self.feed.accepted(copy)

    def settle(self, copy: Outgoing, index: int, result: Result, code: int, text: str) -> None:
        """One recipient's outcome, straight to whoever feeds us."""
        if result is Result.SENT:
            self._deaths = 0
        if self._returned:
            self._returned.pop(copy.key, None)
        self.feed.settle(Outcome(copy, index, result, code, text))

    def too_many(self, recipients: int) -> None:
        """The server takes no more than so many recipients in a transaction."""
        self.recipients = min(self.recipients, max(1, recipients))

    def park(self, connection: Connection) -> None:
        """A connection has to wait until messages may be handed over again."""
        self._parked.append(connection)

    def _unpark(self) -> None:
        while self._parked and not self.feed.shut:
            self._parked.pop(0).go_on()

    def _give_back(self, copy: Outgoing) -> None:
        for index in range(len(copy.recipients)):
            self.feed.settle(Outcome(copy, index, Result.UNSENT, 0, ""))

    def took_back(self, copy: Outgoing, text: str, counts: bool) -> None:
        """A copy whose data were never asked for: to be sent by another connection, unless that happened too often.

        ``counts``: the connection ended over this very copy, not over its sender.
        """
        self._returned[copy.key] += counts
        if self._returned[copy.key] > _RETURNS:
            for index in range(len(copy.recipients)):
                self.settle(copy, index, Result.DEFERRED, 421, text)
        else:
            self._again.append(copy)
        self._stir()

    def refused_sender(self, trouble: Trouble) -> None:
        """MAIL FROM was refused."""
        self._trouble = self._trouble or trouble

    def idle(self, connection: Connection) -> None:
        """A connection has nothing to do."""
        if connection.worn:
            self._forget(connection)
            connection.quit()
            self._stir()
        elif connection in self._all and connection not in self._idle_since:
            self._free.append(connection)
            self._idle_since[connection] = asyncio.get_running_loop().time()
            self._stir()

    def ended(self, connection: Connection, code: int, text: str, fruitless: bool) -> None:
        """A connection is gone, whoever ended it; an unused one may end at any time. ``fruitless``: it delivered
        nothing, or died over a message."""
        used = connection in self._all and connection not in self._idle_since
        self._forget(connection)
        if connection in self._parked:
            self._parked.remove(connection)
        if used and fruitless:
            self._deaths += 1
            if self._deaths >= _DEATHS:
                self._trouble = self._trouble or Trouble(Stage.CONNECT, code, text, temporary=True)
        self._stir()

