"""Delivery reports, complaints, receipts and automatic replies: whom they name and what they mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colporteur.domain.bounces import Kind
from colporteur.mail import reports
from colporteur.mail.reports import library
from tests.mail.reports_written import WRITTEN, dsn

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bounces"
REAL = {path.name: path.read_bytes() for path in sorted((DATA / "msg").glob("*.txt"))}


@pytest.mark.parametrize("written", WRITTEN, ids=[one.name for one in WRITTEN])
def test_as_programs_write(written):
    found = reports.read(written.raw.encode(), None)
    assert ({one.recipient for one in found.told if one.recipient}, found.kind.value) == (written.whom, written.kind), found


def exact() -> list[str]:
    """Real reports whose set of addresses is not found exactly."""
    expected = json.loads((DATA / "expected.json").read_text())
    missed = []
    for name, wanted in expected.items():
        found = {one.recipient for one in reports.read(REAL[name]).told if one.verdict.kind not in (Kind.AUTOMATIC, Kind.COMPLAINT)}
        if found - {""} != {one.lower() for one in wanted["addresses"]}:
            missed.append(name)
    return missed


@pytest.mark.skipif(not REAL, reason="no real reports here")
def test_real_reports_name_their_recipients(monkeypatch):
    assert len(exact()) <= len(REAL) * 0.02, exact()
    monkeypatch.setattr(library, "failures", lambda raw: [])
    assert len(exact()) <= len(REAL) * 0.05, f"without the library: {exact()}"


@pytest.mark.skipif(not REAL, reason="no real reports here")
def test_what_real_reports_call_temporary_never_counts():
    expected = json.loads((DATA / "expected.json").read_text())
    late = [name for name, wanted in expected.items() if wanted["temporary"]]
    assert [name for name in late if reports.read(REAL[name]).kind.counts] == [] and late


def test_forwarded_mail_is_named_as_we_sent_it():
    (told,) = reports.read(dsn("failed", "5.1.1", "550 no such user", "anna@inner.example", "Anna@Mail.example").encode()).told
    assert (told.recipient, told.final, told.status, told.code) == ("anna@mail.example", "anna@inner.example", "5.1.1", 550)


def test_the_returned_message_is_referred_to_and_not_read():
    found = reports.read(dsn("failed", "5.1.1", "550 no such user").encode())
    assert found.message_ids == ("<1@home.example>",) and {one.recipient for one in found.told} == {"anna@mail.example"}


@pytest.mark.skipif(not REAL, reason="no real reports here")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_reports_never_crash(data):
    raw = bytearray(data.draw(st.sampled_from([*REAL.values(), *(one.raw.encode() for one in WRITTEN)]))[:20_000])
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        stop = min(len(raw), start + data.draw(st.integers(0, 400)))
        raw[start:stop] = data.draw(st.one_of(st.just(b""), st.binary(max_size=30), st.just(bytes(raw[:200])), st.just(b"\r\n\r\n")))
    found = reports.read(bytes(raw), data.draw(st.sampled_from(["", None, "a@example.org"])))
    assert all(len(one.text) <= 500 and "\x00" not in one.text for one in found.told) and len(found.told) <= 100


@pytest.mark.parametrize("piece", [b"<a@b.c>: ", b"could not be delivered to ", b"a=", b"'", b"mailbox not ", b"Final-Recipient: rfc822; a@b.example\r\n\r\n"])
def test_large_reports_are_bounded(piece):
    raw = b"From: MAILER-DAEMON@mx.example\r\nSubject: failure notice\r\n\r\n" + (piece * 200)[:900] + b"\r\n" + piece * 40_000
    assert len(reports.read(raw).told) <= 100
