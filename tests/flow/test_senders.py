"""Who may write, as a distribution group knows it, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.domain.posts import PostState
from colporteur.flow import commands, lists, memberships, moderation, organisations, people, policies, roles, transports
from colporteur.flow.moderation.facts import gather, read
from colporteur.store.lists import List, RoleKind
from colporteur.store.models import Mailing
from tests.flow.posts import NOW, arrives, letters, text
from tests.servers import questions
from tests.story.scenes import message

pytestmark = pytest.mark.django_db
PROVEN = b"Authentication-Results: mx.saule.example; auth=pass smtp.auth=x\r\n"
AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def bureau() -> List:
    """A distribution group of an organisation whose mail server is named."""
    organisations.add_domain("saule.example", None, AT, by="test")
    made = lists.create("bureau@saule.example", "distribution", "alice@gmail.example", AT, by="test")
    policies.set_policy(made.organisation, {"trusted_servers": "mx.saule.example"}, "test", AT)
    return lists.find("bureau@saule.example")


def verdict(list_: List, sender: str, proven: bool = True) -> tuple[str, set[str]]:
    """The action, and the rules that asked for more than a remark."""
    found = moderation.explain(list_, PROVEN * proven + message(sender), None).verdict
    return found.action.value, {finding.rule for finding in found.findings if finding.action.value not in ("none", "accept")}


def test_the_template_brings_exchanges_defaults(bureau: List) -> None:
    assert verdict(bureau, "anybody@saule.example") == ("accept", set())
    assert verdict(bureau, "anybody@saule.example", proven=False) == ("hold", {"internal", "posting"})
    assert verdict(bureau, "stranger@elsewhere.example") == ("reject", {"internal", "posting"})


def test_members_from_outside_stay_outside_and_owners_are_inside(bureau: List) -> None:
    memberships.add(bureau, [("client@elsewhere.example", "")], AT, by="test")
    assert verdict(bureau, "client@elsewhere.example") == ("reject", {"internal"})
    assert verdict(bureau, "alice@gmail.example") == ("accept", set())
    assert verdict(bureau, "alice@gmail.example", proven=False) == ("hold", {"internal"})


def test_every_address_of_somebody_inside_is_inside(bureau: List) -> None:
    bob = people.add("bob@saule.example", now=AT)
    people.add_address(bob, "bob@home.example", AT)
    assert verdict(bureau, "bob@home.example") == ("accept", set())


def test_another_organisations_domain_is_outside(bureau: List) -> None:
    other = organisations.add_domain("autre.example", organisations.organisation_called("Autre"), AT, by="test")
    assert other.organisation_id != bureau.organisation_id
    assert verdict(bureau, "x@autre.example")[0] == "reject"


def test_a_refusal_says_why_and_once_a_day(bureau: List) -> None:
    for _time in range(2):
        post = arrives(bureau, message("Marc <marc@elsewhere.example>", subject=f"Offer {_time}"))
        moderation.judge_due(NOW)
        post.refresh_from_db()
        assert post.state == PostState.REJECTED
    ((_name, to, letter),) = letters("rejected")
    assert to == "marc@elsewhere.example" and "writes from outside the organisation" in text(letter)


def test_allowed_senders_by_address_domain_and_list(bureau: List) -> None:
    team = lists.create("equipe@saule.example", "discussion", "alice@gmail.example", AT, by="test")
    memberships.add(team, [("eve@saule.example", "")], AT, by="test")
    roles.give(bureau, "equipe@saule.example", RoleKind.ALLOWED_SENDER, AT, by="test")
    assert verdict(bureau, "eve@saule.example") == ("accept", set())
    assert verdict(bureau, "dan@saule.example") == ("reject", {"allowed"})
    roles.give(bureau, "dan@saule.example", RoleKind.ALLOWED_SENDER, AT, by="test")
    assert verdict(bureau, "dan@saule.example") == ("accept", set())
    roles.give(bureau, "@saule.example", RoleKind.ALLOWED_SENDER, AT, by="test")
    assert verdict(bureau, "zoe@saule.example") == ("accept", set())
    roles.give(bureau, "eve@saule.example", RoleKind.REFUSED_SENDER, AT, by="test")
    assert verdict(bureau, "eve@saule.example") == ("reject", {"refused"})


def test_who_is_taken_from_the_list_loses_its_roles(bureau: List) -> None:
    team = lists.create("equipe@saule.example", "discussion", "alice@gmail.example", AT, by="test")
    memberships.add(team, [("eve@saule.example", "")], AT, by="test")
    lists.set_policy(bureau, {"posting": "nobody"}, "test", AT)
    assert verdict(bureau, "eve@saule.example")[0] == "hold"
    roles.give(bureau, team.address, RoleKind.FREE_SENDER, AT, by="test")
    assert verdict(bureau, "eve@saule.example")[0] == "accept"
    memberships.remove(team, ["eve@saule.example"], AT, by="test")
    assert verdict(bureau, "eve@saule.example")[0] == "hold"


def test_contradictions_are_pointed_out(bureau: List) -> None:
    transports.add("relay", "smtp://relay.example", AT)
    assert lists.warnings(bureau) == []
    roles.give(bureau, "guest@elsewhere.example", RoleKind.ALLOWED_SENDER, AT, by="test")
    said = lists.warnings(bureau)
    assert any("guest@elsewhere.example is an allowed sender, but writes from outside" in one for one in said)
    assert any("Nobody can write" in one for one in said)
    roles.give(bureau, "alice@gmail.example", RoleKind.ALLOWED_SENDER, AT, by="test")
    assert not any("Nobody can write" in one for one in lists.warnings(bureau))
    policies.set_policy(bureau.organisation, {"trusted_servers": None}, "test", AT)
    assert any("no server that vouches" in one for one in lists.warnings(lists.find(bureau.address)))


def test_facts_cost_the_same_for_one_message_and_for_fifty(bureau: List) -> None:
    def asked(count: int) -> int:
        cases = [read(bureau, message(f"m{number}@saule.example"), None) for number in range(count)]
        with questions.asked() as captured:
            gather(cases)
        return len(captured)

    assert asked(1) == asked(50)


def test_a_post_of_our_own_site_needs_no_other_server(bureau: List) -> None:
    arrives(bureau, message("alice@gmail.example"), door="web")
    moderation.judge_due(NOW)
    assert Mailing.objects.filter(list=bureau, kind="post").count() == 1


def test_a_hidden_list_is_not_named_to_those_who_ask(bureau: List) -> None:
    lists.set_policy(bureau, {"joining": "confirm"}, "test", AT)
    assert bureau.address in commands._lists("saule.example")()
    lists.set_policy(bureau, {"hidden": "yes"}, "test", AT)
    assert bureau.address not in commands._lists("saule.example")()
