"""Routes: read from words, shared out by turns, and who can stand in for whom."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from colporteur.domain.routes import MOST_WEIGHT, Means, Step, carries, checked, compatible, read, sharing, text_of, turns


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ([], ()),
        (["main"], (Step("main"),)),
        (["main relay:3", "second"], (Step("main relay", 3), Step("second"))),
        (["main:3", "second", "/", "reserve:2", "/", "last"], (Step("main", 3), Step("second"), Step("reserve", 2, 1), Step("last", 1, 2))),
    ],
)
def test_words_are_read_and_written_the_same(words: list[str], steps: tuple[Step, ...]) -> None:
    assert read(words) == steps
    assert text_of(steps) == " ".join(words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["/", "main"], "before each /"), (["main", "/"], "after each /"), (["main", "/", "/", "other"], "before each /"), (["main:0"], "a weight is"), (["main:101"], "a weight is"),
        (["main:-1"], "a weight is"), (["main:"], "a weight is"), (["main:٣"], "a weight is"), (["main", "main"], "twice"), (["main", "/", "main:2"], "twice"), ([f"t{n}" for n in range(21)], "at most 20"),
    ],
)  # fmt: skip
def test_wrong_words_say_what_to_write(words: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(words)


def test_ranks_have_no_gaps() -> None:
    assert [step.rank for step in checked([Step("c", 1, 7), Step("a", 1, 2), Step("b", 1, 2)])] == [0, 0, 1]


def test_the_first_rank_with_a_usable_one_takes_all() -> None:
    route = read(["a:3", "b", "/", "c", "d:2", "/", "e"])
    assert sharing(route, {"a", "b", "c"}.__contains__) == [("a", 3), ("b", 1)]
    assert sharing(route, {"b", "e"}.__contains__) == [("b", 1)]
    assert sharing(route, {"d", "e"}.__contains__) == [("d", 2)]
    assert sharing(route, set().__contains__) == []
    assert dict(sharing(route, {"a", "c", "e"}.__contains__, every_rank=True)) == {"a": 3, "c": 1, "e": 1}


@given(some.lists(some.integers(1, MOST_WEIGHT), min_size=1, max_size=8))
def test_every_transport_has_its_turns_and_never_waits_long(weights: list[int]) -> None:
    shares = list(enumerate(weights))
    order = turns(shares)
    total = sum(weights)
    counted = Counter(order)
    assert all(counted[id_] * total == weight * len(order) for id_, weight in shares)
    for length in range(1, len(order) + 1):  # at every moment near its part: never as far as the number of the others
        for id_, weight in shares:
            assert abs(order[:length].count(id_) - length * weight / total) < len(weights)


def test_turns_are_spread() -> None:
    assert turns([("a", 3), ("b", 1)]) == ("a", "a", "b", "a")
    assert turns([("a", 50), ("b", 50)]) == ("a", "b")
    assert turns([]) == ()


def test_who_carries_what_was_prepared_for_another() -> None:
    free, bound, folder = Means("free", "smtp", {}), Means("bound", "smtp", {"envelope_sender": False}), Means("files", "folder", {})
    assert carries(free, bound) and not carries(bound, free) and carries(bound, bound)
    assert not carries(folder, free) and not carries(free, folder) and carries(folder, folder)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (Means("a", "smtp", {}), Means("b", "smtp", {"envelope_sender": False}), "a and b .* envelope sender"),
        (Means("a", "smtp", {"from_address": False}), Means("b", "smtp", {}), "a and b .* addresses in From"),
        (Means("a", "smtp", {}), Means("b", "folder", {}), "a and b .* reach nobody"),
    ],
)
def test_what_cannot_stand_in_for_one_another_is_said(one: Means, other: Means, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compatible([one, other])
    compatible([one, one._replace(name="c")])
    compatible([])
