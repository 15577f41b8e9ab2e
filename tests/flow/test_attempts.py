"""Passwords tried too often."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colporteur.flow import attempts
from colporteur.store.people import SignInAttempt
from tests.flow.posts import NOW

pytestmark = pytest.mark.django_db
ANNA, MINUTE = "anna@members.example", timedelta(minutes=1)


def test_an_address_waits_after_ten_attempts_and_trying_on_does_not_lengthen_it() -> None:
    for _time in range(attempts.OF_ADDRESS):
        assert attempts.begin(ANNA, "192.0.2.7", NOW)
    for minutes in range(15):
        assert attempts.begin(ANNA.upper(), "198.51.100.1", NOW + minutes * MINUTE) is None
    assert attempts.begin("bea@members.example", "192.0.2.7", NOW)
    assert attempts.begin(ANNA, "192.0.2.7", NOW + 15 * MINUTE)
    assert SignInAttempt.objects.count() == 2  # what is past is forgotten


def test_a_right_password_begins_anew_for_the_address_only() -> None:
    for number in range(attempts.OF_CLIENT - 1):
        assert attempts.begin(f"{number}@members.example", "192.0.2.7", NOW)
    for _time in range(3):  # signing in with an own account between guesses
        mine = attempts.begin(ANNA, "192.0.2.7", NOW)
        assert mine
        attempts.succeeded(mine)
    assert attempts.begin("last@members.example", "192.0.2.7", NOW)
    assert attempts.begin(ANNA, "192.0.2.7", NOW) is None
    assert attempts.begin(ANNA, "192.0.2.8", NOW)


@pytest.mark.parametrize(("clients", "refused"), [
    ([f"2001:db8:1:2::{number:x}" for number in range(31)], True), ([f"2001:db8:1:{number:x}::1" for number in range(31)], False), (["::ffff:192.0.2.7"] * 31, True),
    (["127.0.0.1"] * 31, False), (["::1"] * 31, False), ([""] * 31, False), (["unknown"] * 31, False),
])  # fmt: skip
def test_what_counts_as_one_client(clients: list[str], refused: bool) -> None:
    found = [attempts.begin(f"{number}@members.example", client, NOW) for number, client in enumerate(clients)]
    assert all(found[:30])
    assert (found[30] is None) is refused
