"""Sending: as many requests at once as there are connections, each on a thread; fewer when the service asks to be slower."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from anymail.exceptions import AnymailError, AnymailRequestsAPIError

from colporteur.adapters.transports import Feed, Outcome, Outgoing, Result, Stage, Traits, Trouble
from colporteur.adapters.transports.esp.accounts import backend
from colporteur.adapters.transports.esp.answers import NO_WAIT, Answer, of_error, of_refusal, words
from colporteur.adapters.transports.esp.asking import ask
from colporteur.adapters.transports.esp.messages import Unfit, message_of
from colporteur.adapters.transports.esp.raw import PAYLOADS
from colporteur.domain.services import Account

log = logging.getLogger("colporteur.transports")

PATIENCE = 6
"""Requests to be slower in a row after which the whole transport rests."""
_FIRST_WAIT = 2.0  # seconds, doubled each time, where the service does not say how long


class EspTransport:
    """One account. Threads and their sessions are kept until ``close``."""

    recipients = 1

    def __init__(self, account: Account, connections: int) -> None:
        self.account, self._most, self._room = account, connections, connections
        self.traits = Traits(envelope_sender=False, raw_mime=account.service.raw, numbers=not account.service.echoes)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix=account.kind)
        self._own, self._backends, self._lock = threading.local(), list[Any](), threading.Lock()
        self._closed, self._slow, self._well, self._until = False, 0, 0, 0.0
        self._stir = asyncio.Event()

    async def run(self, feed: Feed) -> None:
        """See ``Transport.run``."""
        loop, self._stir = asyncio.get_running_loop(), feed.changed
        busy: dict[asyncio.Future[Answer], Outgoing] = {}
        trouble: Trouble | None = None
        while True:
            feed.changed.clear()
            for done in [task for task in busy if task.done()]:
                trouble = self._settle(feed, busy.pop(done), done.result()) or trouble
            if self._closed:
                for under_way in busy.values():
                    feed.settle(Outcome(under_way, 0, Result.UNKNOWN, 0, "cut off before the service answered"))
                return
            if not busy and trouble:
                raise trouble
            if not busy and feed.closed:
                return
            until = self._until if loop.time() < self._until else None
            while not (until or trouble or feed.closed or feed.shut) and len(busy) < self._room and (copy := feed.take()) is not None:
                task = loop.run_in_executor(self._threads, self._send, copy)
                task.add_done_callback(lambda _task: feed.changed.set())
                busy[task] = copy
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await feed.changed.wait()

    async def check(self) -> str:
        """See ``Transport.check``."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask, self.account)

    async def close(self) -> None:
        """See ``Transport.close``. A request that is under way goes on; nobody waits for it."""
        self._closed = True
        self._stir.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            backends, self._backends = self._backends, []
        for opened in backends:
            opened.close()

    def _settle(self, feed: Feed, copy: Outgoing, answer: Answer) -> Trouble | None:
        """Tell the feed; go slower or, by and by, faster. The trouble there is, if any."""
        if answer.result is Result.SENT:
            self._slow, self._well = 0, self._well + 1
            if self._room < self._most and self._well % 20 == 0:
                self._room += 1
            if answer.text:
                feed.settle(Outcome(copy, 0, Result.SENT, 250, answer.text))
            else:
                feed.accepted(copy)
            return None
        feed.settle(Outcome(copy, 0, answer.result, answer.code, answer.text))
        if answer.trouble is None and answer.result is Result.UNSENT:
            return self._slower(answer)
        return answer.trouble

    def _slower(self, answer: Answer) -> Trouble | None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._until:
            return None  # another that was under way at the same time
        self._slow, self._room = self._slow + 1, max(1, self._room // 2)
        if self._slow > PATIENCE:
            self._slow = 0
            return Trouble(Stage.GREETING, answer.code, answer.text, temporary=True)
        wait = answer.wait or min(_FIRST_WAIT * 2 ** (self._slow - 1), NO_WAIT)
        self._until = loop.time() + wait
        log.info("slower service=%s wait=%.0f at_once=%d", self.account.kind, wait, self._room)
        return None

    # --- on a thread --------------------------------------------------------------------------------------------

    def _send(self, copy: Outgoing) -> Answer:
        """One request. Never raises."""
        try:
            message = message_of(self.account, copy)
        except Unfit as error:
            return Answer(Result.UNSENT, 554, str(error), Trouble(Stage.SENDER, 554, str(error), key=copy.key))
        except Exception as error:  # whatever somebody wrote: one message must not stop the others
            log.exception("cannot make a message for %s", self.account.kind)
            return Answer(Result.FAILED, 554, f"5.6.0 {type(error).__name__}: {error}"[:500])
        try:
            self._backend().send_messages([message])
        except AnymailRequestsAPIError as error:
            cause = error.__cause__ if isinstance(error.__cause__, requests.RequestException) and not isinstance(error.__cause__, ValueError) else None
            return of_error(self.account, copy, None if cause is not None else error.response, cause)
        except AnymailError as error:  # this service cannot do what the message needs
            return Answer(Result.FAILED, 554, f"5.6.0 {' '.join(str(error).split())}"[:500])
        except Exception as error:
            log.exception("unexpected answer of %s", self.account.kind)
            return Answer(Result.UNKNOWN, 0, f"{type(error).__name__}: {error}"[:500])
        return self._answer(copy, message)

    def _answer(self, copy: Outgoing, message: Any) -> Answer:
        status = message.anymail_status
        if status.status and status.status <= {"rejected", "invalid", "failed"}:
            said = words(status.esp_response)
            return of_refusal(self.account, copy, said or next(iter(status.status)))
        number = status.message_id if isinstance(status.message_id, str) and not self.account.service.echoes else ""
        return Answer(Result.SENT, 250, number[:200])

    def _backend(self) -> Any:
        """This thread's own."""
        found = getattr(self._own, "backend", None)
        if found is None:
            found = self._own.backend = backend(self.account, PAYLOADS.get(self.account.kind))
            with self._lock:
                self._backends.append(found)
        return found
