"""Who fetched a link, and haste."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain.campaigns import Tracking
from colporteur.domain.tracking import Haste, Range, Why, hour, lowest, who

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "answer"),
    [
        (CHROME, Why.READER),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", Why.READER),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", Why.READER),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)", Why.READER),
        ("Mozilla/5.0", Why.PREFETCH),
        ("", Why.SCANNER),
        ("Mozilla/5.0 (compatible; BarracudaCentral Scanner)", Why.SCANNER),
        ("Mimecast URL Protect", Why.SCANNER),
        ("Mozilla/5.0 (Windows NT 10.0) BingPreview/1.0b", Why.SCANNER),
        ("python-requests/2.32", Why.SCANNER),
        ("Slackbot-LinkExpanding 1.0", Why.SCANNER),
    ],
)
def test_programs_are_told_from_readers_by_what_they_say(agent: str, answer: Why) -> None:
    assert who(agent) is answer


def test_programs_are_told_from_readers_by_how_they_ask() -> None:
    assert who(CHROME, "HEAD") is Why.ASKED
    assert who(CHROME, purpose="prefetch;prerender") is Why.PREFETCH
    assert who(CHROME, since_start=timedelta(seconds=2)) is Why.HASTE and who(CHROME, since_start=timedelta(seconds=9)) is Why.READER


def test_the_third_link_within_seconds_gives_the_earlier_ones_away() -> None:
    haste = Haste()
    assert [haste.noticed(b"a", link, at) for link, at in ((1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0))] == [None, None, [1, 2], []]
    assert haste.again(b"a", 2, 4.0) and not haste.again(b"a", 9, 4.0) and not haste.again(b"b", 2, 4.0)


def test_a_reader_who_takes_time_stays_one() -> None:
    haste = Haste()
    assert [haste.noticed(b"a", link, at) for link, at in ((1, 0.0), (2, 6.0), (3, 11.0), (4, 16.0))] == [None] * 4
    assert not haste.again(b"a", 1, 16.0)


def test_haste_remembers_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Haste, "MOST", 3)
    haste = Haste()
    for number in range(10):
        haste.noticed(bytes([number]), 1, 0.0)
    assert [haste.again(bytes([number]), 1, 0.1) for number in (6, 7, 8, 9)] == [False, True, True, True]


def test_a_newsletter_may_learn_less_than_its_list_and_never_more() -> None:
    assert lowest(Tracking.TOTALS, Tracking.PEOPLE) is Tracking.TOTALS
    assert lowest(Tracking.PEOPLE, Tracking.OFF) is Tracking.OFF


def test_shares_never_pass_the_whole() -> None:
    assert Range(5, 20).share(10) == (50, 100) and Range(0, 0).share(0) == (0, 0)
    assert hour(datetime(2026, 11, 21, 9, 27, 8, 5, tzinfo=UTC)) == datetime(2026, 11, 21, 9, tzinfo=UTC)
