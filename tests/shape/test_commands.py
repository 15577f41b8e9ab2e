"""What others rely on: every command of the contract is there, helps, and prints the promised fields.

The names are written down here on purpose: a change of one of them must be made twice, knowingly.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner

from colporteur.cli import NOUNS, colporteur, installation
from colporteur.flow import lists, memberships, moderation, organisations, planning, transports
from tests.flow.posts import arrives

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LIST = "amapiens@saule.example"

COMMANDS = """
run; web; receive; collect; worker; migrate; doctor; deliver
person add; person signin-link
domain add; domain list; domain enable; domain disable
list create; list show; list set; list delete; list list
member add; member remove; member list
transport add; transport list; transport test
mailbox add; mailbox test; mailbox collect
post list; post show; post release; post reject; post discard; post explain
mailing list; mailing show; mailing pause; mailing resume; mailing cancel; mailing copies
import spip; import csv
campaign list; campaign show; campaign create; campaign preflight; campaign test; campaign start; campaign pause; campaign resume; campaign cancel; campaign stats; campaign purge
"""
FIELDS = {
    ("list", "list"): "address title template state members owners",
    ("member", "list", LIST): "address name state delivery role source since",
    ("mailing", "list"): "id subject list state total counts created started finished",
    ("transport", "list"): "name kind enabled health",
    ("post", "list", LIST): "id list subject sender state received findings",
    ("mailing", "show", "MAILING"): "id state total counts rate_per_s eta",
    ("mailing", "copies", "MAILING"): "address state",
    ("domain", "list"): "name organisation enabled",
    ("person", "list"): "name addresses admin",
}
OPTIONS = {
    ("person", "add"): "--name --admin",
    ("domain", "add"): "--organisation",
    ("list", "create"): "--template --owner --title",
    ("member", "add"): "--file",
    ("transport", "test"): "--to",
    ("deliver",): "--recipient --sender",
    ("post", "list"): "--state",
    ("post", "reject"): "--reason",
    ("post", "explain"): "--sender",
    ("mailing", "copies"): "--state",
    ("campaign", "create"): "--subject --html --text",
    ("campaign", "test"): "--to",
    ("campaign", "start"): "--at --per-day",
}


@pytest.fixture
def filled(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """An installation with one of everything; runs a command line and reads its JSON."""
    organisations.add_domain("saule.example", None, NOW, by="test")
    transports.add("outbox", "folder:///tmp/colporteur-tests-outbox", NOW)
    made = lists.create(LIST, "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(made, [("anna@courriel.example", "Anna")], NOW, by="test")
    arrives(made, f"From: anna@courriel.example\r\nTo: {LIST}\r\nSubject: Bonjour\r\n\r\nx\r\n".encode())
    moderation.judge_due(NOW + timedelta(days=1))
    planning.plan_due(NOW + timedelta(days=1))
    monkeypatch.setattr(installation, "installation", contextlib.nullcontext)
    mailing = json.loads(_invoke("mailing", "list", "--json"))[0]["id"]
    yield lambda *words: json.loads(_invoke(*(str(mailing) if word == "MAILING" else word for word in words), "--json"))


def _invoke(*words: str) -> str:
    result = CliRunner().invoke(colporteur, words)
    assert result.exit_code == 0, result.output
    return result.stdout


def _walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None, (path, name)
            yield from _walk(below, (*path, name))


@pytest.mark.parametrize("words", list(FIELDS), ids=" ".join)
def test_fields_are_the_promised_ones(filled: Callable[..., Any], words: tuple[str, ...]) -> None:
    answer = filled(*words)
    thing = answer if words[1] == "show" else answer[0]
    assert not set(FIELDS[words].split()) - set(thing), thing


def test_kinds_of_values_are_the_promised_ones(filled: Callable[..., Any]) -> None:
    row = filled("list", "list")[0]
    assert isinstance(row["members"], int) and row["owners"] == ["helene@saule.example"]
    mailing = filled("mailing", "show", "MAILING")
    assert set(mailing["counts"]) == {"queued", "sent", "deferred", "failed", "cancelled"} and mailing["total"] == sum(mailing["counts"].values())
    assert mailing["state"] in {"planned", "running", "paused", "done", "cancelled"} and isinstance(mailing["rate_per_s"], float)


def test_every_date_is_iso_8601_with_offset(filled: Callable[..., Any]) -> None:
    found = [filled("post", "list", LIST)[0]["received"], filled("member", "list", LIST)[0]["since"], filled("mailing", "list")[0]["created"]]
    assert all(datetime.fromisoformat(text).utcoffset() is not None for text in found), found


def test_every_command_of_the_contract_is_there() -> None:
    known = {" ".join(path) for path, _command in _walk(colporteur)}
    assert not {name.strip() for name in COMMANDS.replace("\n", ";").split(";") if name.strip()} - known


def test_every_promised_option_is_there() -> None:
    known = {path: {name for option in command.params for name in option.opts} for path, command in _walk(colporteur)}
    for path, names in OPTIONS.items():
        assert not set(names.split()) - known[path], path


def test_every_command_and_option_says_what_it_does() -> None:
    for path, command in _walk(colporteur):
        assert (command.help or "").strip().endswith("."), path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (path, option.name)


def test_every_command_helps_without_a_database_and_without_a_terminal() -> None:
    for path, _command in _walk(colporteur):
        result = CliRunner().invoke(colporteur, [*path, "--help"])
        assert result.exit_code == 0 and result.stdout.startswith("Usage: "), path


def test_whatever_lists_pages_and_prints_json() -> None:
    for path, command in _walk(colporteur):
        if path and path[-1] in ("list", "copies") and not isinstance(command, click.Group):
            assert {"as_json", "limit", "after"} <= {option.name for option in command.params}, path


def test_whatever_changes_or_shows_a_thing_prints_it_as_json() -> None:
    """A script may add --json to any command; those that run until they are stopped, or print one fixed sentence, have none."""
    without = {path for path, command in _walk(colporteur) if path and not isinstance(command, click.Group) and "--json" not in {name for option in command.params for name in option.opts}}
    assert without <= {("run",), ("web",), ("receive",), ("collect",), ("worker",), ("migrate",), ("backup",), ("person", "export"), ("demo",), ("deliver",)}, without


def test_the_overview_says_what_each_noun_is_for() -> None:
    overview = CliRunner().invoke(colporteur, ["--help"]).stdout
    assert all(noun in overview for noun in NOUNS)
