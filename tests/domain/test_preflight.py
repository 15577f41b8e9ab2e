"""What is said about a newsletter before it is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from colporteur.domain.preflight import CLIPPED, HEAVY, Answer, Facts, broken, findings

GOOD = Facts(subject="Mars", text="Bonjour", html_size=2000, recipients=10, sender="lettre@saule.example", transport="relay")


def test_what_is_well_has_nothing_to_mend() -> None:
    assert findings(GOOD) == ()


@pytest.mark.parametrize(("change", "code", "grave"), [
    ({"subject": " "}, "subject", True), ({"subject": "x" * 100}, "subject-long", False), ({"text": "\n"}, "text", False), ({"text": "", "html_size": 0}, "text", True), ({"recipients": 0}, "recipients", True),
    ({"failing": 3}, "failing", True), ({"html_size": CLIPPED + 1}, "clipped", False), ({"without_alt": ("a.png",)}, "alt", False), ({"links": (Answer("https://a.example/x", 404, "Not Found"),)}, "links", False),
    ({"links": (Answer("http://a.example/", 200, ""),)}, "links-http", False), ({"unsubscribe": False}, "unsubscribe", False), ({"identity": False}, "identity", False), ({"strict": True, "own_domain": False}, "from", False),
    ({"signed": False}, "unsigned", False), ({"size": 20, "max_size": 10}, "size", True), ({"attachments": HEAVY + 1}, "attachments", False), ({"trouble": "451 later"}, "transport", False), ({"kept_here": True}, "folder", False),
])  # fmt: skip
def test_each_thing_wrong_is_said_with_what_to_do(change: dict[str, object], code: str, grave: bool) -> None:
    [found] = findings(replace(GOOD, **change))  # type: ignore[arg-type]
    assert (found.code, found.grave) == (code, grave) and found.words and found.mend


def test_grave_things_come_first() -> None:
    assert [one.grave for one in findings(replace(GOOD, identity=False, failing=1, signed=False, subject=""))] == [True, True, False, False]


@pytest.mark.parametrize(("status", "expected"), [(200, False), (302, False), (401, False), (403, False), (404, True), (410, True), (429, False), (500, True), (0, True)])
def test_a_server_that_refuses_programs_says_nothing_about_readers(status: int, expected: bool) -> None:
    assert broken(Answer("https://a.example/", status, "")) is expected


def test_why_links_give_no_answer_can_be_said_in_another_language() -> None:
    french = {"it takes too long to answer": "trop lent", "no connection to it": "injoignable"}
    [found] = findings(replace(GOOD, links=(Answer("https://a.example/", 0, "slow"), Answer("https://b.example/", 404, ""), Answer("https://c.example/", 0, "as an older release said it"))))
    assert found.words.into(lambda msgid: french.get(msgid, msgid)) == "links that lead nowhere (3): https://a.example/ (trop lent), https://b.example/ (404), https://c.example/ (injoignable)"
