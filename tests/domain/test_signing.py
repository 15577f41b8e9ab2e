"""DKIM keys: selectors, records, and what the DNS says about them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from colporteur.domain.signing import KEEP_RETIRED, Algorithm, Seen, look, record, selector, strings
from colporteur.mail.signing import LIFE

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" + "x+/" * 120
RECORD = record(Algorithm.RSA, KEY)
EDWARDS = record(Algorithm.ED25519, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")


@pytest.mark.parametrize(("texts", "wanted", "seen"), [
    ([RECORD], RECORD, Seen.LIVE),
    ([f"p={KEY}"], RECORD, Seen.LIVE),  # rsa is what is meant when nothing is said
    ([f" v = DKIM1 ;k=rsa;h=sha1:sha256; s = email; t=s; n=ours; p={KEY[:200]} {KEY[200:]};"], RECORD, Seen.LIVE),
    ([EDWARDS], EDWARDS, Seen.LIVE),
    ([EDWARDS.replace("k=ed25519; ", "")], EDWARDS, Seen.OTHER),
    ([RECORD[:255]], RECORD, Seen.OTHER),  # the second string was lost
    ([RECORD.replace("x+/", "x+ /")], RECORD, Seen.LIVE),
    (["v=DKIM1; p="], RECORD, Seen.OTHER),  # revoked
    ([f"v=DKIM2; p={KEY}"], RECORD, Seen.OTHER),
    ([f"h=sha1; p={KEY}"], RECORD, Seen.OTHER),
    ([f"s=tlsrpt; p={KEY}"], RECORD, Seen.OTHER),
    (["v=spf1 -all"], RECORD, Seen.OTHER),
    ([RECORD, RECORD], RECORD, Seen.SEVERAL),
    ([], RECORD, Seen.MISSING),
    (None, RECORD, Seen.UNKNOWN),
])  # fmt: skip
def test_what_the_dns_says(texts: list[str] | None, wanted: str, seen: Seen) -> None:
    assert look(texts, wanted) is seen


def test_a_long_record_is_cut_in_strings_a_name_server_takes() -> None:
    cut = strings(RECORD)
    assert len(cut) == 2 and all(len(one) <= 255 for one in cut) and "".join(cut) == RECORD


def test_selectors_are_never_used_twice() -> None:
    day = date(2026, 11, 21)
    assert selector(Algorithm.RSA, day, ()) == "rsa-20261121"
    assert selector(Algorithm.RSA, day, {"rsa-20261121", "rsa-20261121-2"}) == "rsa-20261121-3"


def test_a_retired_record_stays_as_long_as_signatures_hold() -> None:
    assert timedelta(seconds=LIFE) <= KEEP_RETIRED
