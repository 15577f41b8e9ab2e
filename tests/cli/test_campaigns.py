"""``colporteur campaign``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from colporteur.flow import lists, memberships, planning
from colporteur.flow.campaigns import preflight
from colporteur.store import purging
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.preflight import Trial
from tests.cli.conftest import NOW, Run

LIST = "nouvelles@saule.example"


@pytest.fixture
def nouvelles(amapiens: List) -> List:
    made = lists.create(LIST, "newsletter", "helene@saule.example", NOW, by="test", title="Nouvelles")
    memberships.add(made, [(f"p{number}@courriel.example", "") for number in range(5)], NOW, by="test")
    return made


def draft(ask: Any, tmp_path: Path, *words: str) -> dict[str, Any]:
    (tmp_path / "lettre.html").write_text("<p>Bonjour {{ name }}</p>", encoding="utf-8")
    return ask("campaign", "create", LIST, "--subject", "La lettre", "--html", str(tmp_path / "lettre.html"), *words)  # type: ignore[no-any-return]


def test_a_newsletter_is_made_shown_sent_and_braked(run: Run, ask: Any, nouvelles: List, tmp_path: Path) -> None:
    made = draft(ask, tmp_path)
    assert [made[name] for name in ("subject", "list", "state", "total", "started", "finished")] == ["La lettre", LIST, "draft", 0, None, None]
    shown = ask("campaign", "show", made["id"])
    assert (shown["recipients"], shown["transports"], shown["to"]) == (5, ["outbox"], [LIST])
    checked = ask("campaign", "preflight", made["id"])
    assert (checked["recipients"], checked["tried"], checked["failing"]) == (5, 5, []) and not any(finding["grave"] for finding in checked["findings"])
    sent = ask("campaign", "start", made["id"], "--per-day", "100")
    assert (sent["state"], sent["mailing"]) == ("planned", Mailing.objects.get(kind="campaign").pk)
    again = run("campaign", "start", made["id"])
    assert again.exit_code == 1 and "was sent already" in again.stderr
    planning.plan_due(timezone.now())
    assert ask("campaign", "pause", made["id"])["state"] == "paused"
    assert ask("campaign", "pace", made["id"], "--per-day", "200")["state"] == "paused" and ask("campaign", "show", made["id"])["per_day"] == 200
    assert run("campaign", "pace", made["id"], "--per-day", "200").exit_code == 1 and "say how many" in run("campaign", "pace", made["id"]).stderr
    assert "as limits allow" in run("campaign", "pace", made["id"], "--no-limit").stdout
    assert ask("campaign", "resume", made["id"])["state"] == "running"
    assert ask("campaign", "cancel", made["id"])["counts"]["cancelled"] == 5
    assert run("campaign", "resume", made["id"]).exit_code == 1
    assert [row["id"] for row in ask("campaign", "list", "--list", LIST)] == [made["id"]]
    assert ask("campaign", "list", "--after", made["id"]) == []
    stats = ask("campaign", "stats", made["id"])
    assert stats["recipients"]["total"] == 5 and stats["links"] == []


def test_every_copy_is_tried_before_a_start_however_long_that_takes(run: Run, ask: Any, nouvelles: List, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "AT_ONCE_SECONDS", 0.0)
    made = draft(ask, tmp_path)
    assert ask("campaign", "start", made["id"])["state"] == "planned" and Trial.objects.get(campaign=made["id"]).made == 5
    other = draft(ask, tmp_path)
    assert ask("campaign", "start", other["id"], "--untried")["state"] == "planned" and Trial.objects.get(campaign=other["id"]).made == 0


def test_a_time_is_read_with_or_without_an_offset(run: Run, ask: Any, nouvelles: List, tmp_path: Path) -> None:
    made = draft(ask, tmp_path)
    year = timezone.now().year + 1
    found = ask("campaign", "start", made["id"], "--at", f"{year}-01-02T08:00+01:00") if timezone.now().month > 1 else ask("campaign", "start", made["id"], "--at", f"{year - 1}-12-24T08:00+01:00")
    assert found["state"] == "scheduled" and datetime.fromisoformat(found["send_at"]).utcoffset() is not None
    assert run("campaign", "start", made["id"], "--at", "tomorrow").exit_code == 1
    assert "is past" in run("campaign", "start", made["id"], "--at", "2020-01-01").stderr
    assert ask("campaign", "unschedule", made["id"])["state"] == "draft"


def test_tests_copies_and_drafts(run: Run, ask: Any, nouvelles: List, tmp_path: Path) -> None:
    made = draft(ask, tmp_path, "--without", "amapiens@saule.example")
    assert len(ask("campaign", "test", made["id"], "--to", "me@y.example", "--to", "you@y.example")["mailings"]) == 2
    one = ask("campaign", "send", made["id"], "--to", "you@y.example")
    assert Copy.objects.get(mailing=one["mailing"]).address.email == "you@y.example"
    other = ask("campaign", "copy", made["id"], "--list", "amapiens@saule.example")
    assert Campaign.objects.get(pk=other["id"]).same_as_id == made["id"]
    assert ask("campaign", "delete", other["id"]) == {"id": other["id"], "deleted": True}
    assert ask("campaign", "purge", "--dry-run") == []
    for words in (["show", "x"], ["show", "²"], ["start", "99999"], ["pause", made["id"]], ["create", LIST, "--subject", "x"], ["test", made["id"], "--to", "nonsense"]):
        wrong = run("campaign", *words)
        assert wrong.exit_code == 1 and wrong.stderr.startswith("Error: "), words


def test_whom_it_is_for_is_chosen_anew_when_a_list_is_gone(run: Run, ask: Any, nouvelles: List, tmp_path: Path) -> None:
    gone = lists.create("anciennes@saule.example", "newsletter", "helene@saule.example", NOW, by="test")
    made = draft(ask, tmp_path, "--to", gone.address)
    purging.purge(gone)
    shown = ask("campaign", "show", made["id"])
    assert (shown["lost"], shown["to"], shown["recipients"]) == (gone.address, [], 0) and run("campaign", "start", made["id"]).exit_code == 1
    assert run("campaign", "address", made["id"], "--to", LIST).stdout == f"newsletter {made['id']} would reach 5 recipients\n"
    shown = ask("campaign", "show", made["id"])
    assert (shown["lost"], shown["to"]) == ("", [LIST])
    assert ask("campaign", "address", made["id"], "--without", LIST)["id"] == made["id"] and ask("campaign", "show", made["id"])["recipients"] == 0
