"""``colporteur list``."""

from __future__ import annotations

from colporteur.flow import memberships
from colporteur.store.lists import List
from tests.cli.conftest import NOW, Run


def test_making_a_list_with_an_unknown_owner(run: Run, ask) -> None:
    run("domain", "add", "saule.example")
    assert ask("list", "create", "Amapiens@saule.example", "--template", "discussion", "--owner", "helene@saule.example", "--title", "Les amapiens") == {
        "address": "amapiens@saule.example", "title": "Les amapiens", "template": "discussion", "state": "active", "members": 0, "owners": ["helene@saule.example"],
    }  # fmt: skip


def test_lists_come_newest_first_with_members_and_owners(run: Run, ask, amapiens: List) -> None:
    run("list", "create", "bureau@saule.example", "--template", "distribution", "--owner", "paul@saule.example")
    memberships.add(amapiens, [("anna@a.example", ""), ("marc@a.example", "")], NOW, by="test")
    rows = ask("list", "list")
    assert [(row["address"], row["members"], row["owners"]) for row in rows] == [("bureau@saule.example", 0, ["paul@saule.example"]), ("amapiens@saule.example", 2, ["helene@saule.example"])]
    assert ask("list", "list", "--limit", "1")[0]["address"] == "bureau@saule.example"
    assert ask("list", "list", "--after", "bureau@saule.example")[0]["address"] == "amapiens@saule.example"
    assert ask("list", "list", "--domain", "saule.example") == rows


def test_settings_are_changed_together_and_shown_with_their_origin(run: Run, ask, amapiens: List) -> None:
    assert ask("list", "set", "amapiens@saule.example", "posting=world", "prefix=[a=b]", "max-size=5M", "title=Paniers")["title"] == "Paniers"
    shown = {row["key"]: (row["value"], row["from"]) for row in ask("list", "show", "amapiens@saule.example")["settings"]}
    assert (shown["posting"], shown["prefix"], shown["max_size"], shown["reply_to"]) == (("world", "list"), ("[a=b]", "list"), (5 * 1024 * 1024, "list"), ("list", "template"))
    ask("list", "set", "amapiens@saule.example", "--inherit", "posting")
    assert {row["key"]: row["from"] for row in ask("list", "show", "amapiens@saule.example")["settings"]}["posting"] == "template"


def test_one_wrong_setting_changes_none_and_says_what_to_write(run: Run, ask, amapiens: List) -> None:
    for wrong, says in [("posting=everybody", "must be one of"), ("nonsense=1", "no setting called"), ("prefix", "KEY=VALUE"), ("transport=none", "no transport"), ("state=gone", "active or off")]:
        result = run("list", "set", "amapiens@saule.example", "title=Changed", wrong)
        assert result.exit_code == 1 and says in result.stderr, wrong
    assert run("list", "set", "amapiens@saule.example").exit_code == 1
    assert ask("list", "show", "amapiens@saule.example")["title"] == "Amapiens"


def test_a_contradiction_is_said_at_once_on_stderr(run: Run, amapiens: List) -> None:
    result = run("list", "set", "amapiens@saule.example", "reply_to=address", "--json")
    assert result.exit_code == 0 and "Warning: Replies should go to a given address" in result.stderr


def test_a_list_goes_and_comes_back(run: Run, ask, amapiens: List) -> None:
    assert "restore amapiens@saule.example" in run("list", "delete", "amapiens@saule.example").stdout
    assert ask("list", "list") == [] and ask("list", "list", "--deleted")[0]["state"] == "deleted"
    assert run("list", "show", "amapiens@saule.example").exit_code == 1
    assert ask("list", "restore", "amapiens@saule.example")["owners"] == ["helene@saule.example"]


def test_roles_are_given_and_taken_but_not_the_last_owner(run: Run, ask, amapiens: List) -> None:
    rows = ask("list", "role", "amapiens@saule.example", "moderator", "odile@a.example", "paul@a.example")
    assert [(row["role"], row["address"]) for row in rows] == [("owner", "helene@saule.example"), ("moderator", "odile@a.example"), ("moderator", "paul@a.example")]
    assert len(ask("list", "role", "amapiens@saule.example", "moderator", "paul@a.example", "--take")) == 2
    assert "last owner" in run("list", "role", "amapiens@saule.example", "owner", "helene@saule.example", "--take").stderr
    assert "is no moderator" in run("list", "role", "amapiens@saule.example", "moderator", "nobody@a.example", "--take").stderr


def test_an_alias_reaches_the_list_until_it_is_removed(run: Run, ask, amapiens: List) -> None:
    assert ask("list", "alias", "amapiens@saule.example", "paniers@saule.example")["aliases"] == ["paniers@saule.example"]
    assert ask("list", "show", "amapiens@saule.example")["aliases"] == ["paniers@saule.example"]
    assert run("list", "alias", "amapiens@saule.example", "paniers@saule.example", "--remove").exit_code == 0
    assert run("list", "alias", "amapiens@saule.example", "paniers@saule.example", "--remove").exit_code == 1


def test_wrong_input_is_told_in_words(run: Run, amapiens: List) -> None:
    for words, says in [
        (("create", "x@nowhere.example", "--owner", "a@b.example"), "colporteur domain add nowhere.example"),
        (("create", "amapiens@saule.example", "--owner", "a@b.example"), "already"),
        (("create", "postmaster@saule.example", "--owner", "a@b.example"), "kept for the mail system"),
        (("show", "nothing@saule.example"), "there is no list"),
    ]:
        result = run("list", *words)
        assert result.exit_code == 1 and says in result.stderr and not result.stdout, result.output
    assert run("list", "create", "x@saule.example", "--template", "nonsense", "--owner", "a@b.example").exit_code == 1


def test_a_hostile_title_cannot_move_the_cursor(run: Run, amapiens: List) -> None:
    List.objects.update(title="\x1b[2J\x1b[31mAmapiens\u202e")
    printed = run("list", "list").stdout + run("list", "show", "amapiens@saule.example").stdout
    assert "\x1b" not in printed and "\u202e" not in printed


def test_a_list_is_deleted_moved_copied_closed_and_switched(run: Run, ask: Run, amapiens: List) -> None:
    assert run("list", "create", "bureau@saule.example", "--owner", "paul@saule.example").exit_code == 0
    moved = ask("list", "move", "bureau@saule.example", "ca@saule.example")
    assert (moved["address"], moved["aliases"], moved["list_id"]) == ("ca@saule.example", ["bureau@saule.example"], "bureau.saule.example")
    assert ask("list", "copy", "ca@saule.example", "ag@saule.example", "--members")["owners"] == ["paul@saule.example"]
    assert ask("list", "close", "ag@saule.example")["state"] == "closed"
    assert ask("list", "reopen", "ag@saule.example")["state"] == "active"
    assert ask("list", "disable", "ag@saule.example")["state"] == "off"
    assert ask("list", "enable", "ag@saule.example")["state"] == "active"
    gone = ask("list", "delete", "ag@saule.example", "ca@saule.example")
    assert [row["address"] for row in gone] == ["ag@saule.example", "ca@saule.example"] and all(row["restorable_until"] for row in gone)
    said = run("list", "delete", "amapiens@saule.example").output
    assert "0 members and 0 messages" in said and "within 30 days" in said
    assert run("list", "delete", "amapiens@saule.example", "ag@saule.example").exit_code == 1
    assert len(ask("list", "list", "--deleted")) == 3
