"""Lists inside lists: one copy per address, the way it came, circles, approvals, and people left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.posts import Decision, PostState
from colporteur.flow import leaving, lists, memberships, moderation, nesting, organisations, resending, roles
from colporteur.flow.planning import plan_due
from colporteur.flow.resending import Whom
from colporteur.store import copies
from colporteur.store import memberships as store
from colporteur.store.copies import Claimed
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import audience_count
from colporteur.store.models import Address, Copy, Mailing, Membership, Nesting, Person, Post
from colporteur.store.rights import Right, addresses_of, rights_on
from tests.daemons.delivering import a_mailing
from tests.flow.posts import NOW, arrives
from tests.story.scenes import a_list, message

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def tree() -> tuple[List, List, List]:
    """all > team > board, with anna on all three, bob on team, cora on board."""
    organisations.add_domain("saule.example", None, AT, by="test")
    made = tuple(lists.create(f"{name}@saule.example", "hotline", "olga@saule.example", AT, by="test") for name in ("all", "team", "board"))
    for list_, names in zip(made, (["anna"], ["anna", "bob"], ["anna", "cora"]), strict=True):
        memberships.add(list_, [(f"{name}@x.example", "") for name in names], AT, by="test")
    every, team, board = (lists.find(one.address) for one in made)
    nesting.put_inside(every, team, AT, by="test")
    nesting.put_inside(team, board, AT, by="test")
    return every, team, board


def sent(list_: List, subject: str = "Hello") -> list[Mailing]:
    """Write to a list, and plan everything that follows."""
    arrives(list_, message("paul@elsewhere.example", subject=subject))
    moderation.judge_due(NOW)
    while plan_due(NOW):
        pass
    return list(Mailing.objects.filter(kind="post").order_by("id"))


def readers(mailing: Mailing) -> list[str]:
    return sorted(Copy.objects.filter(mailing=mailing).exclude(state=4).values_list("address__email", flat=True))


def way(mailing: Mailing, email: str) -> str:
    return nesting.path_of(mailing, Address.objects.get(email=email).pk)


def test_each_address_gets_one_copy_and_the_way_it_came_is_kept(tree: tuple[List, List, List]) -> None:
    (mailing,) = sent(tree[0])
    assert readers(mailing) == ["anna@x.example", "bob@x.example", "cora@x.example"]
    assert (way(mailing, "anna@x.example"), way(mailing, "bob@x.example"), way(mailing, "cora@x.example")) == ("", "all > team", "all > team > board")
    assert audience_count(tree[0]) == 3 and audience_count(tree[2]) == 2


@pytest.mark.parametrize("probed", [store.PROBED, 0])
def test_whoever_is_on_several_lists_is_counted_once_whichever_is_the_largest(tree: tuple[List, List, List], probed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PROBED", probed)
    every, team, board = tree
    memberships.add(board, [("dora@x.example", ""), ("bob@x.example", "")], AT, by="test")  # now the largest
    assert audience_count(every) == 4
    Membership.objects.filter(list=board, email__in=["bob@x.example", "cora@x.example"]).update(paused=True)
    assert audience_count(every) == 3, "bob still receives by the team, cora by none"
    nesting.exclude(every, "dora@x.example", AT, by="test")
    nesting.exclude(every, "bob@x.example", AT, by="test")
    assert (audience_count(every), audience_count(team)) == (1, 3)


def test_a_plain_list_keeps_nothing_about_ways(tree: tuple[List, List, List]) -> None:
    (mailing,) = sent(tree[2])
    assert mailing.nested == {} and readers(mailing) == ["anna@x.example", "cora@x.example"]


def test_ranges_go_on_where_they_ended(tree: tuple[List, List, List], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colporteur.flow.planning.FIRST_RANGE", 2)
    monkeypatch.setattr("colporteur.flow.planning.RANGE", 2)
    for number, list_ in enumerate(tree):
        memberships.add(list_, [(f"m{number}{one}@x.example", "") for one in range(5)] + [("everywhere@x.example", "")], AT, by="test")
    (mailing,) = sent(tree[0])
    assert len(readers(mailing)) == 3 + 15 + 1 and mailing.planned


def test_a_circle_is_refused_with_its_path_and_ends_the_walk_at_run_time(tree: tuple[List, List, List]) -> None:
    every, team, board = tree
    with pytest.raises(ValueError, match="board > all > team > board"):
        nesting.put_inside(board, every, AT, by="test")
    with pytest.raises(ValueError, match="all > all"):
        nesting.put_inside(every, every, AT, by="test")
    Nesting.objects.create(outer=board, inner=every, since=AT)  # as an import might
    (mailing,) = sent(every)
    assert len(readers(mailing)) == 3
    Nesting.objects.update(covers=False)
    sent(team, "Again")
    assert Post.objects.filter(subject="Again").count() == 3  # each list once


def test_another_organisations_list_stays_outside(tree: tuple[List, List, List]) -> None:
    organisations.add_domain("autre.example", organisations.organisation_called("Autre"), AT, by="test")
    other = lists.create("x@autre.example", "hotline", "olga@saule.example", AT, by="test")
    with pytest.raises(ValueError, match="another organisation"):
        nesting.put_inside(tree[0], other, AT, by="test")


def test_an_inner_list_that_asks_again_decides_by_its_own_rules(tree: tuple[List, List, List]) -> None:
    every, team, _board = tree
    nesting.put_inside(every, team, AT, by="test", covers=False)
    lists.set_policy(team, {"posting": "nobody"}, "test", AT)
    (mailing,) = sent(every)
    assert readers(mailing) == ["anna@x.example"]
    held = Post.objects.get(list=team)
    assert held.state == PostState.HELD and held.through_id == mailing.post_id
    moderation.decide(held.pk, Decision.RELEASE, NOW, address="olga@saule.example")
    while plan_due(NOW):
        pass
    inner = Mailing.objects.get(post=held)
    assert readers(inner) == ["bob@x.example", "cora@x.example"]  # anna has it already


def test_whoever_left_the_inner_list_or_paused_the_outer_one_gets_nothing(tree: tuple[List, List, List]) -> None:
    every, _team, board = tree
    memberships.pause(every, ["anna@x.example"], AT, by="test")
    (mailing,) = sent(every)
    assert readers(mailing) == ["bob@x.example", "cora@x.example"]
    memberships.remove(board, ["cora@x.example"], NOW, by="test")
    here = {due.email: due.here for due in copies.copies_of([Claimed(mailing.pk, 0, 0)], NOW)}
    assert here == {"bob@x.example": True, "cora@x.example": False}


def test_who_is_left_out_gets_nothing_by_any_way(tree: tuple[List, List, List]) -> None:
    every, team, _board = tree
    nesting.exclude(every, "cora@x.example", AT, by="test")
    nesting.exclude(team, "bob@x.example", AT, by="test")
    (mailing,) = sent(every)
    assert readers(mailing) == ["anna@x.example"] and audience_count(every) == 2
    assert nesting.excluded(every) == ["cora@x.example"] and nesting.readmit(every, "cora@x.example", AT, by="test")
    assert not nesting.readmit(every, "cora@x.example", AT, by="test")


def test_who_is_left_out_while_copies_wait_gets_none_of_them(tree: tuple[List, List, List]) -> None:
    every, _team, board = tree
    mailing, own = sent(every)[0], sent(board, "Again")[-1]
    nesting.exclude(every, "cora@x.example", NOW, by="test")
    nesting.exclude(board, "anna@x.example", NOW, by="test")
    assert {due.email for due in copies.copies_of([Claimed(mailing.pk, 0, 0)], NOW) if not due.here} == {"cora@x.example"}
    assert {due.email for due in copies.copies_of([Claimed(own.pk, 0, 0)], NOW) if not due.here} == {"anna@x.example"}


def test_moderators_and_free_senders_receive_where_the_list_says_so(tree: tuple[List, List, List]) -> None:
    board = tree[2]
    roles.give(board, "mod@x.example", RoleKind.MODERATOR, AT, by="test")
    roles.give(board, "free@x.example", RoleKind.FREE_SENDER, AT, by="test")
    roles.give(board, "anna@x.example", RoleKind.FREE_SENDER, AT, by="test")
    lists.set_policy(board, {"moderators_receive": "yes", "free_senders_receive": "yes"}, "test", AT)
    (mailing,) = sent(board)
    assert readers(mailing) == ["anna@x.example", "cora@x.example", "free@x.example", "mod@x.example"]
    assert all(due.here for due in copies.copies_of([Claimed(mailing.pk, 0, 0)], NOW))


def test_a_list_that_is_off_is_not_reached(tree: tuple[List, List, List]) -> None:
    List.objects.filter(pk=tree[1].pk).update(state="off")
    (mailing,) = sent(tree[0])
    assert readers(mailing) == ["anna@x.example"]


def test_leaving_by_a_copy_leaves_the_list_it_came_by(tree: tuple[List, List, List]) -> None:
    every, _team, board = tree
    (mailing,) = sent(every)
    cora = Address.objects.get(email="cora@x.example")
    token = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, cora.pk)
    left, outcome = leaving.by_token(token, NOW) or (None, None)
    assert left and outcome is leaving.Outcome.LEFT and left.list == board and left.path == "all > team > board"
    assert audience_count(board) == 1


def test_a_newsletter_through_a_list_nobody_leaves_leaves_its_reader_out(tree: tuple[List, List, List]) -> None:
    every, _team, board = tree
    lists.set_policy(board, {"leaving": "closed"}, "test", AT)
    lists.set_policy(every, {"urgency": "patient"}, "test", AT)
    (mailing,) = sent(every)
    token = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Address.objects.get(email="cora@x.example").pk)
    left, outcome = leaving.by_token(token, NOW) or (None, None)
    assert left and outcome is leaving.Outcome.LEFT and left.list == every
    assert audience_count(board) == 2 and nesting.excluded(every) == ["cora@x.example"]


def test_a_looser_list_around_a_stricter_one_is_pointed_out(tree: tuple[List, List, List]) -> None:
    every, team, _board = tree
    lists.set_policy(team, {"posting": "members"}, "test", AT)
    assert any("easier to write to" in one for one in lists.warnings(every)) and any("easier to write to" in one for one in lists.warnings(lists.find(team.address)))


def test_a_role_given_to_a_list_is_its_members(tree: tuple[List, List, List]) -> None:
    every, team, _board = tree
    roles.give(every, team.address, RoleKind.MODERATOR, AT, by="test")
    bob = Person.objects.create(name="Bob")
    Address.objects.filter(email="bob@x.example").update(person=bob)
    assert Right.MODERATE in rights_on(bob, every)
    assert {address.email for address in addresses_of(every, RoleKind.MODERATOR)} == {"anna@x.example", "bob@x.example"}
    memberships.remove(team, ["bob@x.example"], AT, by="test")
    assert Right.MODERATE not in rights_on(Person.objects.get(pk=bob.pk), every)


def test_who_is_on_every_list_of_a_domain_receives_each_message_once_also_of_lists_to_come() -> None:
    team, board = a_list("team@lists.example", members=["anna@members.example", "chair@members.example"]), a_list("board@lists.example", members=["bob@members.example"])
    assert team.domain and nesting.put_on_every(team.domain, "Chair@members.example", NOW, by="test") and not nesting.put_on_every(team.domain, "chair@members.example", NOW, by="test")
    later = a_list("later@lists.example", members=["anna@members.example"])
    for list_, expected in ((team, 2), (board, 2), (later, 2)):
        got = [copy.address.email for copy in Copy.objects.filter(mailing=a_mailing(list_)).select_related("address")]
        assert got.count("chair@members.example") == 1 and len(got) == expected
    mailing = Mailing.objects.filter(list=board).latest("pk")
    assert nesting.path_of(mailing, Address.objects.get(email="chair@members.example").pk) == "every list of lists.example"
    nesting.exclude(board, "chair@members.example", NOW, by="test")
    assert Copy.objects.filter(mailing=a_mailing(board)).count() == 1
    assert nesting.take_off_every(team.domain, "chair@members.example", NOW, by="test") and nesting.on_every(team.domain) == []
    assert Copy.objects.filter(mailing=a_mailing(later)).count() == 1


def test_the_ways_to_a_list_are_named_to_its_members(tree: tuple[List, List, List]) -> None:
    every, team, board = tree
    assert nesting.ways([board.pk, every.pk]) == {board.pk: ["team > board", "all > team > board"]}
    nesting.put_inside(every, team, AT, by="test", covers=False)
    assert nesting.ways([board.pk, team.pk]) == {board.pk: ["team > board"]}


def test_sending_again_counts_members_of_inner_lists(tree: tuple[List, List, List]) -> None:
    every, _team, board = tree
    [mailing] = sent(every)
    assert resending.preview(mailing, Whom.NEW, NOW).number == 0
    memberships.add(board, [("dora@x.example", ""), ("anna@x.example", "")], NOW + timedelta(minutes=1), by="test")
    later = NOW + timedelta(minutes=2)
    found = resending.preview(mailing, Whom.NEW, later)
    assert (found.number, found.first) == (1, ["dora@x.example"])
    resending.resend(mailing, Whom.NEW, later, by="test")
    while plan_due(later):
        pass
    assert Copy.objects.filter(mailing=Mailing.objects.latest("pk")).count() == 1
