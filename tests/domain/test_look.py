"""Colours of an organisation: readable whatever was chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.domain import look
from colporteur.domain.words import Invalid


@given(st.integers(0, 0xFFFFFF))
def test_any_colour_becomes_tones_that_can_be_read_in_light_and_dark(number: int) -> None:
    base = f"{number:06x}"
    for tones, paper, well, ink, on_button in [(look.light(base), "#ffffff", "#f2f5f7", "#16212b", "#ffffff"), (look.dark(base), "#12191f", "#1a232b", "#e9eef1", "#0d1a24")]:
        assert all(look.contrast(tones.blue, under) >= 4.5 for under in (paper, well, tones.cover, tones.pale, on_button))
        assert look.contrast(tones.strong, on_button) >= 4.5 and look.contrast(tones.strong, paper) >= 4.5
        assert look.contrast(ink, tones.cover) >= 7 and look.contrast(ink, tones.pale) >= 7
        assert look.contrast(tones.filet, paper) >= 3


def test_a_colour_that_can_be_read_stays_as_it_was_chosen() -> None:
    assert look.light("134a72").blue == "#134a72"
    assert look.contrast("#000000", "#ffffff") == 21


@pytest.mark.parametrize("text", ["red", "#12345", "123456; background: url(x)", "#gggggg", "1234567"])
def test_what_is_no_colour_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(Invalid, match="write it like"):
        look.colour(text)


def test_a_colour_is_kept_in_one_form_and_may_be_taken_away() -> None:
    assert (look.colour(" #C8102E "), look.colour("c8102e"), look.colour(" ")) == ("c8102e", "c8102e", "")
