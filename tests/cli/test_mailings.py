"""``colporteur mailing``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colporteur.flow import memberships, moderation, planning
from colporteur.store.lists import List
from colporteur.store.models import Address, Copy, Mailing, Refusal, Slice
from tests.cli.conftest import NOW, Run
from tests.cli.test_posts import LIST, message
from tests.flow.posts import arrives


@pytest.fixture
def mailing(amapiens: List) -> Mailing:
    memberships.add(amapiens, [(f"p{number}@courriel.example", "") for number in range(5)], NOW, by="test")
    arrives(amapiens, message("p0@courriel.example", "La lettre"))
    moderation.judge_due(NOW + timedelta(seconds=1))
    planning.plan_due(NOW + timedelta(seconds=2))
    return Mailing.objects.get(kind="post")


def test_mailings_have_the_contracts_fields(run: Run, ask, mailing: Mailing) -> None:
    (row,) = ask("mailing", "list")
    assert (row["id"], row["subject"], row["list"], row["state"], row["total"]) == (mailing.pk, "La lettre", LIST, "running", 5)
    assert row["counts"] == {"queued": 5, "sent": 0, "deferred": 0, "failed": 0, "cancelled": 0}
    shown = ask("mailing", "show", mailing.pk)
    assert (shown["id"], shown["rate_per_s"], shown["eta"], shown["transport"]) == (mailing.pk, 0.0, None, "outbox")
    assert ask("mailing", "list", "--list", LIST, "--after", str(mailing.pk)) == []


def test_pause_resume_cancel_each_once(run: Run, ask, mailing: Mailing) -> None:
    assert run("mailing", "pause", mailing.pk).stdout == f"mailing {mailing.pk} is paused\n"
    twice = run("mailing", "pause", mailing.pk)
    assert twice.exit_code == 1 and "is paused: nothing was changed" in twice.stderr
    assert ask("mailing", "resume", mailing.pk)["state"] == "running"
    assert run("mailing", "cancel", mailing.pk).exit_code == 0
    assert run("mailing", "resume", mailing.pk).exit_code == 1
    shown = ask("mailing", "show", mailing.pk)
    assert (shown["state"], shown["counts"]["cancelled"]) == ("cancelled", 5)


def test_copies_by_state_with_the_last_reply(run: Run, ask, mailing: Mailing) -> None:
    refused = Address.objects.get(email="p3@courriel.example")
    Copy.objects.filter(mailing=mailing, address=refused).update(state=3, code=550, attempts=1)
    Slice.objects.filter(mailing=mailing).update(failed=1)
    for text in ("450 later", "550 5.1.1 no such user"):
        Refusal.objects.create(mailing_id=mailing.pk, address_id=refused.pk, at=NOW, code=550, text=text)
    assert ask("mailing", "copies", mailing.pk, "--state", "failed") == [{"address": "p3@courriel.example", "state": "failed", "attempts": 1, "code": 550, "text": "550 5.1.1 no such user"}]
    everybody = [row["address"] for row in ask("mailing", "copies", mailing.pk)]
    assert sorted(everybody) == [f"p{number}@courriel.example" for number in range(5)]
    assert [row["address"] for row in ask("mailing", "copies", mailing.pk, "--limit", "2", "--after", everybody[1])] == everybody[2:4]
    assert run("mailing", "copies", mailing.pk, "--after", "nobody@a.example").exit_code == 1


def test_letters_are_shown_when_asked_for(run: Run, ask, amapiens: List) -> None:
    arrives(amapiens, message("marc@courriel.example"))
    moderation.judge_due(NOW)
    assert ask("mailing", "list") == []
    assert {row["kind"] for row in ask("mailing", "list", "--letters")} >= {"held"}


def test_an_unknown_number_is_told(run: Run, amapiens: List) -> None:
    for verb in ("show", "pause", "resume", "cancel", "copies"):
        result = run("mailing", verb, "4711")
        assert result.exit_code == 1 and result.stderr == "Error: there is no mailing 4711\n"
