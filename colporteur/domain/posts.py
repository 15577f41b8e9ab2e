"""States of a post and the moves that are legal. Every move is a compare-and-set on the row."""

from __future__ import annotations

from enum import StrEnum


class PostState(StrEnum):
    """Where a post stands."""

    RECEIVED = "received"  # stored, not judged yet
    HELD = "held"  # waits for a moderator
    ACCEPTED = "accepted"  # to be, being or already distributed; its mailing tells how far
    REJECTED = "rejected"
    DISCARDED = "discarded"
    EXPIRED = "expired"  # nobody decided in time
    QUARANTINED = "quarantined"  # could not be processed; an owner may retry or release


MOVES: dict[PostState, frozenset[PostState]] = {
    PostState.RECEIVED: frozenset({PostState.HELD, PostState.ACCEPTED, PostState.REJECTED, PostState.DISCARDED, PostState.QUARANTINED}),
    PostState.HELD: frozenset({PostState.ACCEPTED, PostState.REJECTED, PostState.DISCARDED, PostState.EXPIRED}),
    PostState.QUARANTINED: frozenset({PostState.RECEIVED, PostState.ACCEPTED, PostState.DISCARDED}),
    PostState.ACCEPTED: frozenset({PostState.QUARANTINED}),  # its mailing could not be prepared
    PostState.REJECTED: frozenset(),
    PostState.DISCARDED: frozenset(),
    PostState.EXPIRED: frozenset(),
}


class Decision(StrEnum):
    """What a moderator may decide."""

    RELEASE = "release"  # distribute
    REJECT = "reject"  # with notice to the author
    DISCARD = "discard"  # silently


DECIDED: dict[Decision, PostState] = {
    Decision.RELEASE: PostState.ACCEPTED,
    Decision.REJECT: PostState.REJECTED,
    Decision.DISCARD: PostState.DISCARDED,
}
