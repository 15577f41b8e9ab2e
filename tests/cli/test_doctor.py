"""``doctor`` says how everything is, and what to do."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from colporteur.adapters import records
from colporteur.cli import colporteur
from colporteur.flow import organisations, transports
from colporteur.store import health
from colporteur.store.transports import Transport

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def database_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colporteur.cli.doctor.reached", lambda: contextlib.nullcontext(False))


def ask(*words: str) -> tuple[int, dict[str, dict[str, str]]]:
    result = CliRunner().invoke(colporteur, ["doctor", *words, "--json"])
    return result.exit_code, {check["check"]: check for check in json.loads(result.stdout)}


def test_what_does_not_run_is_trouble_with_what_to_do() -> None:
    status, found = ask()
    assert status == 1
    assert found["worker"]["state"] == "trouble" and "colporteur worker" in found["worker"]["says"]
    assert {found[name]["state"] for name in ("database", "schema", "key", "clock", "quarantine")} == {"ok"}
    assert found["transports"]["state"] == "warning"


def test_everything_up_is_status_0(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in health.expected():
        health.beat(part, "here", 1)
    transports.add("outbox", "folder:///tmp/colporteur-tests-outbox", NOW)
    monkeypatch.setattr("colporteur.cli.doctor.ports.answers", lambda address: True)
    status, found = ask()
    assert status == 0, found
    assert found["transport outbox"]["state"] == "ok"


def test_a_transport_in_trouble_is_quoted() -> None:
    transports.add("relay", "smtp://relay.example:587", NOW)
    Transport.objects.update(failures=3, last_error="535 5.7.8 wrong password")
    _status, found = ask()
    assert found["transport relay"]["state"] == "trouble" and "535 5.7.8 wrong password" in found["transport relay"]["says"]


def test_parts_of_different_releases_on_one_database_are_trouble() -> None:
    health.beat("worker", "here", 1)
    _status, found = ask()
    assert found["releases"]["state"] == "ok"
    health.beat("worker", "there", 2)
    health.Heartbeat.objects.filter(host="there").update(release="0.0.9")
    _status, found = ask()
    assert found["releases"]["state"] == "trouble" and "0.0.9: worker on there" in found["releases"]["says"]
    health.ended("here", 1)
    _status, found = ask()
    assert found["releases"]["state"] == "trouble" and "restart them" in found["releases"]["says"]


def test_clocks_far_apart_are_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colporteur.cli.doctor.time.time", lambda: datetime.now(UTC).timestamp() + 3600)
    _status, found = ask()
    assert found["clock"]["state"] == "trouble" and re.match(r"3[56]\d\d s apart", found["clock"]["says"])


def test_another_key_is_trouble(settings: Any) -> None:
    ask()
    settings.SECRET_FINGERPRINT = "0123456789abcdef"
    _status, found = ask()
    assert found["key"]["state"] == "trouble" and "COLPORTEUR_SECRET_KEY" in found["key"]["says"]


def test_the_dns_of_a_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    organisations.add_domain("lists.saule.org", None, NOW, by="test")
    asked: list[str] = []

    def answer(domain: str) -> records.Records:
        asked.append(domain)
        return records.Records(mx=("mx.saule.org",), dmarc="v=DMARC1; p=none")

    monkeypatch.setattr(records, "look_up", answer)
    _status, found = ask("Lists.Saule.ORG")
    assert asked == ["lists.saule.org"]
    assert found["MX"]["state"] == "ok" and found["SPF"]["state"] == "warning" and found["DMARC"]["state"] == "ok"
    assert found["domain lists.saule.org"]["state"] == "ok"


def test_reserved_domains_are_never_looked_up() -> None:
    assert "never looked up" in records.look_up("lists.saule.example").trouble


def test_a_domain_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(colporteur, ["doctor", "no domain"])
    assert result.exit_code == 1 and "is not a domain" in result.output
