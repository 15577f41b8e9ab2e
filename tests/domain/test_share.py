"""Processes that deliver side by side and the connections they share."""

from __future__ import annotations

import pytest

from colporteur.domain.transports import Share
from colporteur.domain.words import Invalid


@pytest.mark.parametrize("most", [1, 2, 5, 20, 1000])
@pytest.mark.parametrize("of", [1, 2, 3, 4])
def test_all_parts_together_are_all_connections(most: int, of: int) -> None:
    parts = [Share(nth, of).of_connections(most, limited=False) for nth in range(1, of + 1)]
    assert sum(parts) == most and max(parts) - min(parts) <= 1 and parts[0] == max(parts)


def test_what_is_limited_is_the_first_ones_alone() -> None:
    assert [Share(nth, 3).of_connections(5, limited=True) for nth in (1, 2, 3)] == [5, 0, 0]


@pytest.mark.parametrize("text", ["", "1", "0/1", "2/1", "1/0", "a/b", "-1/2", "1/2/3", "1/100000"])
def test_a_share_is_a_number_of_a_number(text: str) -> None:
    assert Share.read("2/4") == (2, 4)
    with pytest.raises(Invalid, match="1/2"):
        Share.read(text)
