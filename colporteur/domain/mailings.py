"""Mailings and copies: states, priorities, and when a deferred copy is tried again."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class MailingState(StrEnum):
    """Where a mailing stands."""

    PLANNED = "planned"  # its copies are not all written yet and none may leave
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class CopyState(IntEnum):
    """Where a copy stands; small numbers because there are millions of them."""

    QUEUED = 0
    DEFERRED = 1
    SENT = 2
    FAILED = 3
    CANCELLED = 4


OPEN = (CopyState.QUEUED, CopyState.DEFERRED)


class MailingKind(StrEnum):
    """What a mailing carries."""

    POST = "post"
    LETTER = "letter"
    DIGEST = "digest"
    CAMPAIGN = "campaign"


class Priority(IntEnum):
    """Lower leaves first."""

    LETTER = 0
    POST = 5
    NEWSLETTER = 8


class Pace(StrEnum):
    """How the copies of a mailing use what transports and limits allow."""

    USUAL = "usual"  # as its priority says: posts at once, newsletters evenly
    FAST = "fast"  # at once, by every transport of the route in parallel
    EVEN = "even"  # spread over the window of the limits


RETRY_MINUTES = (5, 10, 20, 40, 60, 120, 180, 240)
"""Waits between the first attempts; then every four hours (RFC 5321 section 4.5.4.1: at least 30 minutes on average,
give up after 4 to 5 days)."""

GIVE_UP_SECONDS = 5 * 86400


def next_attempt(attempts: int, age: float, jitter: float) -> float | None:
    """Seconds until the next attempt after ``attempts`` temporary failures, or None when it is time to give up.

    ``age``: seconds since the copy was first due. ``jitter``: a number in [0, 1) chosen by the caller; spreads
    retries by up to 20 % so that they do not come back all at once.
    """
    wait = 60 * RETRY_MINUTES[min(max(attempts, 1), len(RETRY_MINUTES)) - 1] * (1 + 0.2 * jitter)
    return None if age + wait > GIVE_UP_SECONDS else wait
