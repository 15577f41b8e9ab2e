"""Codes of an authenticator app against the vectors of RFC 6238, and each good once."""

from __future__ import annotations

import base64

import pytest

from colporteur.domain import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(("at", "code"), [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")])
def test_the_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert totp.code(SECRET, at // totp.STEP) == code  # RFC 6238 appendix B, last six digits


def test_a_code_is_good_once_and_for_a_clock_that_is_a_little_off() -> None:
    at, step = 1_111_111_111, 1_111_111_111 // 30
    assert totp.matching(SECRET, " 050 471 ", at, 0) == step
    assert totp.matching(SECRET, "050471", at + 30, 0) == step
    assert totp.matching(SECRET, "050471", at - 30, 0) == step
    assert totp.matching(SECRET, "050471", at + 60, 0) is None
    assert totp.matching(SECRET, "050471", at, step) is None
    assert totp.matching(SECRET, "", at, 0) is None
    assert totp.matching(SECRET, "０５０４７１", at, 0) is None


def test_the_picture_tells_who_and_where() -> None:
    assert totp.address(totp.secret_of(b"x" * 20), "Colporteur saule.example", "anna@a.example") == "otpauth://totp/Colporteur%20saule.example:anna@a.example?secret=PB4HQ6DYPB4HQ6DYPB4HQ6DYPB4HQ6DY&issuer=Colporteur%20saule.example"
