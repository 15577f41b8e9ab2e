"""The words: kind, severity, fault, verdict, event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What something that came back means."""

    DEAD = "dead"  # nobody reads this address, and nobody will
    MAILBOX_STATE = "mailbox_state"  # the mailbox is there: full, switched off, moved aside
    OURS = "ours"  # refused because of us: policy, reputation, content, authentication
    TEMPORARY = "temporary"  # not yet delivered, or a trouble on the way
    COMPLAINT = "complaint"  # somebody called it spam
    AUTOMATIC = "automatic"  # an answering machine or a receipt
    SUCCESS = "success"  # delivered, relayed, expanded
    UNKNOWN = "unknown"  # not understood, so it counts for nothing

    @property
    def counts(self) -> bool:
        """Whether it may ever count against the address."""
        return self in (Kind.DEAD, Kind.MAILBOX_STATE)


class Severity(StrEnum):
    """Whether trying again can help."""

    HARD = "hard"
    SOFT = "soft"
    NONE = "none"  # no failure


class Fault(StrEnum):
    """Whose fault a failure is."""

    MAILBOX = "mailbox"
    SENDER = "sender"
    CONTENT = "content"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """Through which door an event came."""

    REPORT = "report"  # a message
    DIALOGUE = "dialogue"  # the reply to our SMTP client
    WEBHOOK = "webhook"  # a provider told us


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, with what follows from it. ``words``: an English sentence marked for translation."""

    key: str
    kind: Kind
    severity: Severity
    fault: Fault
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` is a key of ``REASONS``, which has the words."""

    kind: Kind
    severity: Severity
    fault: Fault
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was learnt about one address after a copy was made.

    ``status``: enhanced status (RFC 3463), "" for none. ``code``: SMTP reply code, 0 for none. ``text``: what the other side
    said, one line of at most 500 characters. ``evidence``: number of the arrival that holds the raw report. ``key`` is the same
    whenever the same thing is told again, so that it counts once.
    """

    at: datetime
    address_id: int
    mailing_id: int | None
    list_id: int | None
    verdict: Verdict
    status: str
    code: int
    text: str
    origin: Origin
    evidence: int | None
    key: str
