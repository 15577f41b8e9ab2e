"""When a deferred copy is tried again."""

from colporteur.domain.mailings import GIVE_UP_SECONDS, RETRY_MINUTES, next_attempt
from colporteur.domain.posts import DECIDED, MOVES, Decision, PostState


def test_waits_grow_and_end_after_five_days() -> None:
    age, waits = 0.0, []
    while (wait := next_attempt(len(waits) + 1, age, 0.0)) is not None:
        waits.append(wait)
        age += wait
    assert waits[: len(RETRY_MINUTES)] == [60 * minutes for minutes in RETRY_MINUTES]
    assert waits == sorted(waits)
    assert GIVE_UP_SECONDS - waits[-1] < age <= GIVE_UP_SECONDS
    assert age / len(waits) >= 30 * 60  # RFC 5321 section 4.5.4.1


def test_jitter_spreads_by_a_fifth_at_most() -> None:
    assert next_attempt(1, 0, 0.0) == 300
    assert next_attempt(1, 0, 0.999) < 360  # type: ignore[operator]


def test_a_moderators_decision_is_a_legal_move_from_waiting() -> None:
    assert all(DECIDED[decision] in MOVES[PostState.HELD] for decision in Decision)


def test_every_state_says_where_it_may_go() -> None:
    assert set(MOVES) == set(PostState)
