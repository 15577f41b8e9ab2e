"""Whatever is asked, answered late, given back or lost: no sliding window holds more than its limit, and little is wasted."""

from __future__ import annotations

import heapq
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colporteur.domain.pacing import HORIZON, Bucket, Cadence, Rate, fair_share, grant, read_rate, read_rates, seconds_for


def most_in_a_window(stamps: list[float], seconds: float) -> int:
    """The fullest window [t, t + seconds) there is."""
    stamps = sorted(stamps)
    most, first = 0, 0
    for last, stamp in enumerate(stamps):
        while stamp - stamps[first] >= seconds - 1e-9:
            first += 1
        most = max(most, last - first + 1)
    return most


def play(rates: list[Rate], cadence: list[Cadence], until: float, latency: list[float], asking: list[float]) -> list[float]:
    """Greedy workers against buckets; stamps of the copies. A copy is stamped at random between its slot and its answer."""
    buckets = [Bucket(rate) for rate in rates]
    now, step, stamps = 0.0, 0, []
    answers: list[float] = []  # heap of times
    while now < until:
        wait = asking[step % len(asking)] * min(bucket.horizon for bucket in buckets)
        now += wait
        for bucket in buckets:
            bucket.advance(wait)
        while answers and answers[0] <= now:
            answer = heapq.heappop(answers)
            for bucket in buckets:
                burst = min(1, bucket.burst)
                bucket.give_back(1, burst)
                bucket.answered(now - answer, 1, burst)
        slots = grant(buckets, cadence[step % len(cadence)], 50_000)
        for at in slots.at:
            late = latency[len(stamps) % len(latency)]
            stamps.append(now + at + late * 0.7)
            heapq.heappush(answers, now + at + late)
        step += 1
    return stamps


SHAPES = st.lists(st.builds(Rate, st.integers(1, 400), st.sampled_from([1, 2, 7, 60, 900, 3600])), min_size=1, max_size=3)
ANY = st.sampled_from(list(Cadence))


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.lists(ANY, min_size=1, max_size=4), st.lists(st.floats(0.0, 3.0), min_size=1, max_size=20), st.lists(st.floats(0.05, 3.0), min_size=1, max_size=5))
def test_no_window_of_any_bucket_is_ever_exceeded(rates: list[Rate], cadence: list[Cadence], latency: list[float], asking: list[float]) -> None:
    until = min(6.0 * min(rate.seconds for rate in rates), 400.0)
    stamps = play(rates, cadence, until, latency, asking)
    assert stamps
    for rate in rates:
        assert most_in_a_window(stamps, rate.seconds) <= rate.number


@pytest.mark.parametrize("rate", [Rate(20, 1), Rate(7, 1), Rate(1, 1), Rate(100, 1), Rate(200, 60), Rate(999, 60), Rate(33, 15 * 60)])
@pytest.mark.parametrize("cadence", [Cadence.BURST, Cadence.EVEN, Cadence.LETTER])
def test_over_ten_windows_after_the_first_the_rate_is_within_two_percent(rate: Rate, cadence: Cadence) -> None:
    stamps = play([rate], [cadence], 11.2 * rate.seconds, [0.004 * rate.seconds ** 0.3], [0.5])
    counted = sum(rate.seconds <= stamp < 11 * rate.seconds for stamp in stamps)
    assert counted >= 10 * rate.number * 0.98 - 1  # a whole copy at the edge
    assert most_in_a_window(stamps, rate.seconds) <= rate.number


def test_newsletters_are_spread_and_posts_leave_at_once() -> None:
    even = play([Rate(100, 100)], [Cadence.EVEN], 90, [0.0], [0.5])
    assert 88 <= sum(at < 90 for at in even) <= 90 and max(later - earlier for earlier, later in pairwise(even)) < 1.02
    burst = grant([Bucket(Rate(100, 100))], Cadence.BURST, 1000)
    assert burst.at[:90] == (0.0,) * 90, "up to the window, but for the tenth kept for letters"
    assert len(burst.at) == 91


def test_a_tenth_is_kept_for_letters_and_used_by_others_only_slowly() -> None:
    bucket = Bucket(Rate(200, 3600))
    assert sum(len(grant([bucket], Cadence.BURST, 1000).at) for _ in range(3)) == 181
    assert len(grant([bucket], Cadence.LETTER, 5).at) == 5
    bucket.advance(180)
    assert len(grant([bucket], Cadence.BURST, 1000).at) == 1
    assert len(grant([bucket], Cadence.LETTER, 1000).at) == 13
    assert grant([bucket], Cadence.LETTER, 1).again == inf, "when the next slot is free depends on answers that have not come"


def test_what_was_given_back_may_be_used_and_what_was_answered_not_before_its_window_is_over() -> None:
    bucket = Bucket(Rate(4, 60))
    assert len(grant([bucket], Cadence.LETTER, 10).at) == 4
    bucket.give_back(4)
    bucket.answered(0.0, 3)
    assert len(grant([bucket], Cadence.LETTER, 10).at) == 1
    bucket.advance(59.9)
    assert min(grant([bucket], Cadence.LETTER, 10).at) >= 0.1, "a slot ahead, for when the window is over"
    bucket.give_back(4)
    bucket.advance(0.5)
    assert grant([bucket], Cadence.LETTER, 10).at == (0.0,) * 4


def test_slots_are_given_for_the_near_future_only_and_shared_among_workers() -> None:
    bucket = Bucket(Rate(100, 100))
    slots = grant([bucket], Cadence.EVEN, 1000)
    assert slots.at[0] == 0.0 and max(slots.at) <= HORIZON and HORIZON < slots.again < HORIZON + 1.01
    assert fair_share([Bucket(Rate(1000, 60)), Bucket(Rate(500, 60))], 4) == 125 and fair_share([bucket], 1000) == 1


def test_the_clock_of_a_bucket_never_goes_back() -> None:
    bucket = Bucket(Rate(10, 60))
    assert len(grant([bucket], Cadence.LETTER, 10).at) == 10
    bucket.give_back(10)
    bucket.answered(0.0, 10)
    bucket.advance(-3600.0)
    assert not grant([bucket], Cadence.LETTER, 10).at
    bucket.advance(60.5)
    assert len(grant([bucket], Cadence.LETTER, 20).at) == 10


@pytest.mark.parametrize(("text", "rate", "shown"), [
    ("200/hour", Rate(200, 3600), "200/hour"), ("2,000/day", Rate(2000, 86400), "2000/day"), ("2 000 / jour", Rate(2000, 86400), "2000/day"),
    ("30/15 minutes", Rate(30, 900), "30/15 minutes"), ("5/s", Rate(5, 1), "5/second"), ("1/90s", Rate(1, 90), "1/90 seconds"), ("10/120min", Rate(10, 7200), "10/2 hours")])  # fmt: skip
def test_limits_are_read_as_people_write_them(text: str, rate: Rate, shown: str) -> None:
    assert read_rate(text) == rate and str(rate) == shown and read_rate(shown) == rate


@pytest.mark.parametrize("text", ["", "200", "0/hour", "200/fortnight", "-3/hour", "x/hour", "1/99999 days", "9999999999999/day", "٣/hour/2"])
def test_what_is_no_limit_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        read_rate(text)


def test_several_limits_are_sorted_and_the_strictest_of_a_window_holds() -> None:
    assert read_rates("2000/day; 200/hour, 300/hour\n5/s") == (Rate(5, 1), Rate(200, 3600), Rate(2000, 86400))
    assert Rate(33, 3600).share(80) == Rate(26, 3600) and Rate(1, 1).share(80) == Rate(1, 1)


def test_the_end_is_estimated_from_the_limit_that_binds() -> None:
    assert seconds_for(200, [Bucket(Rate(160, 3600))]) == 40 * 3600 / 160
    assert seconds_for(200, [Bucket(Rate(160, 3600))], Cadence.EVEN) == 200 * 3600 / 160
    assert seconds_for(100, [Bucket(Rate(160, 3600)), Bucket(Rate(2000, 86400))]) == 0.0
    assert seconds_for(9000, [Bucket(Rate(160, 3600)), Bucket(Rate(2000, 86400))]) == 7000 * 86400 / 2000
