"""What machines write is recognised, what people write is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colporteur.mail import parse, reports
from colporteur.mail.reports import Automatic

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def kind(*fields: str, mail_from: str | None = "a@example.org") -> tuple[Automatic, str]:
    return reports.automatic(parse.skim(("From: a@example.org\n" + "\n".join(fields) + "\n\nx\n").encode()), mail_from)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["Content-Type: multipart/report; report-type=delivery-status; boundary=b"], Automatic.REPORT),
        (["Content-Type: multipart/report; report-type=feedback-report; boundary=b"], Automatic.COMPLAINT),
        (["Content-Type: multipart/report; report-type=disposition-notification; boundary=b"], Automatic.RECEIPT),
        (["Content-Type: multipart/report; boundary=b"], Automatic.REPORT),
        (["X-Failed-Recipients: b@example.org"], Automatic.REPORT),
        (["Subject: Undelivered Mail Returned to Sender"], Automatic.REPORT),
        (["Auto-Submitted: auto-replied (vacation)"], Automatic.AUTO_REPLY),
        (["Auto-Submitted: auto-replied; owner-email=a@example.org"], Automatic.AUTO_REPLY),
        (["Auto-Submitted: AUTO-GENERATED"], Automatic.GENERATED),
        (["Auto-Submitted: no"], Automatic.NONE),
        (["X-Autoreply: yes"], Automatic.AUTO_REPLY),
        (["X-Autoreply: no"], Automatic.NONE),
        (["Precedence: auto_reply"], Automatic.AUTO_REPLY),
        (["Precedence: bulk"], Automatic.BULK),
        (["Precedence: junk"], Automatic.BULK),
        (["Precedence: list"], Automatic.LIST),
        (["Precedence: bulk", "List-Id: <x.y>"], Automatic.LIST),
        (["Precedence: first-class"], Automatic.NONE),
        (["X-Auto-Response-Suppress: OOF"], Automatic.NONE),  # Outlook puts it into what people write, too
        (["Subject: bonjour"], Automatic.NONE),
    ],
)
def test_by_fields(fields, expected):
    found, evidence = kind(*fields)
    assert found is expected and bool(evidence) is (expected is not Automatic.NONE)


@pytest.mark.parametrize(
    "subject",
    [
        "Out of office", "Out of Office: Re: x", "Out of Office AutoReply: x", "Automatic reply: x", "Auto: x", "Autoreply: x", "Auto-Response: x", "On vacation",
        "Réponse automatique : x", "=?utf-8?q?R=C3=A9ponse_automatique?= : x", "Message d'absence", "Absence du bureau : x", "Absent du bureau", "Je suis actuellement absente",
        "Abwesenheitsnotiz", "Abwesenheitsnotiz: x", "Automatische Antwort: x", "Nicht im Büro", "Automatisch antwoord: x",
        "Respuesta automática: x", "Fuera de la oficina", "Fuera de oficina: x", "Risposta automatica: x", "Fuori sede", "Fuori ufficio: x", "Resposta automática: x", "Autosvar: x",
    ],
)  # fmt: skip
def test_absence_notices_in_five_languages_and_more(subject):
    assert kind(f"Subject: {subject}")[0] is Automatic.AUTO_REPLY


@pytest.mark.parametrize(
    "subject",
    ["Re: Out of office", "Out of office hours this week", "RE: Réponse automatique", "Absence du bureau de mardi", "Automatisation du site", "Automatic gate is broken", "Autour du four",
     "Absences de juin", "Fuera de la ciudad", "Assente giustificato", "Delivery of the vegetables", "Mail delivery problem in our street?", "Failure is an option", "En congés mais je réponds"],
)  # fmt: skip
def test_people_writing_about_absence_are_people(subject):
    assert kind(f"Subject: {subject}") == (Automatic.NONE, "")


def test_by_envelope():
    assert kind(mail_from="")[0] is Automatic.REPORT and kind(mail_from="<>")[0] is Automatic.REPORT
    assert kind(mail_from=None)[0] is Automatic.NONE
    assert kind("Auto-Submitted: auto-replied", mail_from="")[0] is Automatic.AUTO_REPLY


def test_daemons():
    assert reports.automatic(parse.skim(b"From: MAILER-DAEMON@mx.example\nSubject: hello\n\n"), None)[0] is Automatic.REPORT
    assert reports.automatic(parse.skim(b"From: postmaster@mx.example\nSubject: Undeliverable: hello\n\n"), None)[0] is Automatic.REPORT
    assert reports.automatic(parse.skim(b"From: postmaster@mx.example\nSubject: The server moves on Monday\n\n"), None)[0] is Automatic.NONE


DSN = (
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n'
    b"Final-Recipient: rfc822; ok@example.org\nAction: delayed\nStatus: 4.4.1\n\n"
    b"Original-Recipient: rfc822;anna@example.org\nFinal-Recipient: rfc822; a.b@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1\n  no such user\n--b--\n"
)


def test_a_delivery_report_in_one_line():
    assert reports.summary(DSN) == "failed 5.1.1 anna@example.org (and 1 more): smtp; 550 5.1.1 no such user"
    assert reports.summary(b"Subject: x\n\nDear all,\nHost mx said: 550 5.7.1 go\naway\n") == "Host mx said: 550 5.7.1 go away"
    assert reports.summary(b"Subject: x\n\nhello\n") == ""
    arf = b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: X/1\n--b--\n'
    assert reports.summary(arf) == "complaint abuse X/1"


def test_real_reports_are_recognised():
    expected = DATA / "bounces" / "expected.json"
    if not expected.is_file():
        pytest.skip("real reports are not beside this clone")
    names = [name for name, answer in json.loads(expected.read_text()).items() if answer["addresses"]]
    found = {name: parse.skim((DATA / "bounces" / "msg" / name).read_bytes()) for name in names}
    missed = [name for name in names if reports.automatic(found[name], None)[0] is Automatic.NONE]
    # Even where the door cannot tell the envelope sender; with it (null) all are.
    assert len(missed) <= len(names) * 0.06, missed
    assert all(reports.automatic(item, "")[0] is not Automatic.NONE for item in found.values())
    silent = [name for name in names if not reports.summary((DATA / "bounces" / "msg" / name).read_bytes())]
    assert len(silent) <= len(names) * 0.15, silent
