"""When an address moves: tables of messages and what follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain.bounces import Kind
from colporteur.domain.standing import PROBES, WINDOW, Message, Preset, Rules, Standing, Took, judge, next_probe, took_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)
USUAL, THREE, SCORES = Rules(), Rules(Preset.THREE), Rules(Preset.SCORES)


def messages(story: str, days: float) -> list[Message]:
    """D dead, S state, T through; so many days apart, the last one now."""
    took = {"D": Took.DEAD, "S": Took.STATE, "T": Took.THROUGH}
    return [Message(NOW - timedelta(days=days * (len(story) - 1 - number)), took[letter]) for number, letter in enumerate(story)]


@pytest.mark.parametrize(
    ("rules", "story", "days", "standing"),
    [
        (USUAL, "", 1, Standing.GOOD),
        (USUAL, "TTT", 1, Standing.GOOD),
        (USUAL, "D", 1, Standing.SHAKY),
        (USUAL, "DDDDDDDD", 0.1, Standing.SHAKY),  # one bad day pauses nobody
        (USUAL, "DD", 1, Standing.PAUSED),
        (USUAL, "DD", 30, Standing.PAUSED),  # a list that writes once a month
        (USUAL, "DTD", 30, Standing.SHAKY),  # one that arrived ends the row
        (USUAL, "DDT", 1, Standing.GOOD),
        (USUAL, "SSS", 30, Standing.SHAKY),
        (USUAL, "SSSSSSSS", 1, Standing.SHAKY),  # people are away for two weeks
        (USUAL, "SSSS", 5, Standing.PAUSED),
        (USUAL, "SDSS", 5, Standing.PAUSED),
        (Rules(Preset.USUAL, 5, 10), "DDDD", 30, Standing.SHAKY),
        (Rules(Preset.USUAL, 5, 10), "DDDDD", 2, Standing.SHAKY),
        (Rules(Preset.USUAL, 5, 10), "DDDDD", 3, Standing.PAUSED),
        (THREE, "DD", 30, Standing.SHAKY),
        (THREE, "DDD", 0.01, Standing.PAUSED),
        (THREE, "SSS", 30, Standing.PAUSED),
        (THREE, "DDTD", 1, Standing.SHAKY),
        (SCORES, "DDDDDDDD", 1, Standing.SHAKY),  # not yet ten days
        (SCORES, "DD", 30, Standing.SHAKY),  # not yet three
        (SCORES, "DDDD", 30, Standing.PAUSED),
        (SCORES, "SSSS", 30, Standing.GOOD),  # 40 points
        (SCORES, "SSSSS", 30, Standing.SHAKY),
        (SCORES, "SSSSSSSS", 30, Standing.PAUSED),
        (SCORES, "DTDTDTDT", 7, Standing.GOOD),  # 80 points, half of the messages arrive
        (Rules(Preset.NEVER), "DDDDDDDDDDDD", 30, Standing.SHAKY),
    ],
)
def test_what_messages_make_of_an_address(rules: Rules, story: str, days: float, standing: Standing) -> None:
    assert judge(messages(story, days), rules, NOW).standing is standing


def test_the_answer_says_what_it_rests_on() -> None:
    found = judge(messages("TDTDD", 10), USUAL, NOW)
    assert (found.failures, found.first, found.last) == (2, NOW - timedelta(days=10), NOW)
    assert judge(messages("DDDD", 30), SCORES, NOW).score == 80


def test_what_is_older_than_the_window_is_forgotten() -> None:
    old = [one._replace(at=one.at - WINDOW) for one in messages("DDD", 1)]
    assert judge(old, USUAL, NOW).standing is Standing.GOOD
    assert judge([*old, *messages("D", 1)], USUAL, NOW).standing is Standing.SHAKY


def test_only_the_mailboxs_own_failures_count() -> None:
    assert {kind for kind in Kind if took_of(kind)} == {kind for kind in Kind if kind.counts} == {Kind.DEAD, Kind.MAILBOX_STATE}


def test_probes_go_at_growing_distance_and_then_end() -> None:
    waits = [next_probe(number) for number in range(len(PROBES))]
    assert waits == sorted(waits, key=lambda wait: wait or timedelta()) and next_probe(len(PROBES)) is None


@pytest.mark.parametrize(("rules", "number", "standing"), [(USUAL, 2, Standing.SHAKY), (USUAL, 3, Standing.PAUSED), (SCORES, 3, Standing.PAUSED), (Rules(Preset.NEVER), 3, Standing.SHAKY), (Rules(campaigns=0), 3, Standing.SHAKY), (Rules(campaigns=5), 4, Standing.SHAKY)])
def test_newsletters_that_came_back_in_a_row_are_enough_however_short_the_time(rules: Rules, number: int, standing: Standing) -> None:
    row = [message._replace(campaign=True) for message in messages("D" * number, 0.01)]
    assert judge([*messages("D", 0.01), *row] if rules is USUAL else row, rules, NOW).standing is standing
    assert judge([*row[:-1], Message(NOW - timedelta(seconds=1), Took.THROUGH), row[-1]], rules, NOW).standing in (Standing.SHAKY, Standing.GOOD)
