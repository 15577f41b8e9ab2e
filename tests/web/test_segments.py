"""Segments and attributes as an owner makes them, without a script."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from colporteur.flow import attributes, memberships
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.segments import Attribute, Segment
from tests.web.conftest import World, signed_in


def known(list_: List) -> None:
    """Two members of whom the town is known, and one of whom it is not."""
    now = timezone.now()
    attributes.define(list_, now, by="", label="Ville", key="town", asked=True)
    for name, town in (("bob", "Rennes"), ("cleo", "Brest")):
        memberships.add(list_, [(f"{name}@example.com", "")], now, by="")
        attributes.write(list_, Address.objects.get(email=f"{name}@example.com"), {"town": town}, now, by="")


def test_a_segment_is_built_by_posting_back_looked_at_saved_and_explained(village: World) -> None:
    known(village.list)
    browser, where = signed_in(village.owner), reverse("segment-new", args=[village.list.pk])
    page = browser.post(where, {"name": "Rennes", "match-0": "all", "new-0": "attribute-town", "do": "add-0"})
    assert page.status_code == 200 and 'name="about-0" value="attribute-town"' in page.content.decode()
    line = {"name": "Rennes", "match-0": "all", "about-0": "attribute-town", "group-0": "0", "is-0": "equals", "value-0": "rennes"}
    page = browser.post(where, {**line, "do": "group"})
    assert 'name="match-1"' in page.content.decode()
    page = browser.post(where, {**line, "do": "look"})
    assert "1 member" in page.content.decode() and "bob@example.com" in page.content.decode().replace("<wbr>", "") and not Segment.objects.exists()
    answer = browser.post(where, {**line, "match-1": "none", "about-1": "domain", "group-1": "1", "is-1": "equals", "value-1": "example.net", "do": "save"})
    saved = Segment.objects.get()
    assert answer.status_code == 302 and saved.rule["parts"][1] == {"match": "none", "parts": [{"about": "domain", "is": "equals", "value": "example.net"}]}
    page = browser.get(reverse("segment", args=[village.list.pk, saved.pk]), {"who": "cleo@example.com"})
    assert "does not hold: Ville is rennes" in page.content.decode()
    assert '<td class="num">1</td>' in browser.get(reverse("segments", args=[village.list.pk])).content.decode()
    page = browser.post(reverse("segment", args=[village.list.pk, saved.pk]), {**line, "do": "remove-0"})
    assert 'name="about-0"' not in page.content.decode() and Segment.objects.get().rule == saved.rule
    browser.post(reverse("segment", args=[village.list.pk, saved.pk]), {"do": "delete"})
    assert not Segment.objects.exists()


def test_what_cannot_be_a_rule_is_said_and_nothing_is_kept(village: World) -> None:
    known(village.list)
    browser, where = signed_in(village.owner), reverse("segment-new", args=[village.list.pk])
    for wrong in ({"about-0": "since", "is-0": "within", "value-0": "x"}, {"about-0": "attribute-town", "is-0": "equals", "value-0": ""}, {"about-0": "domain", "value-0": ", ,"}):
        page = browser.post(where, {"name": "x", "match-0": "all", "group-0": "0", "do": "save", **wrong})
        assert page.status_code == 422 and 'role="alert"' in page.content.decode()
    for odd in ({"about-0": "attribute-'; DROP", "is-0": "?"}, {"about-0": "list", "value-0": str(village.other.pk)}, {"match-99": "all", "group-0": "99", "about-0": "since"}):
        assert browser.post(where, {"name": "x", "match-0": "?", "group-0": "0", "do": "add-7777", **odd}).status_code == 200
    assert not Segment.objects.exists()


def test_attributes_are_added_changed_and_taken_away_after_a_question(village: World) -> None:
    browser, where = signed_in(village.owner), reverse("attributes", args=[village.list.pk])
    assert browser.post(where, {"label": "Voix", "kind": "choice", "choices": ""}).status_code == 422
    assert browser.post(where, {"label": "Voix", "kind": "choice", "choices": "Alto\nBasse", "asked": "on"}).status_code == 302
    row = Attribute.objects.get()
    one = reverse("attribute", args=[village.list.pk, row.pk])
    browser.post(one, {"wish": "save", "label": "Pupitre", "choices": "Alto\nBasse\nSoprano", "position": "3"})
    row.refresh_from_db()
    assert (row.key, row.label, row.choices, row.asked) == ("voix", "Pupitre", ["Alto", "Basse", "Soprano"], False)
    assert "for good" in browser.post(one, {"wish": "ask"}).content.decode() and Attribute.objects.exists()
    browser.post(one, {"wish": "delete"})
    assert not Attribute.objects.exists()


def test_owners_and_members_see_and_change_what_is_known_and_it_is_handed_out(village: World) -> None:
    known(village.list)
    attributes.define(village.list, timezone.now(), by="", label="Interne", key="inner")
    browser, anna = signed_in(village.owner), Membership.objects.get(list=village.list, address__email="anna.rivoire@courriel.example")
    one = reverse("member", args=[village.list.pk, anna.pk])
    assert "attribute-inner" in browser.get(one).content.decode()
    browser.post(one, {"delivery": "each", "attribute-town": "Dinan", "attribute-inner": "=1+1"})
    mine = signed_in(village.member)
    page = mine.get("/me").content.decode()
    assert "Dinan" in page and "inner" not in page
    mine.post(reverse("my-membership", args=[anna.pk]), {"wish": "answers", f"{anna.pk}-attribute-town": "Vannes", f"{anna.pk}-attribute-inner": "x"})
    assert attributes.values_of(village.list, [anna.address_id])[anna.address_id] == {"town": "Vannes", "inner": "=1+1"}
    attributes.write_many(village.list, [("anna.rivoire@courriel.example", {"town": "Paris"})])
    rows = b"".join(browser.get(reverse("members-csv", args=[village.list.pk])).streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert rows[0].endswith(",town,inner") and rows[1].endswith(",Vannes,'=1+1") and rows[2].endswith(",Rennes,")


def test_a_file_names_its_columns_by_attributes(village: World) -> None:
    known(village.list)
    browser, where = signed_in(village.owner), reverse("members-add", args=[village.list.pk])
    page = browser.post(where, {"lines": "a;b\nRennes;dora@example.com\n", "choose": "on"}).content.decode()
    assert '<option value="attribute-town">Ville</option>' in page
    browser.post(where, {"lines": "Rennes;dora@example.com\n", "mapped": "1", "column-0": "attribute-town", "column-1": "email"})
    address = Address.objects.get(email="dora@example.com")
    assert attributes.values_of(village.list, [address.pk]) == {address.pk: {"town": "Rennes"}}


def test_a_long_file_says_something_new_of_those_who_are_there_already(village: World) -> None:
    known(village.list)
    lines = [f"m{number}@example.com;Redon" for number in range(25)]
    memberships.add(village.list, [(line.partition(";")[0], "") for line in lines], timezone.now(), by="")
    browser = signed_in(village.owner)
    where = browser.post(reverse("members-add", args=[village.list.pk]), {"lines": "email;town\n" + "\n".join(lines)})["Location"]
    assert "Keep what it says of them" in browser.get(where).content.decode()
    browser.post(where, {"wish": "add"})
    address = Address.objects.get(email="m7@example.com")
    assert attributes.values_of(village.list, [address.pk]) == {address.pk: {"town": "Redon"}}
