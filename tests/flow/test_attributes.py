"""What a list knows of its members: defined, asked, imported, told by sources; what a member wrote stays the member's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from colporteur.domain import entries
from colporteur.domain.segments import parse
from colporteur.domain.sources import Kind, Setting, Table
from colporteur.domain.words import Invalid
from colporteur.flow import attributes, enrolments, joining, memberships, roster, segments, sources
from colporteur.flow.joining import Asking
from colporteur.store.campaigns import Campaign, CampaignAudience
from colporteur.store.joining import JoinRequest
from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Address
from colporteur.store.segments import Attribute

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 21, tzinfo=UTC)
CSV = "email;Ville;born;paid\nanna@example.com;Rennes;14/07/1990;oui\nbob@example.com;Brest;;non\ncleo@example.com;Lannion;someday;oui\n"


@pytest.fixture
def list_() -> List:
    organisation = Organisation.objects.create(name="Choir")
    domain = Domain.objects.create(organisation=organisation, name="lists.example.org")
    made = List.objects.create(organisation=organisation, domain=domain, address="news@lists.example.org", list_id="news.lists.example.org", policy={"joining": "confirm"})
    attributes.define(made, NOW, by="", label="Ville", key="town", asked=True, required=True)
    attributes.define(made, NOW, by="", label="Born", kind="date")
    attributes.define(made, NOW, by="", label="Paid", kind="yes_no")
    attributes.define(made, NOW, by="", label="Voice part", kind="choice", choices=["Alto", "Bass", "Alto"], asked=True)
    return made


def known(list_: List, email: str) -> dict[str, Any]:
    address = Address.objects.get(email=email)
    return dict(attributes.values_of(list_, [address.pk]).get(address.pk, {}))


def test_attributes_are_defined_in_order_and_refused_in_words(list_: List) -> None:
    assert [(row.key, row.kind, row.choices, row.required) for row in attributes.of_list(list_)] == [
        ("town", "text", [], True), ("born", "date", [], False), ("paid", "yes_no", [], False), ("voice_part", "choice", ["Alto", "Bass"], False),
    ]  # fmt: skip
    for wrong in ({"label": ""}, {"label": "Town", "key": "town"}, {"label": "x", "key": "1a"}, {"label": "x", "key": "email"}, {"label": "x", "kind": "colour"}, {"label": "x", "kind": "choice"}, {"label": "x", "key": "a" * 41}):
        with pytest.raises(Invalid):
            attributes.define(list_, NOW, by="", **wrong)  # type: ignore[arg-type]


def test_a_file_brings_values_by_key_or_label_and_says_what_it_cannot_read(list_: List) -> None:
    read = entries.read(CSV, None, attributes.fields_of(list_))
    assert [(line.line, str(line.reason)[:9]) for line in read.refused] == [(4, "someday i")]
    added = memberships.add(list_, read, NOW, by="")
    assert added.added == 2
    assert known(list_, "anna@example.com") == {"town": "Rennes", "born": "1990-07-14", "paid": True}
    again = entries.read("email,town,paid\nanna@example.com,Redon,\nbob@example.com,Quimper,yes\n", None, attributes.fields_of(list_))
    assert enrolments.outlook(list_, again).already == 2
    memberships.add(list_, again, NOW, by="")
    assert known(list_, "anna@example.com") == {"town": "Redon", "born": "1990-07-14", "paid": True}  # an empty cell takes nothing away
    assert known(list_, "bob@example.com") == {"town": "Quimper", "paid": True}
    chosen = entries.read("a;b\nBrest;anna@example.com\n", entries.Columns(1, attributes={"town": 0}), attributes.fields_of(list_))
    roster.edit(list_, chosen, NOW, by="")
    assert known(list_, "anna@example.com")["town"] == "Brest"


def test_what_a_member_wrote_survives_imports_and_sources_but_not_the_hand_of_an_owner(list_: List) -> None:
    memberships.add(list_, entries.read(CSV, None, attributes.fields_of(list_)), NOW, by="")
    anna = Address.objects.get(email="anna@example.com")
    assert attributes.write(list_, anna, {"town": "Vannes", "paid": None}, NOW, by="anna@example.com", own=True) == ["town", "paid"]
    memberships.add(list_, entries.read(CSV, None, attributes.fields_of(list_)), NOW, by="")
    assert known(list_, "anna@example.com") == {"town": "Vannes", "born": "1990-07-14"}
    source = sources.add(list_, Setting(Kind.CSV, "https://example.org/x.csv"), NOW, by="")
    claimed = sources.claim_one(source.pk, NOW)
    assert claimed is not None
    sources.take(claimed, Table(("email", "Ville", "voice_part", "born"), [("anna@example.com", "Paris", "alto", "x"), ("dora@example.com", "Dinan", "", "")]), NOW)
    assert known(list_, "anna@example.com") == {"town": "Vannes", "born": "1990-07-14", "voice_part": "Alto"}
    assert known(list_, "dora@example.com") == {"town": "Dinan"}
    source.refresh_from_db()
    assert [(email, str(why)[:8]) for email, why in sources.unread_of(source)] == [("anna@example.com", "x is not")]
    attributes.write(list_, anna, {"town": "Paris"}, NOW, by="Owner")
    assert known(list_, "anna@example.com")["town"] == "Paris"


def test_who_asks_to_join_says_what_is_asked_and_it_counts_once_confirmed(list_: List) -> None:
    eve = Address.objects.create(email="eve@example.com")
    joining.ask(list_, eve, NOW, Asking(values={"town": "Auray", "gone": "x"}))
    assert known(list_, "eve@example.com") == {}
    joining.confirm(JoinRequest.objects.get(address=eve).pk, NOW)
    assert known(list_, "eve@example.com") == {"town": "Auray"}


def test_an_attribute_goes_with_its_values_unless_a_segment_asks_about_it(list_: List) -> None:
    memberships.add(list_, entries.read(CSV, None, attributes.fields_of(list_)), NOW, by="")
    segment = segments.create(list_, "Rennes", {"match": "all", "parts": [{"about": "attribute", "key": "town", "is": "equals", "value": "rennes"}]}, NOW, by="")
    town = Attribute.objects.get(list=list_, key="town")
    with pytest.raises(Invalid, match="Rennes"):
        attributes.delete(town, NOW, by="")
    segments.delete(segment, NOW, by="")
    assert attributes.delete(town, NOW, by="") == 2
    assert known(list_, "anna@example.com") == {"born": "1990-07-14", "paid": True}


def test_a_segment_counts_names_and_explains(list_: List) -> None:
    memberships.add(list_, entries.read(CSV, None, attributes.fields_of(list_)), NOW, by="")
    rule = {"match": "all", "parts": [{"about": "attribute", "key": "paid", "is": "yes"}, {"match": "any", "parts": [{"about": "domain", "is": "equals", "value": "example.com"}, {"about": "delivery", "is": "equals", "value": "none"}]}]}
    segment = segments.create(list_, " Paid ", rule, NOW, by="")
    assert (segment.name, segments.counted(list_, segment), segments.some(list_, segment)) == ("Paid", 1, [("anna@example.com", "")])
    why = segments.matches(list_, segment, Address.objects.get(email="bob@example.com"))
    assert (why.member, why.matches, [(str(one.sentence), one.holds, one.depth) for one in why.reasons]) == (
        True, False, [("Paid: yes", False, 0), ("the address is at example.com", True, 1), ("receives: none", False, 1)],
    )  # fmt: skip
    assert not segments.matches(list_, segment, Address.objects.create(email="x@example.com")).member
    segments.change(segment, NOW, by="", rule={"match": "none", "parts": [{"about": "attribute", "key": "paid", "is": "yes"}]})
    assert segments.some(list_, segments.find(list_, "paid")) == [("bob@example.com", "")]


def test_a_rule_names_only_what_is_there_and_a_used_segment_stays(list_: List) -> None:
    elsewhere = List.objects.create(organisation=Organisation.objects.create(name="Other"), address="x@other.example", list_id="x.other.example")
    for part in ({"about": "attribute", "key": "shoe", "is": "set"}, {"about": "list", "is": "on", "value": elsewhere.pk}, {"about": "attribute", "key": "voice_part", "is": "equals", "value": "Soprano"}):
        with pytest.raises(Invalid):
            segments.create(list_, "x", {"match": "all", "parts": [part]}, NOW, by="")
    segment = segments.create(list_, "all", {"match": "all", "parts": []}, NOW, by="")
    assert parse(segment.rule).parts == ()
    campaign = Campaign.objects.create(list=list_, subject="Spring", created=NOW, changed=NOW)
    CampaignAudience.objects.create(campaign=campaign, segment=segment)
    with pytest.raises(Invalid, match="Spring"):
        segments.delete(segment, NOW, by="")
