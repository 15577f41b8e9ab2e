"""Single members on the command line: what is decided, how they came, the opposition list, and adding that can be tried first."""

from __future__ import annotations

import contextlib
import json

import pytest
from click.testing import CliRunner, Result

from colporteur.cli import colporteur, installation
from colporteur.flow import joining, leaving
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.flow.posts import NOW
from tests.story.scenes import a_list

LIST, ANNA = "amis@lists.example", "anna@members.example"


@pytest.fixture
def amis(db: None, monkeypatch: pytest.MonkeyPatch) -> List:
    monkeypatch.setattr(installation, "installation", contextlib.nullcontext)
    return a_list(LIST, members=[ANNA])


def run(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(colporteur, words, input=given)


def test_what_is_named_changes_and_the_rest_stays(amis: List) -> None:
    assert json.loads(run("member", "change", LIST, ANNA, "--posting", "moderated", "--own-copy", "no", "--hidden", "--note", "rings twice", "--json").stdout)["changed"][ANNA]
    run("member", "change", LIST, ANNA, "--pause-from", "2999-01-01", "--pause-until", "2999-02-01", "--delivery", "none")
    row = json.loads(run("member", "show", LIST, ANNA, "--json").stdout)
    assert (row["posting"], row["own_copy"], row["hidden"], row["note"], row["delivery"], row["state"]) == ("moderated", False, True, "rings twice", "none", "active")
    assert row["pause_from"].startswith("2999-01-01T00:00") and json.loads(run("member", "list", LIST, "--json").stdout)[0]["note"] == "rings twice"
    run("member", "change", LIST, ANNA, "--no-pause", "--own-copy", "list", "--shown")
    row = json.loads(run("member", "show", LIST, ANNA, "--json").stdout)
    assert (row["pause_from"], row["own_copy"], row["hidden"], row["note"]) == (None, None, False, "rings twice")
    for wrong in (("change", LIST, ANNA), ("change", LIST, ANNA, "--pause-from", "2999-02-01", "--pause-until", "2999-01-01"), ("change", LIST, ANNA, "--no-pause", "--pause-from", "2999-02-01"), ("show", LIST, "nobody@members.example")):
        assert run("member", *wrong).exit_code == 1, wrong


def test_adding_is_tried_first_or_done_whole(amis: List) -> None:
    lines = "lea@members.example Léa\nrubbish\n"
    tried = run("member", "add", LIST, "--file", "-", "--dry-run", "--json", given=lines)
    assert tried.exit_code == 1 and json.loads(tried.stdout)["added"] == 1
    whole = run("member", "add", LIST, "--file", "-", "--all-or-nothing", "--json", given=lines)
    assert whole.exit_code == 1 and json.loads(whole.stdout)["added"] == 0 and "line 2" in whole.stderr
    assert Membership.objects.filter(list=amis).count() == 1
    assert run("member", "add", LIST, "--file", "-", "--all-or-nothing", given="lea@members.example\n").exit_code == 0
    (first, second) = json.loads(run("member", "consents", "--list", LIST, "--json").stdout)
    assert (first["address"], first["how"], first["evidence"], second["how"]) == ("lea@members.example", "import", "<stdin>", "")
    assert [row["id"] for row in json.loads(run("member", "consents", "--email", "lea", "--limit", "1", "--json").stdout)] == [first["id"]]
    assert json.loads(run("member", "consents", "--after", str(first["id"]), "--json").stdout)[0]["id"] == second["id"]


def test_invited_by_command(amis: List) -> None:
    outcomes = json.loads(run("member", "invite", LIST, "zoe@members.example", ANNA, "--json").stdout)
    assert [row["outcome"] for row in outcomes] == ["asked", "member"]


def test_owners_requests_are_decided_by_command(amis: List) -> None:
    amis.policy |= {"joining": "owner"}
    amis.save()
    for name in ("lea", "marc"):
        joining.ask(amis, Address.objects.create(email=f"{name}@courriel.example"), NOW, joining.Asking(name.title()))
    first, second = json.loads(run("member", "asking", LIST, "--json").stdout)
    assert (first["name"], first["state"], second["address"]) == ("Marc", "waiting", "lea@courriel.example")
    assert json.loads(run("member", "asking", LIST, "--after", str(first["id"]), "--json").stdout) == [second]
    assert json.loads(run("member", "admit", LIST, "lea@courriel.example", "--json").stdout)["outcome"] == "joined"
    assert json.loads(run("member", "refuse", LIST, "marc@courriel.example", "--reason", "full", "--json").stdout)["outcome"] == "refused"
    assert run("member", "admit", LIST, "marc@courriel.example").exit_code == 1 and Membership.objects.filter(list=amis, until__isnull=True).count() == 2


def test_owners_let_go_by_command(amis: List) -> None:
    amis.policy |= {"leaving": "owner", "joining": "owner"}
    amis.save()
    joining.ask(amis, Address.objects.create(email="lea@courriel.example"), NOW, joining.Asking())
    Membership.objects.update(since=NOW)
    leaving.ask(amis, Address.objects.get(email=ANNA), NOW, by=ANNA, sure=leaving.Sure.SAID)
    first, second = json.loads(run("member", "asking", LIST, "--json").stdout)
    assert (first["address"], first["state"], second["state"]) == (ANNA, "leaves", "waiting")
    assert json.loads(run("member", "asking", LIST, "--after", first["id"], "--json").stdout) == [second]
    assert json.loads(run("member", "admit", LIST, ANNA, "--json").stdout)["outcome"] == "left" and not Membership.objects.filter(list=amis, until__isnull=True).exists()
    assert run("list", "set", LIST, "urgency=patient", "leaving=closed").exit_code == 1


def test_the_opposition_list_is_asked(amis: List) -> None:
    assert run("person", "opposition", "zoe@members.example", "--check").exit_code == 1
    run("person", "opposition", "zoe@members.example")
    assert json.loads(run("person", "opposition", "zoe@members.example", ANNA, "--check", "--json").stdout) == [{"address": "zoe@members.example", "opposed": True}, {"address": ANNA, "opposed": False}]
    run("person", "opposition", "zoe@members.example", "--end")
    assert run("person", "opposition", "zoe@members.example", "--check").exit_code == 1
