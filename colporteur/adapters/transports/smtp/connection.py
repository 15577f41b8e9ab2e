"""One SMTP connection at work: no task, no timer and one write per message.

With PIPELINING (RFC 2920) the data of one message and MAIL, RCPT and DATA of the next leave in one write, as section
3.1 there allows; without it every command waits for its reply.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

from colporteur.adapters.transports import Feed, Outgoing, Result, Stage, Trouble
from colporteur.adapters.transports.smtp.dialogue import Dialogue, text_of
from colporteur.adapters.transports.smtp.options import Options, Timeouts

_ADDRESS = re.compile(rb"[^\x00-\x20\x7f<>]{0,320}")  # nothing that could end a command or an argument
_OF_MAILBOX = re.compile(r"[245]\.[12]\.")  # enhanced codes about the address or its mailbox (RFC 3463)


@functools.cache
def _welcome(recipients: int) -> tuple[Callable[[bytes], re.Match[bytes] | None], Callable[[bytes], re.Match[bytes] | None]]:
    """What reads the replies that welcome an envelope with so many recipients, and the same behind the reply to data, or that alone."""
    welcome = rb"(?:250 [^\r\n]*+\r\n){%d}354 [^\r\n]*+\r\n" % (1 + recipients)
    return re.compile(welcome).fullmatch, re.compile(rb"250 [^\r\n]*+\r\n(" + welcome + rb")?").fullmatch


_WELCOME, _TAKEN = _welcome(1)


class _Awaited(IntEnum):
    """Which reply comes next."""

    MAIL = 1
    RCPT = 2
    DATA = 3
    BODY = 4
    EMPTY = 5  # the lone dot that ends data nobody receives
    RSET = 6


_MAIL, _RCPT, _DATA, _BODY = _Awaited.MAIL, _Awaited.RCPT, _Awaited.DATA, _Awaited.BODY  # hot: a look-up in an enumeration is slow
_ENVELOPE = (_MAIL, _RCPT, _DATA)


class Owner(Protocol):
    """What a connection needs of its pool."""

    feed: Feed
    timeouts: Timeouts
    checked: int

    def next_copy(self) -> Outgoing | None: ...
    def accepted(self, copy: Outgoing) -> None: ...
    def settle(self, copy: Outgoing, index: int, result: Result, code: int, text: str) -> None: ...
    def took_back(self, copy: Outgoing, text: str, counts: bool) -> None: ...
    def too_many(self, recipients: int) -> None: ...
    def park(self, connection: Connection) -> None: ...
    def refused_sender(self, trouble: Trouble) -> None: ...
    def idle(self, connection: Connection) -> None: ...
    def ended(self, connection: Connection, code: int, text: str, fruitless: bool) -> None: ...


class Connection(Dialogue):
    """``begin`` starts with a copy; from then on it takes the next copies from its owner by itself and reports each one's outcome."""

    def __init__(self, owner: Owner, options: Options) -> None:
        super().__init__(options, owner.timeouts)
        self.owner = owner
        self.deadline = float("inf")  # loop time by which the server must have answered
        self.fruitful = False  # it took a message
        self.worn = False  # it carried as many messages to one destination as it may: it ends when they are answered
        self._carried: dict[int, int] = {}  # messages by destination, of those that count them
        self._usual = b""  # what was said last when everything was well and one recipient welcome
        self._awaited: deque[_Awaited] = deque()
        self._copy: Outgoing | None = None  # in the envelope
        self._refusal: tuple[int, str, bool] | None = None  # of the copy in the envelope as a whole; True: of its sender
        self._refused: dict[int, tuple[int, str]] = {}  # recipients of the copy in the envelope
        self._answers = 0  # to RCPT
        self._sent: Outgoing | None = None  # its data are out, the reply is awaited
        self._sent_to: tuple[int, ...] | None = None  # recipients of it that were not refused; None: all

    def begin(self, copy: Outgoing) -> None:
        """Send ``copy``, then whatever the owner has next."""
        self._talking = False
        self._next((), copy)

    # --- the envelope -----------------------------------------------------------------------------------------------

    def _next(self, before: tuple[bytes, ...], copy: Outgoing | None) -> None:
        """Write ``before`` and the envelope of the next copy that can be sent, in one write; idle when there is none."""
        envelope = b""
        while copy is not None:
            refusal = self._impossible(copy)
            if refusal is None:
                envelope = self._envelope(copy)
                break
            for index in range(len(copy.recipients)):
                self.owner.settle(copy, index, Result.FAILED, *refusal)
            copy = self.owner.next_copy()
        self._copy, self._refusal = copy, None
        if copy is not None and copy.cap is not None:
            self._carries(*copy.cap)
        if before or envelope:
            assert self.wire
            self.wire.write(b"".join((*before, envelope)))
        if copy is not None and self._sent is None:
            self.deadline = self.loop.time() + self.timeouts.command
        elif copy is None and not self._awaited:
            self.deadline = float("inf")
            self.owner.idle(self)

    def _carries(self, destination: int, most: int) -> None:
        """One message more to a destination that counts what a connection brings."""
        carried = self._carried[destination] = self._carried.get(destination, 0) + 1
        self.worn |= carried >= most

    def _impossible(self, copy: Outgoing) -> tuple[int, str] | None:
        """Why this server can never take the copy, as a reply; None when it may."""
        for recipient in copy.recipients:
            if not recipient or not _ADDRESS.fullmatch(recipient):
                return 553, "5.1.3 not an address that can be sent"
        if not _ADDRESS.fullmatch(copy.sender):
            return 553, "5.1.7 not a sender that can be named"
        if copy.key[0] != self.owner.checked:  # the first copy of a mailing stands for all: they differ in checked values only
            if not _in_lines(copy.wire):
                return 554, "5.6.0 the message is not in lines that can be sent"
            self.owner.checked = copy.key[0]
        if self.size_limit and len(copy.wire) > self.size_limit:
            return 552, f"5.3.4 {len(copy.wire)} bytes, the server takes at most {self.size_limit}"
        if not self.utf8 and (copy.utf8 or not copy.recipients[0].isascii()):
            return 553, "5.6.7 the address or the headers need SMTPUTF8, which the server does not offer"
        return None

    def _envelope(self, copy: Outgoing) -> bytes:
        parameters = b" SIZE=%d" % len(copy.wire) if self.sized else b""
        if self.eight_bit and not copy.wire.isascii():
            parameters += b" BODY=8BITMIME"  # a server without it gets the eight bits nevertheless, as from everybody
        if copy.utf8 or not copy.recipients[0].isascii():
            parameters += b" SMTPUTF8"
        if not self.pipelining:
            self._awaited.append(_MAIL)
            return b"MAIL FROM:<%b>%b\r\n" % (copy.sender, parameters)
        if len(copy.recipients) == 1:
            self._awaited += _ENVELOPE
            return b"MAIL FROM:<%b>%b\r\nRCPT TO:<%b>\r\nDATA\r\n" % (copy.sender, parameters, copy.recipients[0])
        self._awaited += (_MAIL, *[_RCPT] * len(copy.recipients), _DATA)
        return b"MAIL FROM:<%b>%b\r\nRCPT TO:<%b>\r\nDATA\r\n" % (copy.sender, parameters, b">\r\nRCPT TO:<".join(copy.recipients))

    # --- replies ----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Replies, in any portions. Usually one portion says everything at one glance."""
        if self._rest or not self._all_is_well(data):
            super().data_received(data)

    def _all_is_well(self, data: bytes) -> bool:
        """The usual answers to one write, taken in at one glance: data accepted; next sender, recipient and data welcome.
        They come in one portion or in these two. False: nothing was done, read the replies one by one. Hot."""
        if self._copy is None or self._lines or self._refusal is not None or self._refused or self._talking:
            return False
        recipients = len(self._copy.recipients)
        awaited = len(self._awaited) - recipients
        if self._sent is None:
            welcomes = _WELCOME if recipients == 1 else _welcome(recipients)[0]
            if awaited != 2 or not welcomes(data):
                return False
        else:
            if awaited != 3 or self._sent_to is not None:
                return False
            if data != self._usual or recipients != 1:  # a server mostly says the same as before
                taken = (_TAKEN if recipients == 1 else _welcome(recipients)[1])(data)
                if taken is None:
                    return False
                if taken.lastindex is None:
                    self._awaited.popleft()
                    self.deadline = self.loop.time() + self.timeouts.command
                    self._took()
                    return True
                if recipients == 1:
                    self._usual = data
            self._took()
        self._awaited.clear()
        self._send_data()
        return True

    def _took(self) -> None:
        """The server has the message whose data are out, for all its recipients."""
        assert self._sent
        sent, self._sent = self._sent, None
        self.fruitful = True
        self.owner.accepted(sent)

    def _answered(self, code: int, lines: list[bytes]) -> None:
        if not self._awaited:
            self._hang_up(code, text_of(lines))  # unasked: 421 before it closes, or nonsense
            return
        awaited = self._awaited.popleft()
        if awaited is _BODY:
            self._body_answered(code, lines)
        elif code == 421:
            self._refusal = (421, "", True) if awaited is _MAIL else None
            self._hang_up(code, text_of(lines))
        elif awaited is _DATA:
            self._data_answered(code, lines)
        elif awaited is _MAIL or awaited is _RCPT:
            self._named(awaited, code, lines)
        elif awaited is _Awaited.EMPTY:
            self._refuse()
        elif self._copy is None and not self._awaited:  # RSET
            self._next((), None if self.worn else self.owner.next_copy())

    def _named(self, awaited: _Awaited, code: int, lines: list[bytes]) -> None:
        """The answer to MAIL or to a RCPT."""
        assert self._copy
        if awaited is _RCPT:
            if code // 100 != 2 and self._refusal is None:
                self._refused[self._answers] = code, text_of(lines)
            self._answers += 1
        elif code // 100 != 2:
            self._refusal = code, text_of(lines), True
        if not self.pipelining:
            self._step()

    def _step(self) -> None:
        """The next command of an envelope, one at a time."""
        assert self.wire and self._copy
        copy = self._copy
        if self._refusal or len(self._refused) == len(copy.recipients):
            self._refuse(reset=True)
        elif self._answers < len(copy.recipients):
            self._awaited.append(_RCPT)
            self.wire.write(b"RCPT TO:<%b>\r\n" % copy.recipients[self._answers])
            self.deadline = self.loop.time() + self.timeouts.command
        else:
            self._awaited.append(_DATA)
            self.wire.write(b"DATA\r\n")
            self.deadline = self.loop.time() + self.timeouts.data

    def _data_answered(self, code: int, lines: list[bytes]) -> None:
        assert self._copy and self.wire
        if code != 354:
            self._refusal = self._refusal or (code, text_of(lines), False)
            self._refuse(reset=True)
        elif self._refusal or len(self._refused) == len(self._copy.recipients):
            # DATA accepted although nobody is there to receive: end it at once (RFC 2920 section 3.1).
            self._awaited.append(_Awaited.EMPTY)
            self.wire.write(b".\r\n")
        else:
            self._send_data()

    # --- the data ---------------------------------------------------------------------------------------------------

    def _send_data(self) -> None:
        """The data of the copy in the envelope and, where pipelining is allowed, the next envelope behind them; later,
        when nothing may be handed over now."""
        if self.owner.feed.shut:
            self.deadline = float("inf")
            self.owner.park(self)
        else:
            self._hand_over()

    def go_on(self) -> None:
        """Data that waited: the server has, too, and the copy may be somebody else's by now."""
        if self._lost or self._copy is None:
            return
        if self.owner.feed.still(self._copy):
            self._send_data()
        else:
            self._hang_up(0, "we waited too long")

    def _hand_over(self) -> None:
        assert self._copy
        copy = self._sent = self._copy
        self._sent_to = None
        self._answers = 0
        if self._refused:
            self._sent_to = tuple(index for index in range(len(copy.recipients)) if index not in self._refused)
            self._settle_refused(copy)
        self._awaited.append(_BODY)
        times = self.timeouts
        self.deadline = self.loop.time() + times.accept + len(copy.wire) / times.slowest
        self._next((copy.wire, b".\r\n"), self.owner.next_copy() if self.pipelining and not self.worn else None)

    def _body_answered(self, code: int, lines: list[bytes]) -> None:
        assert self._sent
        copy, self._sent = self._sent, None
        kind = code // 100
        self.fruitful |= kind == 2
        self._settle_sent(copy, Result.SENT if kind == 2 else Result.FAILED if kind == 5 else Result.DEFERRED, code, text_of(lines))
        if code == 421:
            self._hang_up(code, text_of(lines))
        elif self._copy is None:
            self._next((), None if self.worn else self.owner.next_copy())
        else:
            self.deadline = self.loop.time() + self.timeouts.command

    def _settle_sent(self, copy: Outgoing, result: Result, code: int, text: str) -> None:
        for index in range(len(copy.recipients)) if self._sent_to is None else self._sent_to:
            self.owner.settle(copy, index, result, code, text)

    # --- refusals ---------------------------------------------------------------------------------------------------

    def _refuse(self, reset: bool = False) -> None:
        """The copy in the envelope was refused before its data, by all its recipients or as a whole; go on with the next."""
        assert self._copy
        copy, refusal = self._copy, self._refusal
        self._copy, self._answers = None, 0
        if refusal and refusal[2] and refusal[0] not in (552, 553 if copy.utf8 else 552):
            self._refused = {}
            self.owner.refused_sender(Trouble(Stage.SENDER, refusal[0], refusal[1], key=copy.key))
            self.owner.took_back(copy, refusal[1], counts=False)
        else:
            if refusal:
                final = refusal[0] // 100 == 5 and (refusal[2] or refusal[0] != 552)  # 552 to MAIL says that the message is too large
                for index in set(range(len(copy.recipients))) - set(self._refused):
                    self.owner.settle(copy, index, Result.FAILED if final else Result.DEFERRED, *refusal[:2])
            self._settle_refused(copy)
        if reset:
            self._awaited.append(_Awaited.RSET)
        self._next((b"RSET\r\n",) if reset else (), self.owner.next_copy() if (self.pipelining or not reset) and not self.worn else None)

    def _settle_refused(self, copy: Outgoing) -> None:
        """Refusals to RCPT. 552 counts as 452; and 452 after others were welcome says that there were too many (RFC 5321
        section 4.5.3.1.10)."""
        refused, self._refused = self._refused, {}
        welcome = [index for index in range(len(copy.recipients)) if index not in refused]
        for index, (code, text) in refused.items():
            if code in (452, 552) and welcome and index > welcome[-1] and not _OF_MAILBOX.match(text):
                self.owner.too_many(len(welcome))
                self.owner.settle(copy, index, Result.UNSENT, 0, "")
            else:
                self.owner.settle(copy, index, Result.FAILED if code // 100 == 5 and code != 552 else Result.DEFERRED, code, text)

    # --- the end ----------------------------------------------------------------------------------------------------

    def connection_lost(self, error: Exception | None) -> None:
        """Copies under way: UNKNOWN when their data were out, otherwise untouched."""
        if self._lost:
            return
        super().connection_lost(error)
        code, text = self._farewell
        sent, self._sent = self._sent, None
        copy, self._copy = self._copy, None
        if sent is not None:
            self._settle_sent(sent, Result.UNKNOWN, 0, f"the connection ended after the message was handed over, before the reply: {text}")
        if copy is not None:
            self.owner.took_back(copy, text, counts=not (self._refusal and self._refusal[2]))
        self.owner.ended(self, code, text, fruitless=sent is not None or not self.fruitful)

    def expire(self) -> None:
        """Called when the deadline has passed."""
        self._hang_up(0, "the server did not answer in time")


def _in_lines(wire: bytes) -> bool:
    """Whether a message is in CRLF lines with stuffed dots: no bare CR or LF, nothing that could end the data early."""
    ends = wire.count(b"\r\n")
    whole = wire.endswith(b"\r\n") and wire.count(b"\r") == ends == wire.count(b"\n")
    return whole and wire.count(b"\n.") == wire.count(b"\n..") and (not wire.startswith(b".") or wire.startswith(b".."))
