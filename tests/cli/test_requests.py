"""``colporteur request`` and ``colporteur domain set``."""

from __future__ import annotations

from colporteur.flow import people
from colporteur.store.lists import List
from tests.cli.conftest import NOW, Run


def test_a_list_is_asked_for_shown_activated_and_refused(run: Run, ask: Run, amapiens: List) -> None:
    people.add("marie@courriel.example", "Marie", now=NOW)
    assert ask("domain", "set", "saule.example", "creation=request", "name-begins=amap", "name-reason=nos listes", "forbidden-names=*test* direction*")["forbidden_names"] == ["*test*", "direction*"]
    assert ask("domain", "show", "saule.example")["creation"] == "request"
    wish = ("--person", "marie@courriel.example", "--purpose", "Les choristes")
    first = ask("request", "add", "amap-chorale@saule.example", *wish, "--title", "Chorale", "--owner", "jean@courriel.example")
    assert (first["state"], first["person"]) == ("open", "marie@courriel.example")
    assert ask("list", "show", "amap-chorale@saule.example")["state"] == "pending"
    assert run("member", "add", "amap-chorale@saule.example", "a@a.example").exit_code == 1
    assert [row["id"] for row in ask("request", "list", "--state", "open")] == [first["id"]]
    assert ask("request", "activate", first["id"])["state"] == "activated"
    assert ask("list", "show", "amap-chorale@saule.example")["state"] == "active"
    late = run("request", "refuse", str(first["id"]))
    assert late.exit_code == 1 and "already decided" in late.stderr
    second = ask("request", "add", "amap-poterie@saule.example", *wish)
    assert ask("request", "refuse", second["id"], "--reason", "Non")["reason"] == "Non"
    assert ask("request", "show", second["id"])["state"] == "refused"
    for wrong in (("request", "show", "99999"), ("request", "add", "chorale@saule.example", *wish), ("domain", "set", "saule.example", "creation=all"), ("domain", "set", "saule.example", "creation")):
        assert run(*wrong).exit_code == 1, wrong


def test_a_new_lists_owner_is_told_when_asked_for(run: Run, amapiens: List) -> None:
    from colporteur.store.mailings import Mailing

    assert run("list", "create", "ca@saule.example", "--owner", "paul@saule.example").exit_code == 0
    assert not Mailing.objects.filter(letter="created").exists()
    assert run("list", "create", "ag@saule.example", "--owner", "paul@saule.example", "--notify").exit_code == 0
    assert Mailing.objects.filter(letter="created").count() == 1
