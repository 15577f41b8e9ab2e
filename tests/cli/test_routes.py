"""Routes and sending again on the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from colporteur.domain.mailings import CopyState
from colporteur.flow import memberships, moderation, planning, transports
from colporteur.store.lists import List
from colporteur.store.models import Copy, Mailing, Refusal
from tests.cli.conftest import NOW, Run
from tests.cli.test_posts import LIST, message
from tests.flow.posts import arrives


@pytest.fixture
def ways(db: None) -> None:
    for name in ("main relay", "second", "reserve"):
        transports.add(name, f"smtp://{name.split()[0]}.example", NOW)


def test_a_route_is_shown_set_and_inherited_again(ask: Any, run: Run, ways: None, amapiens: List) -> None:
    found = ask("list", "route", LIST)
    assert (found["route"], found["from"], found["inherited"]) == ("main relay", "default", None)
    assert ask("transport", "route", "main relay", "/", "reserve")["route"] == "main relay / reserve"
    assert ask("transport", "route", "--organisation", "Default", "second")["place"] == "Default"
    assert ask("domain", "route", "saule.example", "reserve")["route"] == "reserve"
    found = ask("list", "route", LIST, "main relay:3", "second", "/", "reserve")
    assert (found["route"], found["from"], found["inherited"]) == ("main relay:3 second / reserve", "list", "reserve")
    assert [(step["transport"], step["rank"], step["weight"], step["health"]) for step in found["steps"]] == [("main relay", 0, 3, "unused"), ("second", 0, 1, "unused"), ("reserve", 1, 1, "unused")]
    assert ask("list", "show", LIST)["transport"] == "main relay:3 second / reserve"
    assert [ask(*words, "--inherit").get("from") for words in (("list", "route", LIST), ("domain", "route", "saule.example"))] == ["domain", None]
    assert ask("list", "route", LIST)["from"] == "organisation"
    for words, sentence in ((["list", "route", LIST, "none"], "no transport called 'none'"), (["list", "route", LIST, "second:0"], "a weight is"), (["transport", "route", "--organisation", "X"], "no organisation 'X'"),
                            (["list", "route", LIST, "second", "--inherit"], "not both"), (["list", "route", LIST, "second", "/", "outbox"], "cannot stand in")):  # fmt: skip
        refused = run(*words)
        assert refused.exit_code == 1 and sentence in refused.stderr and len(refused.stderr.splitlines()) == 1


def test_a_transport_is_taken_away(ask: Any, run: Run, ways: None) -> None:
    assert run("transport", "remove", "second").stdout == "second is removed\n"
    assert [row["name"] for row in ask("transport", "list")] == ["reserve", "main relay"]
    assert run("transport", "remove", "second").exit_code == 1


@pytest.fixture
def mailing(amapiens: List) -> Mailing:
    memberships.add(amapiens, [(f"p{number}@courriel.example", "") for number in range(5)], NOW, by="test")
    arrives(amapiens, message("p0@courriel.example", "La lettre"))
    moderation.judge_due(NOW + timedelta(seconds=1))
    planning.plan_due(NOW + timedelta(seconds=2))
    made = Mailing.objects.get(kind="post")
    Copy.objects.filter(mailing=made).update(state=CopyState.SENT)
    for email, code in (("p1@courriel.example", 550), ("p2@courriel.example", 0)):
        copy = Copy.objects.get(mailing=made, address__email=email)
        Copy.objects.filter(mailing=made, address=copy.address_id).update(state=CopyState.FAILED, code=code)
        Refusal.objects.create(mailing_id=made.pk, address_id=copy.address_id, at=NOW, code=code, text="no")
    Mailing.objects.filter(pk=made.pk).update(state="done")
    return made


def test_sending_again_says_first_and_then_does(ask: Any, run: Run, mailing: Mailing) -> None:
    assert ask("mailing", "resend", mailing.pk, "--failed", "--dry-run") == {"mailing": mailing.pk, "whom": "failed", "count": 1, "unknown": 1, "first": ["p1@courriel.example"]}
    assert Mailing.objects.filter(kind="post").count() == 1
    made = ask("mailing", "resend", mailing.pk, "--failed", "--unknown")
    assert made["made"] and made["whom"] == "unknown"
    again = ask("mailing", "resend", mailing.pk, "--failed")
    assert (again["id"], again["made"]) == (made["id"], False)
    assert run("mailing", "resend", mailing.pk, "--failed").stdout == f"mailing {made['id']} does it already\n"
    while planning.plan_due(NOW + timedelta(hours=1)):
        pass
    assert ask("mailing", "show", made["id"])["transports"] == [{"name": "outbox", "total": 2, "counts": {"queued": 2, "sent": 0, "deferred": 0, "failed": 0, "cancelled": 0}}]


def test_wrong_words_say_what_to_write(run: Run, mailing: Mailing) -> None:
    for words, sentence in (((), "say to whom"), (("--failed", "--new"), "say to whom"), (("--new", "--unknown"), "say to whom"), (("--new",), "nobody is left")):
        refused = run("mailing", "resend", mailing.pk, *words)
        assert refused.exit_code == 1 and sentence in refused.stderr


def test_the_pace_is_changed_once_and_shown(ask: Any, run: Run, mailing: Mailing) -> None:
    Mailing.objects.filter(pk=mailing.pk).update(state="running")
    assert run("mailing", "pace", mailing.pk, "fast").stdout == f"mailing {mailing.pk} is fast\n"
    assert ask("mailing", "show", mailing.pk)["pace"] == "fast"
    assert run("mailing", "pace", mailing.pk, "fast").exit_code == 1 and run("mailing", "pace", mailing.pk, "slow").exit_code == 2
