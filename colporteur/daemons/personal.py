"""Copies of a newsletter: each filled in with what is known of its reader.

What is only fields is filled in when the transport takes the copy. What needs the sandbox is worked out before, on the threads that
sign, so that the event loop sends meanwhile; only so many copies ahead, because each is as large as the newsletter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from colporteur.daemons.ready import Held
from colporteur.domain.campaigns import Lane
from colporteur.domain.mailings import Priority
from colporteur.flow.copies import Message
from colporteur.mail.campaigns.fields import COPY_TOKEN
from colporteur.mail.campaigns.message import Personal
from colporteur.store.copies import Claimed, Due

MOST_MADE = 64
"""Copies of a slice worked out ahead."""


class PersonalHeld(Held):
    """A slice of a newsletter. ``readers``: the values of each address; ``made``: those already worked out; ``eased`` is called when
    one of them was taken."""

    __slots__ = ("_newsletter", "eased", "made", "readers")

    def __init__(self, claimed: Claimed, left: Sequence[Due], message: Message, deadline: float, priority: int = Priority.NEWSLETTER, list_: int = 0, *, readers: Mapping[int, Mapping[str, Any]]) -> None:
        super().__init__(claimed, left, message, deadline, priority, list_)
        assert isinstance(message.prepared, Personal)
        self._newsletter, self.readers = message.prepared, readers
        self.made: dict[int, list[bytes]] = {}
        self.eased: Callable[[Held], None] = lambda _held: None

    @property
    def prepares(self) -> bool:
        """Whether copies are made ready on a thread before their turn."""
        return self.message.signer is not None or self._newsletter.lane is Lane.SLOW

    @property
    def full(self) -> bool:
        """Whether as many copies are made ready as memory should hold."""
        return self._newsletter.lane is Lane.SLOW and len(self.made) + self.signing >= MOST_MADE

    def ahead(self, due: Due, at: int) -> bytes:
        """On a thread: a copy's values worked out and kept; its signature, b"" where nothing is signed. ``at``: now, Unix seconds."""
        values = self._values(due)
        self.made[due.address] = values
        signer = self.message.signer
        return signer.sign_parts(self._newsletter.parts_for(values), at) if signer else b""

    def wire(self, due: Due, token: str) -> bytes:
        """The copy as it leaves. ``token`` is its own."""
        values = self.made.pop(due.address, None)
        if values is None:
            values = self._values(due)
        else:
            self.eased(self)
        return self._newsletter.wire_for(values, self.signatures.get(due.address, b""))

    def _values(self, due: Due) -> list[bytes]:
        return self._newsletter.values_for({**self.readers[due.address], COPY_TOKEN: self.tokens[due.address]})
