"""``bounce explain``: the table, and what one report says, without any database."""

from __future__ import annotations

from tests.mail.reports_written import WRITTEN

BY_NAME = {one.name: one.raw for one in WRITTEN}


def test_the_table_is_printed(run, ask):
    result = run("bounce", "explain")
    assert result.exit_code == 0 and "Orange" in result.output and "null ?mx" in result.output
    rows = ask("bounce", "explain")
    assert {"kind", "class", "fault", "reason", "status", "code", "words", "who"} == set(rows[0]) and len(rows) > 100


def test_a_report_is_explained(ask, run, tmp_path):
    found = ask("bounce", "explain", input=BY_NAME["orange"])
    assert found["kind"] == "bounce"
    assert {**found["events"][0], "diagnostic": ""} == {
        "recipient": "anna@mail.example", "status": "5.1.1", "class": "soft", "fault": "mailbox", "diagnostic": "", "kind": "mailbox_state", "reason": "full", "code": 552, "final": "",
    }  # fmt: skip
    kinds = {name: ask("bounce", "explain", input=BY_NAME[name])["kind"] for name in ("rfc3464 delayed", "rfc3464 delivered", "complaint", "absence: Hello", "a person", "rfc3464 spamhaus")}
    assert list(kinds.values()) == ["delayed", "delivered", "complaint", "auto_reply", "unrecognised", "bounce"]
    (tmp_path / "report.eml").write_text(BY_NAME["qmail"])
    words = run("bounce", "explain", str(tmp_path / "report.eml")).output
    assert "anna@mail.example: dead" in words and "this address does not exist" in words and "by the row" in words
    assert run("bounce", "explain", str(tmp_path / "missing")).exit_code == 2
