"""Members searched, paged, added, changed; leaving by a link and by one click."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import Q
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.flow import lists, memberships
from colporteur.flow.planning import plan_due
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.web.memberships import finding
from tests.web.conftest import World, signed_in, write_to


def test_paging_by_key_shows_everybody_once(world: World) -> None:
    browser, seen = signed_in(world.owner), []
    where = reverse("members", args=[world.list.pk])
    page = browser.get(where)
    while True:
        seen += [membership.address.email for membership in page.context["page"].rows]
        if not page.context["page"].next:
            break
        page = browser.get(where, {"after": page.context["page"].next})
    assert len(seen) == len(set(seen)) == 143 and seen == sorted(seen)


def test_by_name_accents_are_no_letters_apart_and_pages_miss_nobody(world: World) -> None:
    memberships.add(world.list, [("z1@courriel.example", "Éva Zed"), ("a1@courriel.example", "Ewen Abc"), ("b1@courriel.example", "Eusèbe Bcd"), ("zz@courriel.example", "")], timezone.now(), by="test")
    browser, seen = signed_in(world.owner), []
    where = reverse("members", args=[world.list.pk])
    page = browser.get(where, {"by": "name"})
    while True:
        seen += [membership.address.email for membership in page.context["page"].rows]
        if not page.context["page"].next:
            break
        page = browser.get(where, {"by": "name", "after": page.context["page"].next})
    assert len(seen) == len(set(seen)) == Membership.objects.filter(list=world.list, until__isnull=True).count()
    assert [email for email in seen if email in ("z1@courriel.example", "a1@courriel.example", "b1@courriel.example", "zz@courriel.example")] == ["b1@courriel.example", "z1@courriel.example", "a1@courriel.example", "zz@courriel.example"]


@pytest.mark.parametrize("by", ["", "name"])
def test_pages_of_a_search_by_name_and_address_miss_nobody(world: World, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "SIZE", 3)
    people = [(f"anna{number}@courriel.example", f"Zoe {number}") for number in range(4)] + [(f"z{number}@courriel.example", f"Änna {number}") for number in range(4)] + [("anna9@courriel.example", "Anna Both"), ("b@courriel.example", "Bruno")]
    memberships.add(world.list, people, timezone.now(), by="test")
    browser, where, seen, after = signed_in(world.owner), reverse("members", args=[world.list.pk]), [], ""
    while True:
        page = browser.get(where, {"q": "anna", "by": by, "after": after}).context["page"]
        seen += [membership.email for membership in page.rows]
        if not (after := page.next):
            break
    wanted = Membership.objects.filter(Q(email__startswith="anna") | Q(called__startswith="anna"), list=world.list, until__isnull=True)
    assert len(seen) == len(set(seen)) and sorted(seen) == sorted(wanted.values_list("email", flat=True))
    assert (seen.index("anna0@courriel.example") < seen.index("z0@courriel.example")) == (by == "")  # the page's own order first


def test_search_by_the_beginning_of_name_or_address(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("members", args=[world.list.pk])
    for wanted in ("anna.riv", "ANNA.RIV", "Anna R"):
        assert [row.address.email for row in browser.get(where, {"q": wanted}).context["page"].rows] == ["anna.rivoire@courriel.example"]
    assert "Nobody begins like that" in browser.get(where, {"q": "zz%"}).content.decode()


def test_adding_tells_line_by_line_what_was_not_taken(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("members-add", args=[world.list.pk])
    asked = browser.post(where, {"lines": "nouveau@courriel.example Nouveau Venu\nn'importe quoi\nanna.rivoire@courriel.example\nNOUVEAU@courriel.example"}, follow=True)
    page, here = asked.content.decode(), asked.redirect_chain[-1][0]
    assert "Add 1 person?" in page and "1 is there already. Given twice: 1." in page and "importe quoi" in page and "1 line cannot be taken" in page
    assert b"2,n'importe quoi," in browser.get(f"{here}/lines").content
    browser.post(here, {"wish": "add"})
    assert not Membership.objects.filter(list=world.list, email="nouveau@courriel.example").exists(), "all or nobody"
    assert "1 person is added" in browser.post(here, {"wish": "skip"}, follow=True).content.decode()
    file = SimpleUploadedFile("m.csv", "courriel;nom\nfichier@courriel.example;Élise\n".encode("cp1252"))
    assert browser.post(where, {"lines": "", "file": file}).status_code == 302
    assert Address.objects.get(email="fichier@courriel.example").name == "Élise"
    assert browser.post(where, {"lines": "  "}).status_code == 200


def test_removing_asks_first_and_all_means_what_the_search_found(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("members-change", args=[world.list.pk])
    asked = browser.post(where, {"wish": "remove", "all": "1", "query": "q=annick"})
    number = Membership.objects.filter(list=world.list, address__email__startswith="annick", until__isnull=True).count()
    assert number > 1 and f"Remove {number} members" in asked.content.decode()
    assert Membership.objects.filter(list=world.list, until__isnull=True).count() == 143
    browser.post(where, {"wish": "remove", "all": "1", "query": "q=annick", "sure": "1"})
    assert Membership.objects.filter(list=world.list, until__isnull=True).count() == 143 - number
    browser.post(where, {"wish": "pause", "who": ["anna.rivoire@courriel.example", "not an address"]})
    assert Membership.objects.get(list=world.list, address__email="anna.rivoire@courriel.example", until__isnull=True).paused
    assert "Nobody is chosen" in browser.post(where, {"wish": "pause"}, follow=True).content.decode()


def test_csv_holds_no_formula(world: World) -> None:
    memberships.add(world.list, [("formule@courriel.example", "=CMD()")], timezone.now(), by="test")
    answer = signed_in(world.owner).get(reverse("members-csv", args=[world.list.pk]), {"q": "formule"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.splitlines()[1].startswith("formule@courriel.example,'=CMD(),receives,")


@pytest.fixture
def link(world: World) -> str:
    write_to(world.list, "anna.rivoire@courriel.example", "Anna Rivoire", "Parti")
    plan_due(timezone.now())
    anna = Address.objects.get(email="anna.rivoire@courriel.example")
    return reverse("unsubscribe", args=[tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, Mailing.objects.get(post__isnull=False).pk, anna.pk)])


def _member() -> bool:
    return Membership.objects.filter(list__address__startswith="amapiens", address__email="anna.rivoire@courriel.example", until__isnull=True).exists()


def test_get_asks_and_one_click_post_acts(world: World, link: str) -> None:
    machine = Client(enforce_csrf_checks=True)
    page = machine.get(link)
    assert page.status_code == 200 and "Leave the list Amapiens?" in page.content.decode() and _member()
    done = machine.post(link, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")  # RFC 8058 section 3.2
    assert done.status_code == 200 and not _member()
    assert Membership.objects.get(list=world.list, address__email="anna.rivoire@courriel.example").left_by == "member"
    assert machine.post(link).status_code == 200  # said twice, answered the same
    assert "no longer on the list" in machine.get(link).content.decode()


def test_a_list_nobody_leaves_says_whom_to_ask(world: World, link: str) -> None:
    lists.set_policy(world.list, {"leaving": "closed"}, "test", timezone.now())
    page = Client().post(link).content.decode()
    assert "amapiens-owner@paniersdusaule.example" in page and _member()


def test_my_page_pauses_and_leaves(world: World) -> None:
    browser = signed_in(world.member)
    assert "Amapiens" in browser.get("/me").content.decode()
    mine = Membership.objects.get(list=world.list, address__email="anna.rivoire@courriel.example")
    browser.post(reverse("my-membership", args=[mine.pk]), {"wish": "pause"})
    mine.refresh_from_db()
    assert mine.paused
    browser.post(reverse("my-membership", args=[mine.pk]), {"wish": "leave"})
    assert not _member()
    other = Membership.objects.filter(list=world.list, until__isnull=True).exclude(address__person=world.member).first()
    assert other and browser.post(reverse("my-membership", args=[other.pk]), {"wish": "leave"}).status_code == 404


def _now_on(world: World) -> set[str]:
    return set(Membership.objects.filter(list=world.list, until__isnull=True).values_list("address__email", flat=True))


def test_the_box_asks_before_it_changes_and_not_twice_the_same(world: World) -> None:
    browser, where, before = signed_in(world.owner), reverse("members-box", args=[world.list.pk]), _now_on(world)
    text = browser.get(where).context["form"].initial["lines"]
    assert len(text.splitlines()) == 143
    text = "".join(line + "\n" for line in text.splitlines() if not line.startswith("anna.rivoire@")) + "nouvelle@courriel.example Nouvelle\n"
    shown = browser.post(where, {"lines": text})
    page = shown.content.decode()
    assert "nouvelle@courriel.example" in page and "anna.rivoire@courriel.example" in page and "1 member is removed" in page and _now_on(world) == before
    memberships.add(world.list, [("entretemps@courriel.example", "")], timezone.now(), by="test")
    again = browser.post(where, {"lines": shown.context["text"], "seen": shown.context["change"].seen})
    assert "in the meantime" in again.content.decode() and "anna.rivoire@courriel.example" in _now_on(world)
    done = browser.post(where, {"lines": text + "entretemps@courriel.example\n", "seen": again.context["change"].seen})
    assert done.status_code == 302 and _now_on(world) == before - {"anna.rivoire@courriel.example"} | {"nouvelle@courriel.example", "entretemps@courriel.example"}


def test_a_bad_line_in_the_box_is_told_and_nothing_is_changed(world: World) -> None:
    browser, where, before = signed_in(world.owner), reverse("members-box", args=[world.list.pk]), _now_on(world)
    for seen in ("", "x"):
        answer = browser.post(where, {"lines": "anna.rivoire@courriel.example\nn'importe quoi\n", "seen": seen})
        assert answer.status_code in (200, 422) and _now_on(world) == before
    assert "nothing is changed" in browser.post(where, {"lines": "n'importe quoi"}).content.decode()


def test_an_unknown_header_asks_which_column_is_what(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("members-add", args=[world.list.pk])
    file = SimpleUploadedFile("m.csv", "A;B;C\nPerrin;Élise;elise.p@courriel.example\n;;rien\n".encode())
    asked = browser.post(where, {"lines": "", "file": file})
    assert "Which column is what?" in asked.content.decode() and asked.context["columns"] == ["", "", "email"]
    twice = browser.post(where, {"lines": asked.context["text"], "mapped": "1", "column-0": "email", "column-2": "email"})
    assert twice.status_code == 422
    done = browser.post(where, {"lines": asked.context["text"], "mapped": "1", "head": "1", "column-0": "last_name", "column-1": "first_name", "column-2": "email"}, follow=True)
    assert "rien" in done.content.decode() and not Address.objects.filter(email="elise.p@courriel.example").exists()
    browser.post(done.redirect_chain[-1][0], {"wish": "skip"})
    assert Address.objects.get(email="elise.p@courriel.example").name == "Élise Perrin"


def test_people_are_found_and_removed_in_the_lists_one_manages_and_in_no_other(world: World) -> None:
    memberships.add(world.other, [("anna.rivoire@courriel.example", "")], timezone.now(), by="test")
    browser, where = signed_in(world.owner), reverse("members-everywhere")
    found = browser.post(where, {"lines": "ANNA.rivoire@courriel.example\npersonne@courriel.example"})
    assert [place.list_address for place in found.context["places"]] == [world.list.address] and found.context["nowhere"] == ["personne@courriel.example"] and _member()
    assert browser.post(where, {"lines": "n'importe quoi", "wish": "remove"}).status_code == 422
    browser.post(where, {"lines": "anna.rivoire@courriel.example", "wish": "pause", "organisation": str(world.other.organisation_id)})
    assert not Membership.objects.filter(email="anna.rivoire@courriel.example", paused=True).exists()
    done = browser.post(where, {"lines": "anna.rivoire@courriel.example", "wish": "remove"})
    assert done.context["report"] == [(world.list.address, 1, ["anna.rivoire@courriel.example"])]
    assert list(Membership.objects.filter(email="anna.rivoire@courriel.example", until__isnull=True).values_list("list", flat=True)) == [world.other.pk]


def test_searching_by_domain_name_and_source(world: World) -> None:
    memberships.add(world.list, [("jean@asso.example", "Élodie Pré"), ("luc@asso.example", "")], timezone.now(), by="test")
    browser, where = signed_in(world.owner), reverse("members", args=[world.list.pk])

    def seen(**query: str) -> list[str]:
        return [row.address.email for row in browser.get(where, query).context["page"].rows]

    assert seen(q="@asso") == ["jean@asso.example", "luc@asso.example"] == seen(q="@ASSO.example", by="") and seen(q="@sso") == []
    assert seen(q="elodie p") == ["jean@asso.example"] == seen(q="ÉLODIE")
    memberships.pause(world.list, ["luc@asso.example"], timezone.now(), by="test")
    assert seen(q="@asso", state="paused") == ["luc@asso.example"] and seen(state="nonsense", q="@asso", source="hand") == ["jean@asso.example", "luc@asso.example"]
    person = Address.objects.get(email="anna.rivoire@courriel.example").person
    assert person
    person.name = "Zélie Rebaptisée"
    person.save()
    assert seen(q="zelie") == ["anna.rivoire@courriel.example"], "a new name of a person is found at once"


def test_counts_follow_every_change(world: World) -> None:
    def counts() -> dict[str, int]:
        return {name: number for name, _label, _shape, number in signed_in(world.owner).get(reverse("members", args=[world.list.pk])).context["filters"]}

    before = counts()
    memberships.add(world.list, [(f"neuf{n}@courriel.example", "") for n in range(3)], timezone.now(), by="test")
    memberships.pause(world.list, ["neuf0@courriel.example"], timezone.now(), by="test")
    memberships.remove(world.list, ["neuf1@courriel.example"], timezone.now(), by="test")
    for _ in range(60):  # more entries than are left standing
        memberships.pause(world.list, ["neuf2@courriel.example"], timezone.now(), by="test")
        memberships.pause(world.list, ["neuf2@courriel.example"], timezone.now(), by="test", paused=False)
    after = counts()
    assert (after[""], after.get("paused", 0), after["receive"]) == (before[""] + 2, before.get("paused", 0) + 1, before["receive"] + 1) and counts() == after
    assert after[""] == Membership.objects.filter(list=world.list, until__isnull=True).count()


def test_one_member_is_changed_on_a_page_of_its_own(world: World) -> None:
    row = Membership.objects.get(list=world.list, email="anna.rivoire@courriel.example", until__isnull=True)
    browser, where = signed_in(world.owner), reverse("member", args=[world.list.pk, row.pk])
    assert "anna.rivoire" in browser.get(where).content.decode()
    wrong = browser.post(where, {"delivery": "each", "pause_from": "2030-02-01", "pause_until": "2030-01-01"})
    assert wrong.status_code == 422
    browser.post(where, {"delivery": "each", "pause_until": "2030-01-01", "posting": "moderated", "own_copy": "no", "hidden": "on", "note": "Appeler d’abord"})
    row.refresh_from_db()
    assert (row.paused, row.posting, row.own_copy, row.hidden, row.note) == (True, "moderated", False, True, "Appeler d’abord")
    assert browser.get(where).context["form"].initial["pause_until"].isoformat() == "2030-01-01"
    assert browser.get(reverse("member", args=[world.other.pk, row.pk])).status_code == 404


def test_who_sees_the_members(world: World) -> None:
    owners, seen = reverse("members", args=[world.list.pk]), reverse("members-seen", args=[world.list.pk])
    Membership.objects.filter(list=world.list, email="anna.rivoire@courriel.example").update(hidden=True)
    someone = Membership.objects.filter(list=world.list, until__isnull=True, hidden=False).order_by("email")[0].email

    def reads(person: object, where: str, **query: str) -> list[str] | int:
        answer = signed_in(person).get(where, query)  # type: ignore[arg-type]
        return [row.email for row in answer.context["page"].rows] if answer.status_code == 200 else answer.status_code

    assert reads(world.member, seen) == 404 == reads(world.member, owners) and someone in reads(world.owner, owners)  # type: ignore[operator]
    lists.set_policy(world.list, {"members_shown": "members"}, "test", timezone.now())
    assert someone in reads(world.member, seen) and reads(world.member, seen, q="anna.rivoire") == [] and reads(world.stranger, seen) == 404  # type: ignore[operator]
    assert reads(world.owner, owners, q="anna.rivoire") == ["anna.rivoire@courriel.example"], "hidden from members, not from owners"
    lists.set_policy(world.list, {"members_shown": "nobody"}, "test", timezone.now())
    assert reads(world.member, seen) == 404 and reads(world.owner, owners) == [] == reads(world.owner, owners, q=someone[:5])
    assert reads(world.owner, owners, q=someone) == [someone] and someone in reads(world.organiser, owners)  # type: ignore[operator]
    owner = signed_in(world.owner)
    for hidden in ("members-box", "members-csv"):
        assert owner.get(reverse(hidden, args=[world.list.pk])).status_code == 404
    assert owner.post(reverse("members-change", args=[world.list.pk]), {"wish": "remove", "all": "1", "sure": "1"}).status_code == 404
    assert Membership.objects.filter(list=world.list, until__isnull=True).count() == 143


@pytest.mark.parametrize(("query", "wanted"), [("state=silent", 2), ("state=silent&by=name", 2), ("mode=none", 3), ("mode=none&by=name", 3), ("state=paused", 51), ("state=paused&by=name", 51)])
def test_the_few_who_receive_otherwise_are_not_looked_for_among_the_many_who_are_paused(world: World, query: str, wanted: int) -> None:
    members = Membership.objects.filter(list=world.list, until__isnull=True).order_by("pk")
    few = list(members.values_list("pk", flat=True)[:4])
    members.exclude(pk__in=few[1:]).update(paused=True)
    members.filter(pk__in=few[:3]).update(delivery="none")
    members.filter(pk=few[3]).update(delivery="daily-mime")
    with CaptureQueriesContext(connection) as asked:
        finding.page_of(finding.current(world.list), QueryDict(query))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")  # as if there were a million
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + asked[0]["sql"])
        walk = cursor.fetchone()[0][0]["Plan"]["Plans"][0]
    assert (walk["Node Type"], walk["Actual Rows"]) == ("Index Scan", wanted), walk
    assert walk.get("Rows Removed by Filter", 0) <= 1, walk
