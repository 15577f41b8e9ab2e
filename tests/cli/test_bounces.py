"""``colporteur bounce``: who is in trouble, why, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from colporteur.domain.standing import Standing
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding
from tests.cli.conftest import Run
from tests.flow.bounced import comes_back, day, posted
from tests.story.scenes import a_list, a_transport

DEAD, WELL = "dead@members.example", "well@members.example"


def test_from_trouble_to_forgiven(ask: Callable[..., Any], run: Run) -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL])
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    [row] = ask("bounce", "list", list_.address, "--standing", "paused")
    assert (row["address"], row["standing"], row["reason"], row["failures"]) == (DEAD, "paused", "no_mailbox", 2)
    assert ask("bounce", "list", "--after", DEAD) == []
    shown = ask("bounce", "show", DEAD)
    assert shown["lists"] == [list_.address] and [event["list"] for event in shown["events"]] == [list_.address] * 2 and "does not exist" in shown["why"]
    assert ask("bounce", "probe", DEAD) == {"probed": 1}
    assert ask("bounce", "forgive", DEAD) == {"forgiven": 1}
    assert AddressStanding.objects.get(address__email=DEAD).standing is Standing.GOOD
    assert run("bounce", "forgive", "nobody@members.example").exit_code == 1
    AddressStanding.objects.update(state=Standing.GONE)
    assert ask("bounce", "remove", list_.address, "--standing", "gone") == {"removed": 1}
    assert not Address.objects.get(email=DEAD).memberships.filter(until__isnull=True).exists()
