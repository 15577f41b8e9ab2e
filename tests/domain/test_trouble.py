"""Whose trouble a refusal is."""

from __future__ import annotations

import pytest

from colporteur.domain.trouble import ALIKE, Row, likeness, rest


@pytest.mark.parametrize(("one", "other"), [
    ("5.7.1 <a@b.example>: Relay access denied", "5.7.1 <c@d.example>: Relay access denied"), ("Message 4Xb1 rejected by filter 12:30:01", "Message 9Qz77 rejected by filter 12:30:02"),
    ("5.7.26 sender a@b is not aligned", "5.7.26 sender x@y is not aligned"),
])  # fmt: skip
def test_alike_is_what_differs_only_in_addresses_and_numbers(one: str, other: str) -> None:
    assert likeness(550, one) == likeness(550, other) is not None


@pytest.mark.parametrize(("one", "other"), [((550, "5.7.1 No"), (554, "5.7.1 No")), ((550, "5.7.1 No"), (550, "5.7.26 No")), ((550, "Blocked"), (550, "Unknown"))])
def test_not_alike(one: tuple[int, str], other: tuple[int, str]) -> None:
    assert likeness(*one) != likeness(*other)


@pytest.mark.parametrize("text", ["5.1.1 User unknown", "5.1.10 Null MX", "5.2.2 Over quota", "4.2.1 Busy", "5.2.1 Disabled"])
def test_what_speaks_of_one_mailbox_is_never_a_row(text: str) -> None:
    assert likeness(550, text) is None


def test_a_row_is_broken_by_another_refusal_and_by_an_acceptance() -> None:
    row = Row()
    assert not any(row.add("a") for _ in range(ALIKE - 1))
    assert row.begins_anew("b") and not row.add("b")
    assert [row.add("b") for _ in range(ALIKE - 1)] == [False] * (ALIKE - 2) + [True]
    assert not row.add("b"), "it begins anew"
    row.accepted()
    assert [row.add("b") for _ in range(ALIKE)] == [False] * (ALIKE - 1) + [True]


def test_a_mailing_rests_longer_after_a_final_refusal_and_not_for_ever() -> None:
    assert rest(451, 0) == 600 and rest(0, 0) == 600 and rest(554, 0) == 3600
    assert rest(451, 5 * 86400) is None
