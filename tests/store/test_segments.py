"""A segment's conditions on a real database, by kind, and words that try to be SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from colporteur.domain.mailings import MailingKind
from colporteur.domain.segments import parse
from colporteur.domain.words import Invalid
from colporteur.flow.memberships import add
from colporteur.store.arrivals import keep
from colporteur.store.campaigns import Campaign
from colporteur.store.copies.running import run
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Address, Person
from colporteur.store.segments import Details, condition
from colporteur.store.tracking import NamedHit, TrackingConsent

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)


@pytest.fixture
def list_() -> List:
    organisation = Organisation.objects.create(name="Choir", language="fr")
    domain = Domain.objects.create(organisation=organisation, name="lists.example.org")
    made = List.objects.create(organisation=organisation, domain=domain, address="news@lists.example.org", list_id="news.lists.example.org")
    other = List.objects.create(organisation=organisation, domain=domain, address="board@lists.example.org", list_id="board.lists.example.org")
    for name, days in (("anna", 400), ("bob", 20), ("cleo", 0)):
        host = "sub.example.net" if name == "cleo" else "example.com"
        add(made, [(f"{name}@{host}", "")], NOW - timedelta(days=days, minutes=1), by="")
    add(other, [("bob@example.com", "")], NOW, by="")
    Membership.objects.filter(list=made, email="anna@example.com").update(delivery="daily-mime")
    Address.objects.filter(email="bob@example.com").update(person=Person.objects.create(language="en"))
    _details(made, "anna@example.com", {"town": "Évreux", "age": 30, "born": "1990-05-01", "paid": True, "part": "Alto", "o'key\" --": "x"})
    recent = (NOW - timedelta(days=3)).date().isoformat()
    _details(made, "bob@example.com", {"town": "rennes", "age": 4.5, "born": recent, "paid": False, "part": "Bass"})
    return made


def _details(list_: List, email: str, values: dict[str, Any]) -> None:
    Details.objects.create(list=list_, address=Address.objects.get(email=email), values=values)


def found(list_: List, *parts: dict[str, Any], match: str = "all") -> str:
    """First letters of the members who match, in order."""
    sql, bound = condition({"match": match, "parts": list(parts)})
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.email FROM membership m WHERE m.list_id = %(list)s AND m.until IS NULL AND {sql} ORDER BY m.email", bound | {"list": list_.pk})
        return "".join(row[0][0] for row in cursor.fetchall())


def of(key: str, kind: str, how: str, value: object = None) -> dict[str, Any]:
    return {"about": "attribute", "key": key, "kind": kind, "is": how, "value": value}


ATTRIBUTES = [
    (of("town", "text", "equals", "evreux"), "a"), (of("town", "text", "differs", "RENNES"), "ac"), (of("town", "text", "contains", "RE"), "ab"),
    (of("town", "text", "begins", "ren"), "b"), (of("town", "text", "in", ["Rennes", "évreux"]), "ab"), (of("town", "text", "set"), "ab"), (of("town", "text", "unset"), "c"),
    (of("town", "text", "contains", "%"), ""), (of("town", "text", "begins", "_"), ""),
    (of("age", "number", "equals", "30"), "a"), (of("age", "number", "differs", 30), "bc"), (of("age", "number", "less", "4,6"), "b"), (of("age", "number", "more", 4), "ab"), (of("age", "number", "unset"), "c"),
    (of("town", "number", "more", 0), ""), (of("town", "date", "before", "2999-01-01"), ""),
    (of("born", "date", "equals", "1990-05-01"), "a"), (of("born", "date", "before", "01/06/1990"), "a"), (of("born", "date", "after", "1990-05-02"), "b"),
    (of("born", "date", "within", 10), "b"), (of("born", "date", "longer", 10), "a"), (of("born", "date", "set"), "ab"),
    (of("paid", "yes_no", "yes"), "a"), (of("paid", "yes_no", "no"), "b"), (of("paid", "yes_no", "unset"), "c"), (of("town", "yes_no", "yes"), ""),
    (of("part", "choice", "equals", "alto"), "a"), (of("part", "choice", "differs", "Alto"), "bc"), (of("part", "choice", "in", "Alto, Bass"), "ab"), (of("part", "choice", "unset"), "c"),
]  # fmt: skip


def test_attributes_compare_by_their_kind_and_what_is_unknown_equals_nothing(list_: List) -> None:
    assert [(one, found(list_, one)) for one, _wanted in ATTRIBUTES] == ATTRIBUTES


def test_the_membership_is_asked_too(list_: List) -> None:
    other = List.objects.get(address="board@lists.example.org").pk
    day = (NOW - timedelta(days=30)).date().isoformat()
    table: list[tuple[dict[str, Any], str]] = [
        ({"about": "since", "is": "before", "value": day}, "a"), ({"about": "since", "is": "after", "value": day}, "bc"), ({"about": "since", "is": "within", "value": 10}, "c"), ({"about": "since", "is": "longer", "value": "10"}, "ab"),
        ({"about": "language", "is": "equals", "value": "fr"}, "ac"), ({"about": "language", "is": "differs", "value": "fr"}, "b"),
        ({"about": "domain", "is": "equals", "value": "@Example.com"}, "ab"), ({"about": "domain", "is": "differs", "value": "example.com"}, "c"), ({"about": "domain", "is": "in", "value": "example.com, sub.example.net"}, "abc"),
        ({"about": "delivery", "is": "equals", "value": "daily-mime"}, "a"), ({"about": "delivery", "is": "differs", "value": "daily-mime"}, "bc"),
        ({"about": "list", "is": "on", "value": other}, "b"), ({"about": "list", "is": "off", "value": other}, "ac"),
    ]  # fmt: skip
    assert [(one, found(list_, one)) for one, _wanted in table] == table


def test_newsletters_are_the_last_finished_ones_and_only_who_agreed_is_known(list_: List) -> None:
    ids, blob = dict(Address.objects.values_list("email", "pk")), keep(b"x")
    for number in range(3):  # the last one is still being sent
        campaign = Campaign.objects.create(list=list_, created=NOW, changed=NOW)
        campaign.mailing = Mailing.objects.create(kind=MailingKind.CAMPAIGN, list=list_, campaign=campaign, state="done" if number < 2 else "running", finished=NOW if number < 2 else None, audience_at=NOW, created=NOW, blob_id=blob)
        campaign.save()
        run("INSERT INTO copy (mailing_id, address_id, slice, state, attempts, code) VALUES (%(m)s, %(a)s, 0, 2, 1, 250)", {"m": campaign.mailing.pk, "a": ids[("anna@example.com", "bob@example.com", "cleo@sub.example.net")[number]]})
        if number == 1:
            for email, link in (("anna@example.com", 0), ("cleo@sub.example.net", 7)):
                NamedHit.objects.create(campaign=campaign, address_id=ids[email], link=link, first_at=NOW, last_at=NOW)
    for email in ("anna@example.com", "bob@example.com"):
        TrackingConsent.objects.create(organisation=list_.organisation, address_id=ids[email], since=NOW, how="form", wording="yes")
    table = [("received", 1, "b"), ("received", 3, "ab"), ("not_received", 3, "c"), ("opened", 1, "ac"), ("not_opened", 1, "b"), ("clicked", 1, "c"), ("not_clicked", 1, "ab")]
    assert [(how, last, found(list_, {"about": "newsletters", "is": how, "value": last})) for how, last, _who in table] == table


def test_groups_say_all_any_or_none_and_nest(list_: List) -> None:
    anna, bob = of("age", "number", "more", 20), of("age", "number", "less", 20)
    assert found(list_) == "abc"
    assert found(list_, anna, bob) == ""
    assert found(list_, anna, bob, match="any") == "ab"
    assert found(list_, anna, bob, match="none") == "c"
    assert found(list_, {"match": "none", "parts": [anna]}, {"match": "any", "parts": [bob, of("town", "text", "unset")]}) == "bc"


HOSTILE = ["o'key\" --", "'; DROP TABLE membership; --", "%(list)s", "%s", "{0}", "a' OR '1'='1", "$.x ? (1==1)"]


@pytest.mark.parametrize("text", HOSTILE)
def test_words_are_never_sql(list_: List, text: str) -> None:
    assert found(list_, of(text, "text", "set")) == ("a" if text == HOSTILE[0] else "")
    for how in ("equals", "contains", "begins"):
        assert found(list_, of("town", "text", how, text)) == ""
    sql, bound = condition({"match": "all", "parts": [of(text, "text", "in", [text]), {"about": "delivery", "is": "equals", "value": "each"}]})
    assert text not in sql
    assert text in bound.values()


@pytest.mark.parametrize(
    "given",
    [None, [], "x", "{", "[" * 5000, {"match": "some", "parts": []}, {"match": "all"}, {"match": "all", "parts": ["x"]}, {"match": "all", "parts": [{"about": "attribute", "is": "set"}]},
     {"match": "all", "parts": [of("a", "number", "contains", "x")]}, {"match": "all", "parts": [of("a", "number", "more", "1e9")]}, {"match": "all", "parts": [of("a", "date", "before", "2026-02-30")]},
     {"match": "all", "parts": [of("a\x00", "text", "set")]}, {"match": "all", "parts": [of("a", "text", "equals", "\x00")]}, {"match": "all", "parts": [of("a", "text", "equals", {"x": 1})]},
     {"match": "all", "parts": [{"about": "since", "is": "within", "value": -1}]}, {"match": "all", "parts": [{"about": "list", "is": "on", "value": "1; DROP"}]}, {"match": "all", "parts": [{"about": "delivery", "is": "equals", "value": "' OR 1"}]},
     {"match": "all", "parts": [of("a", "text", "set")] * 51}, {"match": "all", "parts": [{"match": "all", "parts": [{"match": "all", "parts": [{"match": "all", "parts": [{"match": "all", "parts": []}]}]}]}]}],
)  # fmt: skip
def test_what_is_no_rule_is_refused_in_words(given: object) -> None:
    with pytest.raises(Invalid, match=r"[a-z]{3}"):
        parse(given)


def test_days_are_told_by_the_calendar() -> None:
    assert parse({"match": "all", "parts": [of("born", "date", "before", "14/07/2026")]}).parts == parse({"match": "all", "parts": [of("born", "date", "before", date(2026, 7, 14).isoformat())]}).parts
