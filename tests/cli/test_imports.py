"""``colporteur import``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from tests.cli.conftest import Run
from tests.flow.dumps import dump

SITE = dump({
    "mailsubscribers": ("id_mailsubscriber email nom optin statut date", [(1, "anna@a.example", "Anna", "", "valide", "2019-02-03 10:00:00"), (2, "x", "", "", "valide", "")]),
    "mailsubscribinglists": ("id_mailsubscribinglist identifiant titre statut", [(1, "lettre", "La lettre", "ouverte")]),
    "mailsubscriptions": ("id_mailsubscriber id_mailsubscribinglist id_segment statut", [(1, 1, 0, "valide")]),
})  # fmt: skip


def test_a_site_is_looked_at_then_imported_with_the_contracts_account(run: Run, ask: Callable[..., Any], amapiens: List, tmp_path: Path) -> None:
    file = tmp_path / "site.sql"
    file.write_bytes(SITE)
    dry = ask("import", "spip", file, "--dry-run")
    assert {name: dry[name] for name in ("people", "lists", "memberships", "oppositions", "mailings", "copies")} == {"people": 1, "lists": 1, "memberships": 1, "oppositions": 0, "mailings": 0, "copies": 0}
    assert dry["tables"]["spip_mailsubscribers"] == {"read": 2, "taken": 1, "skipped": {"not an e-mail address": 1}} and not Membership.objects.exists()
    assert ask("import", "spip", file, "--domain", "saule.example", "--prefix", "spip_") == dry
    assert ask("member", "list", "lettre@saule.example")[0]["since"] == "2019-02-03T10:00:00+01:00"
    told = run("import", "spip", file)
    assert told.exit_code == 0 and "spip_mailsubscribers: 2 rows read, 0 taken\n  1 skipped: imported before\n" in told.stdout


def test_what_cannot_be_imported_is_said_in_a_sentence(run: Run, amapiens: List, tmp_path: Path) -> None:
    file = tmp_path / "site.sql"
    for raw, words, why in ((SITE, ["--domain", "other.example"], "is not a domain"), (SITE, ["--prefix", "x_"], "no tables"), (b"hello", [], "cut off"), (b"", [], "no tables"), (b"SQLite format 3\x00" + b"x" * 200, [], "damaged"), (b"\x1f\x8b\x08zzz", [], "cannot be read")):
        file.write_bytes(raw)
        result = run("import", "spip", file, *words)
        assert result.exit_code == 1 and why in result.stderr, (raw[:20], result.output)


def test_a_csv_file_with_columns_of_its_own(ask: Callable[..., Any], amapiens: List, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("Contact;Ville\nanna@a.example;Rennes\n")
    report = ask("import", "csv", file, "--list", "amapiens@saule.example", "--map", "Contact=email")
    assert report["tables"] == {"export.csv": {"read": 1, "taken": 1, "skipped": {}}} and report["memberships"] == 1
