"""Limits and destinations on the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.store.buckets import BucketRow
from colporteur.store.destinations import DestinationGroup, Stream
from colporteur.store.journal import JournalEntry
from colporteur.store.organisations import Organisation
from tests.cli.conftest import Run
from tests.story.scenes import a_list, a_transport


def test_limits_of_a_transport_and_its_account_are_set_shown_and_taken_away(run: Run, ask) -> None:
    ask("transport", "add", "relay", "smtp://Me%40asso.org:s3cret@ssl0.ovh.net:587")
    ask("transport", "add", "other", "smtp://me%40asso.org:s3cret@ssl0.ovh.net:465?tls=ssl")
    assert ask("transport", "limits", "relay") == {
        "transport": "relay", "limits": [], "account": "me@asso.org@ssl0.ovh.net", "account_limits": [], "by_destination": "auto", "suggested_profile": "ovh"}  # fmt: skip
    found = ask("transport", "limits", "relay", "--set", "200/hour", "--set", "2,000/day", "--account", "5/minute")
    assert found["limits"] == [{"limit": "200/hour", "used": 0, "profile": None}, {"limit": "2000/day", "used": 0, "profile": None}]
    assert ask("transport", "limits", "other")["account_limits"] == [{"limit": "5/minute", "used": 0, "profile": None}], "the same account"
    found = ask("transport", "limits", "relay", "--profile", "ovh")
    assert found["account_limits"] == [{"limit": "160/hour", "used": 0, "profile": "ovh"}] and found["limits"] == [{"limit": "240/hour", "used": 0, "profile": "ovh"}]
    assert ask("transport", "limits", "relay", "--by-destination", "yes")["by_destination"] == "yes"
    assert ask("transport", "limits", "relay", "--none")["limits"] == [] and not BucketRow.objects.exists()
    assert JournalEntry.objects.filter(event="limits.changed").count() == 7


@pytest.mark.parametrize("words", [["--set", "many"], ["--set", "0/hour"], ["--profile", "nobody"], ["--set", "2/hour", "--none"], ["--profile", "ovh", "--set", "2/hour"], ["--account", "2/hour"]])
def test_a_wrong_limit_changes_nothing_and_says_what_to_write(run: Run, ask, words: list[str]) -> None:
    ask("transport", "add", "relay", "smtp://smtp.example:25")
    done = run("transport", "limits", "relay", *words)
    assert done.exit_code == 1 and "Error:" in done.output and "Traceback" not in done.output
    assert not BucketRow.objects.exists()


def test_lists_and_organisations_have_limits_too(run: Run, ask) -> None:
    list_ = a_list("amis@lists.example")
    name = Organisation.objects.get().name
    assert ask("list", "limits", list_.address, "--set", "30/15min")["limits"] == [{"limit": "30/15 minutes", "used": 0, "profile": None}]
    assert ask("organisation", "limits", name, "--set", "1000/day")["limits"][0]["limit"] == "1000/day"
    assert set(BucketRow.objects.values_list("kind", "key")) == {("list", str(list_.pk)), ("organisation", str(list_.organisation_id))}
    assert run("organisation", "limits", "nobody").exit_code == 1


def test_destinations_are_shipped_and_can_be_changed(run: Run, ask) -> None:
    rows = ask("destination", "list")
    assert {row["name"] for row in rows} == {"gmail", "microsoft", "yahoo", "orange", "laposte", "free", "sfr"} and {row["state"] for row in rows} == {"sending"}
    assert next(row for row in rows if row["name"] == "orange")["limits"] == ["80/minute"]
    assert ask("destination", "limits", "sfr", "--set", "2/minute")["limits"][0]["limit"] == "2/minute"
    found = ask("destination", "set", "free", "--domain", "Free.fr.", "--connections", "3", "--off")
    assert (found["domains"], found["connections"], found["state"]) == (["free.fr"], 3, "off")
    assert run("destination", "set", "free", "--domain", "no domain").exit_code == 1
    assert run("destination", "resume", "gmail").exit_code == 1 and "neither rests" in run("destination", "resume", "gmail").output
    assert run("destination", "show", "nobody").exit_code == 1


def test_a_stopped_stream_is_told_in_the_list(run: Run, ask) -> None:
    ask("destination", "list")
    Stream.objects.create(transport=a_transport("smtp://relay.example"), group=DestinationGroup.objects.get(name="orange"), until=timezone.now() + timedelta(hours=4), reason="550 5.7.1 not you")
    row = next(row for row in ask("destination", "list") if row["name"] == "orange")
    assert row["reason"] == "550 5.7.1 not you" and row["rests_until"]
