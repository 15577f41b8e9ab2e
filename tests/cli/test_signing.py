"""``colporteur domain dkim``, and what ``doctor`` says of it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cryptography.fernet import Fernet

from colporteur.adapters import dns, records
from colporteur.store.signing import SigningKey
from tests.cli.conftest import Run


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...] | None]:
    """What the DNS says, by name."""
    found: dict[str, tuple[str, ...] | None] = {}

    async def texts(names: Any) -> list[tuple[str, tuple[str, ...] | None]]:
        return [(name, found.get(name, ())) for name in names]

    monkeypatch.setattr(dns, "texts", texts)
    return found


def test_from_the_key_to_the_signature(run: Run, ask, zone: dict[str, Any]) -> None:
    run("domain", "add", "lists.saule.org")
    assert "--make both" in run("domain", "dkim", "lists.saule.org").stdout
    edwards, rsa = ask("domain", "dkim", "lists.saule.org", "--make", "both")
    assert (rsa["algorithm"], rsa["state"], rsa["type"]) == ("rsa", "made", "TXT") and rsa["name"] == f"{rsa['selector']}._domainkey.lists.saule.org"
    assert len(rsa["strings"]) == 2 and max(map(len, rsa["strings"])) <= 255 and "".join(rsa["strings"]) == rsa["record"]
    zone[rsa["name"]] = (rsa["record"],)
    found = {row["algorithm"]: (row["state"], row["dns"]) for row in ask("domain", "dkim", "lists.saule.org", "--check")}
    assert found == {"rsa": ("used", "live"), "ed25519": ("made", "missing")}
    table = run("domain", "dkim", "lists.saule.org").stdout
    assert f'{edwards["name"]}. IN TXT ( "v=DKIM1; k=ed25519; p=' in table and '" "' in table and "PRIVATE" not in table


def test_rotating_and_ending(run: Run, ask, zone: dict[str, Any]) -> None:
    run("domain", "add", "lists.saule.org")
    ask("domain", "dkim", "lists.saule.org", "--make", "rsa")
    refused = run("domain", "dkim", "lists.saule.org", "--use", SigningKey.objects.get().selector)
    assert refused.exit_code == 1 and "was not seen in the DNS" in refused.stderr
    old = ask("domain", "dkim", "lists.saule.org", "--use", SigningKey.objects.get().selector, "--force")[0]
    assert old["state"] == "used"
    new = ask("domain", "dkim", "lists.saule.org", "--make", "rsa")[0]
    zone[new["name"]] = (new["record"],)
    assert ask("domain", "dkim", "lists.saule.org", "--check")[0]["state"] == "published"
    states = {row["selector"]: row["state"] for row in ask("domain", "dkim", "lists.saule.org", "--use", new["selector"])}
    assert states == {old["selector"]: "retired", new["selector"]: "used"}
    early = run("domain", "dkim", "lists.saule.org", "--delete", old["selector"])
    assert early.exit_code == 1 and "still under way" in early.stderr
    assert len(ask("domain", "dkim", "lists.saule.org", "--delete", old["selector"], "--force")) == 1
    assert ask("domain", "dkim", "lists.saule.org", "--retire", new["selector"])[0]["state"] == "retired"
    assert run("domain", "dkim", "lists.saule.org", "--retire", "nothing").exit_code == 1


def test_doctor_says_how_the_keys_are(run: Run, ask, zone: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr("colporteur.cli.doctor.reached", lambda: contextlib.nullcontext(False))
    monkeypatch.setattr(records, "look_up", lambda domain: records.Records(trouble="not asked"))

    def said() -> dict[str, tuple[str, str]]:
        rows = json.loads(run("doctor", "lists.saule.org", "--json").stdout)
        return {row["check"]: (row["state"], row["says"]) for row in rows if row["check"].startswith("DKIM")}

    run("domain", "add", "lists.saule.org")
    assert said()["DKIM"][0] == "warning" and "--make both" in said()["DKIM"][1]
    key = ask("domain", "dkim", "lists.saule.org", "--make", "ed25519")[0]
    check = f"DKIM {key['selector']}"
    assert said()[check][0] == "warning" and "is not in the DNS" in said()[check][1]
    zone[key["name"]] = None
    assert said()[check][0] == "warning" and "does not answer" in said()[check][1]
    zone[key["name"]] = (key["record"],)
    ask("domain", "dkim", "lists.saule.org", "--check")
    assert said() == {check: ("ok", "its record is there, mail is signed with it")}
    zone[key["name"]] = (key["record"], key["record"])
    assert said()[check][0] == "trouble" and "not the only one" in said()[check][1]
    settings.SEAL_KEY = Fernet.generate_key()
    assert said()[check][0] == "trouble" and "COLPORTEUR_SECRET_KEY" in said()[check][1]
