"""Tokens: short, signed, and good for one purpose only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.domain.tokens import LENGTH, Purpose, read, sign

KEY = b"k" * 32
NUMBERS = st.integers(min_value=0, max_value=(1 << 40) - 1)


@given(NUMBERS, NUMBERS)
def test_a_token_gives_its_numbers_back_whatever_its_case(first: int, second: int) -> None:
    token = sign(KEY, Purpose.COPY, first, second)
    assert len(token) == LENGTH
    assert read(KEY, Purpose.COPY, token) == read(KEY, Purpose.COPY, token.upper()) == (first, second)


@given(NUMBERS, NUMBERS, st.integers(min_value=0, max_value=LENGTH - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_character_opens_nothing(first: int, second: int, place: int, character: str) -> None:
    token = sign(KEY, Purpose.COPY, first, second)
    changed = token[:place] + character + token[place + 1 :]
    assert changed == token or read(KEY, Purpose.COPY, changed) is None


@given(st.text(max_size=40))
def test_foreign_text_opens_nothing(text: str) -> None:
    assert read(KEY, Purpose.MODERATE, text) is None


def test_a_token_of_one_purpose_or_key_opens_no_other() -> None:
    token = sign(KEY, Purpose.COPY, 1, 2)
    assert read(KEY, Purpose.MODERATE, token) is None
    assert read(b"x" * 32, Purpose.COPY, token) is None


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OverflowError):
        sign(KEY, Purpose.COPY, 1 << 40, 0)
