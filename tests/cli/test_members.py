"""``colporteur member``."""

from __future__ import annotations

from pathlib import Path

from colporteur.flow import lists, memberships, roles
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.models import Address, Mailing
from tests.cli.conftest import NOW, Run

LIST = "amapiens@saule.example"


def test_members_by_hand_and_the_contracts_fields(run: Run, ask, amapiens: List) -> None:
    assert ask("member", "add", LIST, "anna@a.example", "helene@saule.example") == {"added": 2, "already": 0, "twice": 0, "left": [], "refused": []}
    roles.give(amapiens, "odile@a.example", RoleKind.MODERATOR, NOW, by="test")
    ask("member", "add", LIST, "odile@a.example")
    memberships.pause(amapiens, ["anna@a.example"], NOW, by="test")
    rows = ask("member", "list", LIST)
    assert [(row["address"], row["state"], row["delivery"], row["role"], row["source"]) for row in rows] == [
        ("odile@a.example", "active", "each", "moderator", "manual"),
        ("anna@a.example", "paused", "each", "member", "manual"),
        ("helene@saule.example", "active", "each", "owner", "manual"),
    ]
    assert not Mailing.objects.exists(), "adding members writes to nobody"


def test_a_file_of_lines_from_standard_input(run: Run, ask, amapiens: List) -> None:
    assert ask("member", "add", LIST, "--file", "-", input="anna@a.example Anna Rivoire\n\n# comment\nMarc <marc@a.example>\n")["added"] == 2
    assert {row["address"]: row["name"] for row in ask("member", "list", LIST)} == {"anna@a.example": "Anna Rivoire", "marc@a.example": "Marc"}


def test_a_csv_file_of_a_french_spreadsheet(run: Run, ask, amapiens: List, tmp_path: Path) -> None:
    file = tmp_path / "membres.csv"
    file.write_bytes("Nom;Prénom;Courriel\r\nGuivarc'h;Solène;solene@etu.example\r\n".encode("cp1252"))
    assert ask("member", "add", LIST, "--file", str(file))["added"] == 1
    assert ask("member", "list", LIST)[0]["name"] == "Solène Guivarc'h"


def test_bad_lines_are_told_by_number_and_the_good_ones_are_in(run: Run, ask, amapiens: List) -> None:
    result = run("member", "add", LIST, "--file", "-", input="anna@a.example\nnot an address\n\namapiens@saule.example\nmarc@a.example\n")
    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["line 2", "line 4"]
    assert result.stdout == "2 added, 0 already members, 0 left before, 2 refused\n"
    assert len(ask("member", "list", LIST)) == 2


def test_who_left_stays_away_until_brought_back(run: Run, ask, amapiens: List) -> None:
    run("member", "add", LIST, "anna@a.example")
    memberships.leave(amapiens, Address.objects.get(email="anna@a.example"), NOW, by="anna@a.example")
    again = run("member", "add", LIST, "anna@a.example")
    assert again.exit_code == 0 and "--bring-back" in again.stderr and "0 added" in again.stdout
    assert ask("member", "add", LIST, "anna@a.example", "--bring-back")["added"] == 1


def test_removing_names_whom_it_did_not_find(run: Run, ask, amapiens: List) -> None:
    run("member", "add", LIST, "anna@a.example", "marc@a.example")
    assert ask("member", "remove", LIST, "anna@a.example") == {"removed": ["anna@a.example"], "unknown": []}
    missing = run("member", "remove", LIST, "marc@a.example", "nobody@a.example")
    assert missing.exit_code == 1 and "nobody@a.example is not a member" in missing.stderr and "1 removed" in missing.stdout
    assert run("member", "remove", LIST, "not an address").exit_code == 1
    assert not Membership.objects.filter(until__isnull=True).exists()


def test_nobody_named_and_an_unknown_list_are_errors(run: Run, amapiens: List) -> None:
    assert run("member", "add", LIST).exit_code == 1
    assert run("member", "add", "nothing@saule.example", "a@b.example").exit_code == 1
    assert run("member", "list", "nothing@saule.example").exit_code == 1
    assert run("member", "list", LIST, "--after", "a@b.example").exit_code == 1
    assert run("member", "add", LIST, "--file", "/does/not/exist").exit_code == 2


def test_pages_are_whole_and_in_order(run: Run, ask, amapiens: List) -> None:
    memberships.add(amapiens, [(f"p{number:03}@a.example", "") for number in range(250)], NOW, by="test")
    everybody = [row["address"] for row in ask("member", "list", LIST)]
    paged: list[str] = []
    while rows := ask("member", "list", LIST, "--limit", "100", *(("--after", paged[-1]) if paged else ())):
        paged += [row["address"] for row in rows]
    assert paged == everybody and len(set(everybody)) == 250
    assert len(run("member", "list", LIST).stdout.splitlines()) == 251


def test_work_without_a_terminal_draws_no_bar(run: Run, amapiens: List) -> None:
    result = run("member", "add", LIST, "--file", "-", input="\n".join(f"p{number}@a.example" for number in range(6000)))
    assert (result.exit_code, result.stderr, result.stdout) == (0, "", "6000 added, 0 already members, 0 left before, 0 refused\n")


def test_the_members_are_made_those_of_a_file(run: Run, ask, amapiens: List) -> None:
    run("member", "add", LIST, "anna@a.example", "marc@a.example")
    dry = ask("member", "set", LIST, "--file", "-", "--dry-run", input="marc@a.example\nodile@a.example\n")
    assert dry == {"added": ["odile@a.example"], "removed": ["anna@a.example"], "unchanged": 1, "left": []}
    assert {row["address"] for row in ask("member", "list", LIST)} == {"anna@a.example", "marc@a.example"}
    wrong = run("member", "set", LIST, "--file", "-", input="marc@a.example\nodile@a,example\n")
    assert wrong.exit_code == 1 and "line 2: " in wrong.stderr and "nothing was changed" in wrong.stderr
    assert run("member", "set", LIST, "--file", "-", input="marc@a.example\nodile@a.example\n").stdout == "1 added, 1 removed, 1 unchanged, 0 left before\n"
    assert {row["address"] for row in ask("member", "list", LIST)} == {"odile@a.example", "marc@a.example"}


def test_columns_of_a_file_are_named(run: Run, ask, amapiens: List) -> None:
    assert ask("member", "add", LIST, "--file", "-", "--columns", "email=3,first_name=1,last_name=2", input="A;B;C\nAnna;Rivoire;anna@a.example\n")["added"] == 1
    assert ask("member", "list", LIST)[0]["name"] == "Anna Rivoire"
    assert run("member", "add", LIST, "--file", "-", "--columns", "name=1", input="x").exit_code == 2


def test_people_are_found_paused_and_removed_everywhere(run: Run, ask, amapiens: List) -> None:
    second = lists.create("second@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    for one in (amapiens, second):
        memberships.add(one, [("anna@a.example", ""), ("marc@a.example", "")], NOW, by="test")
    assert [row["list"] for row in ask("member", "find", "anna@a.example")] == [LIST, second.address]
    nobody = run("member", "find", "--file", "-", input="nobody@a.example\n")
    assert nobody.exit_code == 1 and "nobody@a.example is on none" in nobody.stderr
    assert ask("member", "pause", "--everywhere", "anna@a.example") == {"changed": {LIST: ["anna@a.example"], second.address: ["anna@a.example"]}, "nowhere": []}
    assert ask("member", "resume", second.address, "anna@a.example")["changed"] == {second.address: ["anna@a.example"]}
    assert run("member", "remove", "--everywhere", "--organisation", "Nowhere", "anna@a.example").exit_code == 1
    gone = run("member", "remove", "--everywhere", "anna@a.example", "nobody@a.example")
    assert gone.exit_code == 1 and "2 removed in 2 lists" in gone.stdout and "nobody@a.example is not a member" in gone.stderr
    assert not Membership.objects.filter(until__isnull=True, email="anna@a.example").exists()
    assert run("member", "remove", LIST).exit_code == 1 and run("member", "pause").exit_code == 1


def test_how_members_receive_is_set_by_command_and_by_a_column_for_new_ones(run: Run, ask, amapiens: List) -> None:
    text = "email;delivery\nanna@a.example;daily-plain\nmarc@a.example;\n"
    assert ask("member", "add", LIST, "--file", "-", input=text)["added"] == 2
    assert ask("member", "change", LIST, "marc@a.example", "--delivery", "weekly-mime") == {"changed": {"marc@a.example": ["delivery"]}}
    ask("member", "add", LIST, "--file", "-", input=text.replace("daily-plain", "each"))  # who is there keeps what he or she chose
    assert {row["address"]: row["delivery"] for row in ask("member", "list", LIST)} == {"anna@a.example": "daily-plain", "marc@a.example": "weekly-mime"}
    assert run("member", "change", LIST, "nobody@a.example", "--delivery", "each").exit_code == 1
    assert run("member", "set", LIST).exit_code == 2, "the members are those of a file"
