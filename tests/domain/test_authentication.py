"""Whose word counts that a message is by its author."""

from __future__ import annotations

import pytest

from colporteur.domain.authentication import aligned, proof
from colporteur.mail.authentication import results

ANNA = "anna@org.example"


def said(*fields: str, trusted: str = "mx.org.example") -> str:
    raw = "".join(f"Authentication-Results: {field}\r\n" for field in fields) + "From: anna@org.example\r\n\r\nx\r\n"
    return proof(results(raw.encode()), [trusted], ANNA)


@pytest.mark.parametrize(
    "field",
    [
        "mx.org.example; auth=pass (plain) smtp.auth=anna smtp.mailfrom=anna@org.example",
        "mx.org.example 1; dkim=pass header.d=org.example header.s=s1",
        "MX.org.example; DKIM=Pass reason=\"good signature\" header.i=@org.example",
        "mx.org.example; spf=pass smtp.mailfrom=org.example; dkim=none",
        "mx.org.example; spf=fail smtp.mailfrom=x@y.example; dmarc=pass (p=reject) header.from=org.example",
        "mx.org.example (our server);\r\n dkim=fail header.d=other.example;\r\n dkim=pass header.d=org.example",
    ],
)
def test_a_pass_that_speaks_for_the_author_proves(field: str) -> None:
    assert said(field)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "mx.org.example; none",
        "mx.evil.example; auth=pass",
        "mx.org.example.evil.example; auth=pass",
        "mx.org.example; dkim=pass header.d=evil.example",
        "mx.org.example; dkim=pass header.d=sub.org.example",
        "mx.org.example; dkim=pass header.d=notorg.example",
        "mx.org.example; dkim=pass",
        "mx.org.example; dkim=neutral header.d=org.example",
        "mx.org.example; spf=pass smtp.helo=org.example",
        "mx.org.example; spf=pass smtp.mailfrom=bounce@esp.example",
        "mx.org.example; dmarc=pass header.from=evil.example",
        'mx.org.example; spf=pass (x; auth=pass) smtp.mailfrom=evil.example',
        'mx.org.example; spf=pass smtp.mailfrom="x; auth=pass"@evil.example',
        r'mx.org.example; spf=pass (a \) ; auth=pass',
        r'mx.org.example; spf=pass smtp.mailfrom="a\"; auth=pass ;"@evil.example',
        "mx.org.example; spf=pass (unclosed ; auth=pass",
    ],
)
def test_nothing_else_does(field: str) -> None:
    assert said(field) == ""


def test_what_stands_below_the_servers_own_field_was_written_by_the_sender() -> None:
    assert said("mx.org.example; dkim=none; spf=softfail smtp.mailfrom=evil.example", "mx.org.example; dkim=pass header.d=org.example") == ""
    assert said("mx.org.example; spf=none", "mx.org.example; dkim=pass header.d=org.example")  # two programs of one server, each its field


def test_no_server_named_means_no_proof() -> None:
    assert said("mx.org.example; auth=pass", trusted="") == ""


def test_the_same_domain_or_one_above_speaks_for_it() -> None:
    assert aligned("org.example", "org.example") and aligned("org.example", "team.org.example")
    assert not aligned("example", "org.example") and not aligned("team.org.example", "org.example") and not aligned("", "org.example")


@pytest.mark.parametrize("value", [b"(" * 9000, b'"' * 9000, b"a=b;" * 9000, b"\\" * 9000, b"\xff\xfe;=;=" * 100])
def test_nothing_a_sender_writes_stops_the_reader(value: bytes) -> None:
    assert proof(results(b"Authentication-Results: mx.org.example;" + value + b"\r\n\r\n"), ["mx.org.example"], ANNA) == ""
