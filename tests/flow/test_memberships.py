"""Memberships: in by hand or by the hundred thousand, out by one's own wish, and what an import may not undo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from colporteur.domain import entries, tokens
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.mailings import MailingKind
from colporteur.flow import leaving, lists, memberships, organisations, people
from colporteur.store import arrivals
from colporteur.store.lists import List
from colporteur.store.memberships import Membership, Source
from colporteur.store.models import Address, JournalEntry, Mailing

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def amapiens() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    return lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")


def add(list_: List, *emails: str, **more: object) -> memberships.Added:
    return memberships.add(list_, [(email, "") for email in emails], more.pop("now", NOW), by="test", **more)


def present(list_: List) -> set[str]:
    return set(Membership.objects.filter(list=list_, until__isnull=True).values_list("address__email", flat=True))


def events(name: str) -> list[dict[str, object]]:
    return list(JournalEntry.objects.filter(event=name).order_by("id").values_list("values", flat=True))


def test_good_ones_are_added_and_bad_ones_told_by_number_and_reason(amapiens: List) -> None:
    added = memberships.add(amapiens, [("anna@a.example", "Anna"), ("no address", ""), ("ANNA@a.example", ""), ("marc@a.example", "Marc"), ("", "Nobody")], NOW, by="test")
    assert (added.added, added.already, added.twice) == (2, 0, 1)
    assert [(bad.line, bad.reason[:30]) for bad in added.refused] == [(2, "'no address' is not an e-mail "), (5, "there is no address on this li")]
    assert present(amapiens) == {"anna@a.example", "marc@a.example"}
    assert dict(Address.objects.exclude(name="").values_list("email", "name")) == {"anna@a.example": "Anna", "marc@a.example": "Marc"}


def test_the_lists_own_addresses_would_loop_and_are_refused(amapiens: List) -> None:
    lists.add_alias(amapiens, "paniers@saule.example", NOW, by="test")
    added = add(amapiens, "amapiens@saule.example", "amapiens-owner@saule.example", "paniers@saule.example", "anna@a.example")
    assert [bad.line for bad in added.refused] == [1, 2, 3] and present(amapiens) == {"anna@a.example"}


def test_a_name_fills_an_empty_one_and_never_replaces_one(amapiens: List) -> None:
    memberships.add(amapiens, [("anna@a.example", "")], NOW, by="test")
    memberships.add(amapiens, [("anna@a.example", "Anna")], NOW, by="test")
    memberships.add(amapiens, [("anna@a.example", "Somebody else")], NOW, by="test")
    assert Address.objects.get(email="anna@a.example").name == "Anna"


def test_adding_again_changes_nothing(amapiens: List) -> None:
    add(amapiens, "anna@a.example")
    memberships.pause(amapiens, ["anna@a.example"], NOW, by="test")
    assert add(amapiens, "anna@a.example", now=LATER).already == 1
    kept = Membership.objects.get()
    assert (kept.since, kept.paused) == (NOW, True)


def test_who_left_stays_away_from_imports_unless_asked(amapiens: List) -> None:
    add(amapiens, "anna@a.example", "marc@a.example")
    memberships.leave(amapiens, Address.objects.get(email="anna@a.example"), LATER, by="anna@a.example")
    memberships.remove(amapiens, ["marc@a.example"], LATER, by="test")
    source = Source.objects.create(list=amapiens, kind="csv", name="Licenciés")
    added = add(amapiens, "anna@a.example", "marc@a.example", "odile@a.example", source=source, now=LATER)
    assert (added.added, added.left, added.already) == (2, ["anna@a.example"], 0)
    assert present(amapiens) == {"marc@a.example", "odile@a.example"}
    assert add(amapiens, "anna@a.example", bring_back=True, now=LATER).added == 1
    assert Membership.objects.filter(address__email="anna@a.example").count() == 2  # the first one is history, not gone


def test_only_the_last_leaving_counts(amapiens: List) -> None:
    anna = "anna@a.example"
    add(amapiens, anna)
    memberships.leave(amapiens, Address.objects.get(email=anna), NOW, by=anna)
    add(amapiens, anna, bring_back=True)
    memberships.remove(amapiens, [anna], LATER, by="test")
    assert add(amapiens, anna, now=LATER).added == 1


def test_few_are_journaled_one_by_one_and_many_as_a_count(amapiens: List) -> None:
    add(amapiens, "anna@a.example", "marc@a.example")
    assert [entry["email"] for entry in events("membership.joined")] == ["anna@a.example", "marc@a.example"]
    add(amapiens, *(f"p{number}@a.example" for number in range(50)))
    assert events("memberships.joined") == [{"count": 50, "by": "test", "source": ""}]
    memberships.remove(amapiens, [f"p{number}@a.example" for number in range(50)], LATER, by="test")
    memberships.remove(amapiens, ["anna@a.example"], LATER, by="test")
    assert events("memberships.left")[0]["count"] == 50 and events("membership.left")[0]["email"] == "anna@a.example"


def test_removing_ends_a_membership_and_deletes_nothing(amapiens: List) -> None:
    add(amapiens, "anna@a.example")
    removed = memberships.remove(amapiens, ["Anna@a.example", "nobody@a.example"], LATER, by="test")
    assert (removed.removed, removed.unknown) == (["anna@a.example"], ["nobody@a.example"])
    ended = Membership.objects.get()
    assert (ended.since, ended.until, ended.left_by) == (NOW, LATER, "owner")
    with pytest.raises(ValueError):
        memberships.remove(amapiens, ["not an address"], LATER, by="test")


def test_pause_and_delivery_change_those_named_only(amapiens: List) -> None:
    add(amapiens, "anna@a.example", "marc@a.example")
    assert memberships.pause(amapiens, ["anna@a.example"], NOW, by="test") == 1
    assert memberships.pause(amapiens, ["anna@a.example"], NOW, by="test") == 0
    assert memberships.set_delivery(amapiens, ["marc@a.example"], DeliveryMode.NONE, NOW, by="test") == 1
    rows = {row.address.email: (row.paused, row.delivery) for row in Membership.objects.select_related("address")}
    assert rows == {"anna@a.example": (True, "each"), "marc@a.example": (False, "none")}
    assert memberships.pause(amapiens, ["anna@a.example"], NOW, by="test", paused=False) == 1
    assert [entry["change"] for entry in events("membership.changed")] == ["paused", "delivery: none", "receives again"]


def test_the_person_who_did_it_stands_in_the_journal(amapiens: List) -> None:
    helene = people.add("helene@saule.example", "Hélène Marchand", now=NOW)
    memberships.add(amapiens, [("anna@a.example", "")], NOW, by=helene)
    entry = JournalEntry.objects.get(event="membership.joined")
    assert (entry.actor_id, entry.values["by"]) == (helene.pk, "Hélène Marchand")


# --- leaving by the token of a copy ---


def token(list_: List, email: str, kind: MailingKind = MailingKind.POST) -> str:
    digest = arrivals.keep(b"x")
    mailing = Mailing.objects.create(kind=kind.value, list=list_, blob_id=digest, audience_at=NOW, created=NOW)
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Address.objects.get(email=email).pk)


def test_a_token_leaves_once_and_stays_harmless(amapiens: List) -> None:
    add(amapiens, "anna@a.example", "marc@a.example")
    made = token(amapiens, "anna@a.example")
    asked = memberships.named_by_token(made)
    assert asked and asked.member and asked.way.by_oneself and (asked.list, asked.address.email) == (amapiens, "anna@a.example")
    assert present(amapiens) == {"anna@a.example", "marc@a.example"}, "asking changes nothing"
    assert leaving.by_token(made.upper(), LATER)
    assert present(amapiens) == {"marc@a.example"}
    assert Membership.objects.get(address__email="anna@a.example").left_by == "member"
    again = leaving.by_token(made, LATER)
    assert again and not again[0].member and len(events("membership.left")) == 1


def test_a_token_does_not_leave_where_the_policy_keeps_members(amapiens: List) -> None:
    add(amapiens, "anna@a.example")
    lists.set_policy(amapiens, {"leaving": "closed"}, "test", NOW)
    found = leaving.by_token(token(amapiens, "anna@a.example"), LATER)
    assert found and found[1] is leaving.Outcome.CLOSED and present(amapiens) == {"anna@a.example"}


@pytest.mark.parametrize("purpose", [tokens.Purpose.MODERATE, tokens.Purpose.CONFIRM])
def test_a_token_for_another_purpose_is_nobodys(amapiens: List, purpose: tokens.Purpose) -> None:
    add(amapiens, "anna@a.example")
    assert leaving.by_token(tokens.sign(settings.TOKEN_KEY, purpose, 1, Address.objects.get(email="anna@a.example").pk), LATER) is None
    assert present(amapiens) == {"anna@a.example"}


@pytest.mark.parametrize("text", ["", "x", "a" * 24, "é" * 24, "\x00", "A" * 10_000])
def test_a_forged_token_is_nobodys(amapiens: List, text: str) -> None:
    assert leaving.by_token(text, LATER) is None


def test_the_token_of_a_letter_unsubscribes_nobody(amapiens: List) -> None:
    add(amapiens, "anna@a.example")
    assert leaving.by_token(token(amapiens, "anna@a.example", MailingKind.LETTER), LATER) is None
    assert present(amapiens) == {"anna@a.example"}


# --- many ---


def test_many_are_added_in_few_statements_and_found_by_name_and_address(amapiens: List, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memberships, "CHUNK", 1_000)
    read = entries.read("email;nom\n" + "\n".join(f"p{number}@a.example;Élise {number}" for number in range(2_500)) + "\nnot an address;x")
    seen: list[int] = []
    with CaptureQueriesContext(connection) as queries:
        added = memberships.add(amapiens, read, NOW, by="test", progress=seen.append)
    assert (added.added, [bad.line for bad in added.refused]) == (2_500, [2_502])
    assert len(queries) < 25 and seen == [1_000, 2_000, 2_500]
    assert not Membership.objects.filter(list=amapiens, email__startswith="p").exclude(called__startswith="elise ").exists()
    assert memberships.add(amapiens, read, LATER, by="test").already == 2_500


def test_nothing_is_half_done_when_it_breaks_in_the_middle(amapiens: List, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memberships, "CHUNK", 10)

    def fail(done: int) -> None:
        if done >= 20:
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        memberships.add(amapiens, [(f"p{number}@a.example", "") for number in range(50)], NOW, by="test", progress=fail)
    assert not present(amapiens) and not events("memberships.joined")
