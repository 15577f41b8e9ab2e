"""The life of a list: closed, deleted and restored, moved, copied, purged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain.mailings import CopyState
from colporteur.flow import intake, life, lists, memberships, organisations, roles, transports
from colporteur.flow.moderation import judge_due
from colporteur.flow.planning import plan_due
from colporteur.store.lists import Alias, List, ListState, RoleKind
from colporteur.store.models import Arrival, Blob, Copy, Errand, Finding, JournalEntry, Mailing, Membership, Person, Post, Slice, Wording
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.policies import policy
from colporteur.store.routes import RouteStep
from tests.flow.posts import arrives

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def amapiens() -> List:
    organisations.add_domain("saule.example", organisations.organisation_called("Les Paniers du Saule"), NOW, by="test")
    organisations.add_domain("autre.example", organisations.organisation_called("Une autre"), NOW, by="test")
    transports.add("outbox", "folder:///tmp/colporteur-tests-outbox", NOW)
    made = lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test", title="Amapiens")
    memberships.add(made, [("anna@courriel.example", "Anna"), ("marc@courriel.example", "Marc"), ("zoe@courriel.example", "")], NOW, by="test")
    return made


def message(list_: List, subject: str = "Bonjour", sender: str = "anna@courriel.example") -> bytes:
    return f"From: {sender}\r\nTo: {list_.address}\r\nSubject: {subject}\r\nMessage-ID: <{subject}.{sender}>\r\n\r\nx\r\n".encode()


def again(list_: List) -> List:
    return List.objects.select_related("organisation", "domain").get(pk=list_.pk)


def test_a_closed_list_refuses_for_good_even_where_off_means_later_and_opens_again(amapiens: List) -> None:
    lists.set_policy(amapiens, {"service_off": "defer"}, "test", NOW)
    life.switch(amapiens, False, NOW, by="test")
    assert intake.known(amapiens.address) == intake.OFF_FOR_NOW
    assert life.close(amapiens, NOW, by="test") and not life.close(amapiens, NOW, by="test")
    assert intake.known(amapiens.address) == intake.known("amapiens-owner@saule.example") == intake.CLOSED
    assert life.reopen(amapiens, NOW, by="test") and not life.reopen(amapiens, NOW, by="test")
    assert intake.known(amapiens.address) == intake.TAKEN


def test_what_goes_is_counted_before_it_goes(amapiens: List) -> None:
    arrives(amapiens, message(amapiens))
    arrives(amapiens, message(amapiens, "Pub", "pub@ailleurs.example"))
    judge_due(NOW)
    lists.set_policy(amapiens, {"keep_deleted": "7"}, "test", NOW)
    assert life.going(again(amapiens)) == life.Going(members=3, messages=2, waiting=1, leaving=1, mailbox=False, days=7)


def test_a_deleted_list_is_restored_as_it_was_until_its_time_is_over(amapiens: List) -> None:
    lists.set_policy(amapiens, {"keep_deleted": "7"}, "test", NOW)
    life.switch(amapiens, False, NOW, by="test")
    assert life.delete(again(amapiens), NOW, by="test")
    assert again(amapiens).purge_at == NOW + timedelta(days=7)
    assert life.purge_due(NOW + timedelta(days=6)) == 0
    assert life.restore(amapiens.address, NOW + timedelta(days=6), by="test").state == ListState.OFF
    assert Membership.objects.filter(list=amapiens, until__isnull=True).count() == 3
    life.delete(again(amapiens), NOW, by="test")
    with pytest.raises(ValueError, match="no deleted list"):
        life.restore(amapiens.address, NOW + timedelta(days=7), by="test")


def test_a_purge_takes_all_of_one_list_and_nothing_of_another(amapiens: List) -> None:
    other = lists.create("bureau@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(other, [("anna@courriel.example", "Anna")], NOW, by="test")
    both = message(amapiens)
    intake.receive([intake.Incoming(both, "anna@courriel.example", (amapiens.address, other.address, "amapiens-owner@saule.example"), "lmtp")], NOW)
    arrives(amapiens, message(amapiens, "Seul"))
    judge_due(NOW)
    plan_due(NOW)
    lists.add_alias(amapiens, "paniers@saule.example", NOW, by="test")
    Wording.objects.create(letter="held", language="fr", list=amapiens, subject="S", text="T")
    first = Mailing.objects.filter(list=amapiens, post__isnull=False).first()
    assert first is not None and Copy.objects.filter(mailing=first, state=CopyState.QUEUED).exists()
    people = Person.objects.count()
    life.delete(again(amapiens), NOW, by="test")
    assert life.purge_due(NOW + timedelta(days=30)) == 1 and life.purge_due(NOW + timedelta(days=30)) == 0
    assert [row.address for row in List.objects.all()] == ["bureau@saule.example"]
    for table in (Post, Mailing, Membership, Slice):
        assert {row.list_id if hasattr(row, "list_id") else row.mailing.list_id for row in table.objects.all()} == {other.pk}, table
    assert set(Copy.objects.values_list("mailing__list_id", flat=True)) == {other.pk}
    assert not Errand.objects.exists() and not Alias.objects.exists() and not Wording.objects.exists()
    assert Finding.objects.exclude(post__list=other).count() == 0
    assert [bytes(blob.raw) for blob in Blob.objects.all()] == [both] and Arrival.objects.count() == 1  # what another list has stays
    assert Person.objects.count() == people and JournalEntry.objects.get(event="list.purged").values["name"] == "amapiens@saule.example"
    assert lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")  # the name is free again


def test_a_purge_that_was_interrupted_is_done_again(amapiens: List, monkeypatch: pytest.MonkeyPatch) -> None:
    arrives(amapiens, message(amapiens))
    judge_due(NOW)
    plan_due(NOW)
    life.delete(again(amapiens), NOW, by="test")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(List, "delete", cut)
        with pytest.raises(KeyboardInterrupt):
            life.purge_due(NOW + timedelta(days=30))
    assert not Membership.objects.exists() and List.objects.exists()
    assert life.purge_due(NOW + timedelta(days=30)) == 1 and not List.objects.exists()


def test_several_are_deleted_together(amapiens: List) -> None:
    other = lists.create("bureau@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    assert life.delete_all([again(other), again(amapiens)], NOW, by="test") == 2
    assert set(List.objects.values_list("state", flat=True)) == {"deleted"}
    assert life.delete_all([again(other)], NOW, by="test") == 0


def test_a_moved_list_keeps_members_list_id_and_its_old_address(amapiens: List) -> None:
    life.move(amapiens, "Paniers@Autre.example", NOW, by="test")
    moved = lists.find("paniers@autre.example")
    assert (moved.pk, moved.list_id, moved.organisation.name) == (amapiens.pk, "amapiens.saule.example", "Une autre")
    assert amapiens.address == "paniers@autre.example" and amapiens.organisation.name == "Une autre"
    for address in ("paniers@autre.example", "amapiens@saule.example", "amapiens-owner@saule.example", "paniers-unsubscribe@autre.example"):
        assert intake.known(address) == intake.TAKEN, address
    post = arrives(moved, message(amapiens).replace(b"paniers@autre", b"amapiens@saule"))
    assert post.list_id == amapiens.pk
    with pytest.raises(ValueError, match="already"):
        lists.create("amapiens@saule.example", "discussion", "x@x.example", NOW, by="test")


def test_a_list_moves_back_to_an_address_it_had_and_the_old_one_can_be_given_up(amapiens: List) -> None:
    life.move(amapiens, "paniers@saule.example", NOW, by="test")
    life.move(amapiens, "amapiens@saule.example", NOW, by="test", keep=False)
    assert not Alias.objects.exists() and intake.known("paniers@saule.example") == intake.UNKNOWN
    with pytest.raises(ValueError, match="has this address already"):
        life.move(amapiens, "amapiens@saule.example", NOW, by="test")


@pytest.mark.parametrize(("address", "words"), [("bureau@saule.example", "already"), ("x@nowhere.example", "not a domain"), ("postmaster@saule.example", "kept for the mail system"), ("bureau-owner@saule.example", "may not end")])
def test_an_address_that_cannot_be_taken_moves_and_copies_nothing(amapiens: List, address: str, words: str) -> None:
    lists.create("bureau@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    for do in (lambda: life.move(amapiens, address, NOW, by="test"), lambda: life.copy(amapiens, address, NOW, by="test")):
        with pytest.raises(ValueError, match=words):
            do()
    assert again(amapiens).address == "amapiens@saule.example" and List.objects.count() == 2 and not Alias.objects.exists()


def test_a_list_does_not_take_its_organisations_transport_to_another_one(amapiens: List) -> None:
    transports.add("ours", "smtp://relay.example", NOW, amapiens.organisation)
    lists.change(amapiens, NOW, by="test", transport="ours")
    assert RouteStep.objects.filter(list=amapiens).exists()
    life.move(again(amapiens), "amapiens@autre.example", NOW, by="test")
    assert not RouteStep.objects.filter(list=amapiens).exists()


def test_a_copy_has_settings_roles_and_texts_and_members_only_when_asked(amapiens: List) -> None:
    lists.set_policy(amapiens, {"prefix": "[amap]", "posting": "world"}, "test", NOW)
    roles.give(amapiens, "odile@saule.example", RoleKind.MODERATOR, NOW, by="test")
    memberships.pause(amapiens, ["marc@courriel.example"], NOW, by="test")
    Wording.objects.create(letter="held", language="fr", list=amapiens, subject="S", text="T")
    bare = life.copy(again(amapiens), "bare@saule.example", NOW, by="test")
    assert (bare.list_id, bare.template, bare.title, policy(again(bare)).prefix) == ("bare.saule.example", "discussion", "Amapiens", "[amap]")
    assert [(holder.kind, holder.email) for holder in roles.of(bare)] == [(holder.kind, holder.email) for holder in roles.of(amapiens)]
    assert Wording.objects.get(list=bare).subject == "S" and not bare.memberships.exists()
    full = life.copy(again(amapiens), "full@autre.example", NOW, by="test", title="Autre", members=True)
    assert full.organisation == Organisation.objects.get(name="Une autre") and full.title == "Autre"
    assert sorted(full.memberships.values_list("address__email", "paused")) == [("anna@courriel.example", False), ("marc@courriel.example", True), ("zoe@courriel.example", False)]


def test_mail_to_a_domain_that_is_off_is_refused_with_its_name_or_deferred(amapiens: List) -> None:
    domain = Domain.objects.get(name="saule.example")
    organisations.disable(domain, NOW, by="test")
    refused = intake.known(amapiens.address)
    assert refused.code == 550 and "list service of saule.example is switched off" in refused.text
    domain.policy = {"service_off": "defer"}
    domain.save()
    assert intake.known(amapiens.address).code == 450 and "try again later" in intake.known(amapiens.address).text
    organisations.enable(domain, NOW, by="test")
    assert intake.known(amapiens.address) == intake.TAKEN
