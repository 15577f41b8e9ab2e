"""`person export`, `erase`, `pause`, `opposition`, and `member consent`."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from colporteur.cli import installation
from colporteur.cli.members import member
from colporteur.cli.people import person
from colporteur.flow import lists, memberships, organisations
from colporteur.store.lists import List
from colporteur.store.models import Address

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ANNA = "anna@a.example"


@pytest.fixture(autouse=True)
def in_the_tests_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands another test ran through the program are wrapped in the start of the database from then on."""
    monkeypatch.setattr(installation, "installation", contextlib.nullcontext)


@pytest.fixture
def amis() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    made = lists.create("amis@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(made, [(ANNA, "Anna")], NOW, by="helene@saule.example", given=memberships.Given("import", evidence="amis.csv"))
    return made


def run(group: object, *arguments: str, **more: object) -> Result:
    return CliRunner().invoke(group, arguments, **more)  # type: ignore[arg-type]


def test_export_erase_and_opposition(amis: List) -> None:
    assert json.loads(run(person, "export", ANNA).output)["memberships"][0]["consent"]["evidence"] == "amis.csv"
    assert run(person, "erase", ANNA, input="n\n").exit_code == 1 and Address.objects.filter(email=ANNA).exists()
    refused = run(person, "erase", "helene@saule.example", "--yes")
    assert refused.exit_code == 1 and "amis@saule.example" in refused.output
    assert run(person, "erase", ANNA, "--yes").exit_code == 0 and not Address.objects.filter(email=ANNA).exists()
    assert run(member, "add", "amis@saule.example", ANNA).exit_code == 1
    assert run(person, "opposition", ANNA, "--end").exit_code == 0
    assert run(member, "add", "amis@saule.example", ANNA).exit_code == 0


def test_pause_until_a_day(amis: List) -> None:
    assert run(person, "pause", ANNA, "--until", "2020-01-01").exit_code == 1
    day = f"{datetime.now(UTC).year + 1}-01-31"
    assert run(person, "pause", ANNA, "--until", day).exit_code == 0
    assert Address.objects.get(email=ANNA).paused_until
    assert run(person, "pause", ANNA).exit_code == 0 and Address.objects.get(email=ANNA).paused_until is None


def test_consent_of_a_member_is_told(amis: List) -> None:
    [row] = json.loads(run(member, "consent", "amis@saule.example", ANNA, "--json").output)
    assert (row["how"], row["by"], row["evidence"]) == ("import", "helene@saule.example", "amis.csv")
    assert run(member, "consent", "amis@saule.example", "nobody@a.example").exit_code == 1
