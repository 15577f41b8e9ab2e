"""Sources: what follows somebody's data, what stays as people chose it, and what waits for an owner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain.digests import DeliveryMode
from colporteur.domain.sources import Change, Feeds, Kind, Setting, Table, table_of
from colporteur.domain.words import Invalid
from colporteur.flow import lists, memberships, organisations, people, planning, quotas, roles, sources
from colporteur.flow.mailboxes import Failure
from colporteur.flow.mailings import create_for_post
from colporteur.store import privacy
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.models import Address, Copy, JournalEntry, Mailing, SourceEntry
from colporteur.store.posts import Post
from colporteur.store.sealed import unseal
from colporteur.store.sources import Source
from tests.flow.posts import arrives, letters, text

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
MUCH_LATER = NOW + timedelta(days=1)
URL = "https://data.example/members.csv"


@pytest.fixture
def amapiens() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    return lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")


def give(list_: List, *, feeds: Feeds = Feeds.MEMBER, url: str = URL, **more: object) -> Source:
    return sources.add(list_, Setting(Kind.CSV, url, feeds=feeds, **more), NOW, by="test")  # type: ignore[arg-type]


def run(source: Source, *emails: str, now: datetime = LATER) -> Change | None:
    return answer(source, table_of("\n".join(emails).encode(), {}), now)


def answer(source: Source, table: Table | None, now: datetime = LATER) -> Change | None:
    claimed = sources.claim_one(source.pk, now)
    assert claimed
    return sources.take(claimed, table, now)


def named(*names: str) -> list[str]:
    return [f"{name}@a.example" for name in names]


def present(list_: List) -> set[str]:
    return {email.partition("@")[0] for email in Membership.objects.filter(list=list_, until__isnull=True).values_list("address__email", flat=True)}


def holders(list_: List, kind: RoleKind) -> set[str]:
    return {holder.email for holder in roles.of(list_) if holder.kind == kind}


def test_members_follow_and_attributes_come_along(amapiens: List) -> None:
    source = give(amapiens, mapping={"email": "Courriel", "name": "Nom", "groupe": "Panier"})
    table = table_of(b"Courriel;Nom;Panier;Secret\nanna@a.example;Anna;grand;x\nmarc@a.example;Marc;petit;y\n", source.mapping)
    assert answer(source, table) == Change(2, 0, 0, 0, 0, named("anna", "marc"), [], [])
    assert present(amapiens) == {"anna", "marc"}
    assert dict(SourceEntry.objects.values_list("address__email", "attributes")) == {"anna@a.example": {"groupe": "grand"}, "marc@a.example": {"groupe": "petit"}}
    assert Address.objects.get(email="anna@a.example").name == "Anna"
    source.refresh_from_db()
    assert (source.last_good, source.next_run, source.running_until) == (LATER, LATER + timedelta(hours=1), None)
    assert JournalEntry.objects.get(event="source.ran").values == {"source": str(source), "added": 2, "removed": 0}


def test_strange_signs_arrive_as_they_are(amapiens: List) -> None:
    source = give(amapiens)
    answer(source, table_of('email;nom;note\nanna@a.example;"An\\na ""N"" \tX";"C:\\temp\\nul; ü"\n{m}\\@a.example;x;y\nm{b}@a.example;\\.;\\N\n'.encode(), {}))
    found = SourceEntry.objects.order_by("address__email").values_list("address__email", "address__name", "attributes")
    assert list(found) == [("anna@a.example", 'An\\na "N" X', {"note": "C:\\temp\\nul; ü"}), ("m{b}@a.example", "\\.", {"note": "\\N"})]


def test_nothing_is_written_about_who_stays(amapiens: List) -> None:
    source = give(amapiens)
    run(source, *named("anna", "marc"))
    before = list(Membership.objects.order_by("id").values()), list(SourceEntry.objects.order_by("id").values())
    assert run(source, *named("anna", "marc"), now=MUCH_LATER) == Change(0, 0, 2, 0, 2, [], [], [])
    assert (list(Membership.objects.order_by("id").values()), list(SourceEntry.objects.order_by("id").values())) == before
    assert JournalEntry.objects.filter(event="source.ran").count() == 1


def test_whom_it_names_no_more_goes_and_comes_back_when_named_again(amapiens: List) -> None:
    source = give(amapiens)
    run(source, *named("anna", "b", "c", "d", "e", "f"))
    assert run(source, *named("b", "c", "d", "e", "f"), now=LATER + timedelta(hours=1)) is not None
    assert present(amapiens) == {"b", "c", "d", "e", "f"}
    assert Membership.objects.get(address__email="anna@a.example").left_by == "source"
    run(source, *named("anna", "b", "c", "d", "e", "f"), now=MUCH_LATER)
    assert "anna" in present(amapiens)


def test_who_left_or_was_excluded_is_not_brought_back_and_who_was_picked_by_hand_stays(amapiens: List) -> None:
    source = give(amapiens)
    memberships.add(amapiens, [("outsider@a.example", "")], NOW, by="test")
    run(source, *named("anna", "marc", "odile", "outsider", "zoe", "yves"))
    memberships.leave(amapiens, Address.objects.get(email="anna@a.example"), LATER, by="anna@a.example")
    memberships.remove(amapiens, ["marc@a.example"], LATER, by="test")
    memberships.set_delivery(amapiens, ["zoe@a.example"], DeliveryMode.NONE, LATER, by="test")
    memberships.pause(amapiens, ["yves@a.example"], LATER, by="test")
    found = run(source, *named("anna", "marc", "odile", "zoe", "yves"), now=MUCH_LATER)
    assert found == Change(0, 0, 3, 2, 3, [], [], named("anna", "marc"))
    assert present(amapiens) == {"odile", "outsider", "zoe", "yves"}
    assert Membership.objects.get(address__email="zoe@a.example").delivery == DeliveryMode.NONE and Membership.objects.get(address__email="yves@a.example").paused


def test_somebody_of_two_sources_goes_when_neither_names_them(amapiens: List) -> None:
    first, second = give(amapiens), give(amapiens, url="https://data.example/others.csv")
    run(first, *named("anna", "b", "c", "d", "e", "f"))
    run(second, *named("anna", "g", "h", "i", "j", "k"))
    run(first, *named("b", "c", "d", "e", "f"), now=LATER + timedelta(hours=1))
    assert "anna" in present(amapiens) and Membership.objects.get(address__email="anna@a.example").source_id == second.pk
    run(second, *named("g", "h", "i", "j", "k"), now=MUCH_LATER)
    assert "anna" not in present(amapiens)


@pytest.mark.parametrize("body", ["", "# nobody\n", "<!doctype html>\n<p>Sign in</p>\n", "nom;groupe\nAnna;1\n"])
def test_an_empty_or_senseless_answer_removes_nobody(amapiens: List, body: str) -> None:
    source = give(amapiens)
    run(source, *named("anna", "marc"))
    assert answer(source, table_of(body.encode(), source.mapping), MUCH_LATER) is None
    source.refresh_from_db()
    assert present(amapiens) == {"anna", "marc"} and source.failures == 1 and source.error
    assert [to for _letter, to, _message in letters("trouble")] == ["helene@saule.example"]


def test_bad_lines_are_told_by_number_and_reason(amapiens: List) -> None:
    source = give(amapiens)
    run(source, "anna@a.example", "marc at a.example", "amapiens@saule.example", "bert@a.example", "zoe@a.example")
    source.refresh_from_db()
    assert source.counts["refused"] == 2
    assert [(line.line, line.reason[:30]) for line in sources.lines_of(source)] == [(2, "'marc' is not an e-mail address"[:30]), (3, "this is an address of the list")]


def test_many_removals_wait_for_an_owner_who_agrees_to_so_many(amapiens: List) -> None:
    source = give(amapiens)
    everybody = [f"n{number}@a.example" for number in range(200)]
    run(source, *everybody)
    assert run(source, *everybody[26:], now=MUCH_LATER) is None
    assert run(source, *everybody[26:], now=MUCH_LATER + timedelta(hours=1)) is None
    source.refresh_from_db()
    assert sources.state_of(source) == "waiting" and source.waiting["removed"] == 26 and len(present(amapiens)) == 200
    [(_letter, to, message)] = letters("removals")  # once
    assert to == "helene@saule.example" and f"/sources/{source.pk}" in text(message) and "n0@a.example" in text(message)
    assert sources.approve(source, MUCH_LATER, by="helene")
    later = MUCH_LATER + timedelta(hours=2)
    assert run(source, *everybody[27:], now=later) is None, "agreed to 26, not to 27"
    assert sources.approve(source, later, by="helene")
    found = run(source, *everybody[27:], now=later + timedelta(hours=1))
    assert found and found.removed == 27 and len(present(amapiens)) == 173
    source.refresh_from_db()
    assert sources.state_of(source) == "ok" and source.approved == 0 and not sources.approve(source, later, by="helene")


def test_a_fifth_of_a_small_list_waits_too(amapiens: List) -> None:
    source = give(amapiens)
    run(source, *named("a", "b", "c", "d", "e"))
    assert run(source, *named("b", "c", "d", "e"), now=MUCH_LATER)
    assert run(source, *named("c", "d", "e"), now=MUCH_LATER + timedelta(hours=1)) is None


def test_a_failing_source_removes_nobody_and_is_told_once_and_its_end_too(amapiens: List) -> None:
    source = give(amapiens)
    run(source, *named("anna"))
    for hour in (1, 2, 3):
        claimed = sources.claim_one(source.pk, MUCH_LATER + timedelta(hours=hour))
        assert claimed
        sources.failed(claimed, Failure("{host} does not answer on port {port}", {"host": "data.example", "port": 443}), MUCH_LATER + timedelta(hours=hour))
        assert len(letters("trouble")) == (hour > 1), "what may pass by itself is told when it comes again"
    assert present(amapiens) == {"anna"}
    run(source, *named("anna"), now=MUCH_LATER + timedelta(hours=4))
    assert [to for _letter, to, _message in letters("recovered")] == ["helene@saule.example"]
    assert [row.event for row in JournalEntry.objects.filter(event__startswith="source.").order_by("id")] == ["source.added", "source.ran", "source.trouble", "source.recovered"]


def test_one_run_of_a_list_at_a_time_and_a_late_one_changes_nothing(amapiens: List) -> None:
    first, second = give(amapiens), give(amapiens, url="https://data.example/others.csv")
    late = sources.claim(NOW)
    assert late and late.id == first.pk and sources.claim(NOW) is None and sources.claim_one(second.pk, NOW) is None
    over = NOW + sources.LEASE + timedelta(seconds=1)
    newer = sources.claim_one(first.pk, over)
    assert newer and sources.take(late, table_of(b"late@a.example", {}), over) is None
    sources.failed(late, Failure("late"), over)
    assert sources.take(newer, table_of(b"anna@a.example", {}), over) and present(amapiens) == {"anna"}
    assert (next_one := sources.claim(over)) and next_one.id == second.pk


def test_a_dry_run_tells_and_changes_nothing(amapiens: List) -> None:
    source = give(amapiens)
    run(source, *named("anna", "marc"))
    found = sources.preview(source, table_of(b"anna@a.example\nnew@a.example\nno address\n", {}))
    assert found.change == Change(1, 1, 1, 0, 2, ["new@a.example"], ["marc@a.example"], []) and found.waits and [line.line for line in found.refused] == [3]
    assert present(amapiens) == {"anna", "marc"} and not Address.objects.filter(email="new@a.example").exists()
    assert sources.preview(source, table_of(b"", {})).doubt


def test_roles_follow_and_what_an_owner_took_away_stays_away(amapiens: List) -> None:
    source = give(amapiens, feeds=Feeds.MODERATOR)
    roles.give(amapiens, "hand@a.example", RoleKind.MODERATOR, NOW, by="test")
    run(source, *named("anna", "b", "c", "d", "e", "f"))
    roles.take(amapiens, "anna@a.example", RoleKind.MODERATOR, LATER, by="test")
    assert run(source, *named("anna", "b", "c", "d", "e", "new"), now=MUCH_LATER) == Change(1, 1, 4, 1, 5, named("new"), named("f"), named("anna"))
    assert holders(amapiens, RoleKind.MODERATOR) == {"hand@a.example", *named("b", "c", "d", "e", "new")} and present(amapiens) == set()


def test_owners_of_a_source_may_sign_in_and_the_last_one_stays(amapiens: List) -> None:
    source = give(amapiens, feeds=Feeds.OWNER)
    run(source, *named("anna", "b"))
    assert people.find("anna@a.example") and holders(amapiens, RoleKind.OWNER) == {"helene@saule.example", *named("anna", "b")}
    roles.take(amapiens, "helene@saule.example", RoleKind.OWNER, LATER, by="test")
    roles.take(amapiens, "anna@a.example", RoleKind.OWNER, LATER, by="test")
    run(source, "anna@a.example", now=MUCH_LATER)
    sources.approve(source, MUCH_LATER, by="test")
    assert run(source, "anna@a.example", now=MUCH_LATER + timedelta(hours=1)) is None
    source.refresh_from_db()
    assert "without an owner" in source.error and holders(amapiens, RoleKind.OWNER) == {"b@a.example"}


def test_another_list_is_followed_and_a_circle_refused(amapiens: List) -> None:
    paniers = lists.create("paniers@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    bureau = lists.create("bureau@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(paniers, [("anna@a.example", "Anna"), ("marc@a.example", ""), ("amapiens@saule.example", "")], NOW, by="test")
    source = sources.add(amapiens, Setting(Kind.LIST, "paniers@saule.example"), NOW, by="test")
    assert answer(source, None) and present(amapiens) == {"anna", "marc"}, "without its own address"
    sources.add(paniers, Setting(Kind.LIST, "bureau@saule.example"), NOW, by="test")
    with pytest.raises(Invalid, match=r"bureau@saule.example > amapiens@saule.example > paniers@saule.example > bureau@saule.example"):
        sources.add(bureau, Setting(Kind.LIST, "amapiens@saule.example"), NOW, by="test")
    with pytest.raises(Invalid, match="there is no list"):
        sources.add(amapiens, Setting(Kind.LIST, "paniers@saule.example"), NOW, by=people.add("stranger@a.example", now=NOW))
    memberships.remove(paniers, ["anna@a.example", "marc@a.example", "amapiens@saule.example"], LATER, by="test")
    assert answer(source, None, MUCH_LATER) is None and present(amapiens) == {"anna", "marc"}
    List.objects.filter(pk=paniers.pk).update(state=ListState.DELETED)
    assert answer(source, None, MUCH_LATER + timedelta(hours=1)) is None
    source.refresh_from_db()
    assert source.error == "The list it follows is gone." and present(amapiens) == {"anna", "marc"}


def test_only_administrators_of_the_site_point_inside(amapiens: List) -> None:
    owner, admin = people.add("helene@saule.example", now=NOW), people.add("root@saule.example", admin=True, now=NOW)
    for setting in (Setting(Kind.FILE, "/etc/members"), Setting(Kind.SQL, "sqlite:///etc/members", options={"query": "SELECT 1"}), Setting(Kind.CSV, URL, internal=True)):
        with pytest.raises(Invalid, match="administrator of the site"):
            sources.add(amapiens, setting, NOW, by=owner)
    inside = sources.add(amapiens, Setting(Kind.CSV, URL, internal=True), NOW, by=admin)
    with pytest.raises(Invalid, match="administrator of the site"):
        sources.change(inside, Setting(Kind.CSV, "https://elsewhere.example/x"), NOW, by=owner)


def test_a_secret_is_sealed_and_never_goes_elsewhere(amapiens: List) -> None:
    source = give(amapiens, secret="Authorization: Bearer 1234")
    assert "1234" not in source.secret_sealed and unseal(source.secret_sealed) == "Authorization: Bearer 1234"
    source = sources.change(source, Setting(Kind.CSV, "https://data.example/other.csv"), NOW, by="test")
    assert sources.opened(source).secret == "Authorization: Bearer 1234" and "1234" not in str(sources.as_json(source))
    with pytest.raises(Invalid, match="needs its own"):
        sources.change(source, Setting(Kind.CSV, "https://elsewhere.example/x.csv"), NOW, by="test")


def test_who_opposes_is_left_out_without_a_trace_and_the_others_have_their_line_in_the_ledger(amapiens: List) -> None:
    privacy.oppose(["anna@a.example"], "erased", NOW)
    run(give(amapiens), *named("anna", "marc"))
    assert present(amapiens) == {"marc"} and not Address.objects.filter(email="anna@a.example").exists()
    [joined] = Membership.objects.filter(list=amapiens).select_related("consent")
    assert joined.consent and (joined.consent.how, joined.consent.at) == ("source", LATER)


def test_taking_a_source_away_keeps_or_ends_what_it_gave(amapiens: List) -> None:
    first, second = give(amapiens), give(amapiens, url="https://data.example/others.csv")
    run(first, *named("anna", "marc"))
    run(second, *named("zoe"))
    assert sources.remove(first, LATER, by="test", keep=True) == 2 and present(amapiens) == {"anna", "marc", "zoe"}
    assert sources.remove(second, LATER, by="test", keep=False) == 1 and present(amapiens) == {"anna", "marc"}


def test_a_quota_stops_a_source_before_anything_changes(amapiens: List) -> None:
    quotas.change(amapiens.organisation, {"members": "2"}, NOW, by="test")
    source = give(amapiens)
    assert run(source, *named("anna", "marc", "zoe")) is None and present(amapiens) == set()
    source.refresh_from_db()
    assert "2" in source.error


def test_a_message_waits_for_a_source_that_is_asked_before_sending(amapiens: List) -> None:
    source = give(amapiens, refresh=True, every=86400)
    run(source, *named("anna"), now=NOW)
    post = arrives(amapiens, b"From: helene@saule.example\nSubject: Hello\n\nHi\n", LATER)
    Post.objects.filter(pk=post.pk).update(state="accepted")
    mailing = create_for_post(Post.objects.get(pk=post.pk), LATER)
    assert planning.plan_due(LATER, known_only=True) == 0
    claimed = sources.claim(LATER)
    assert claimed and claimed.id == source.pk and planning.plan_due(LATER, known_only=True) == 0, "asked, not yet answered"
    answered = LATER + timedelta(seconds=3)
    sources.take(claimed, table_of(b"anna@a.example\nmarc@a.example\n", {}), answered)
    assert planning.plan_due(answered, known_only=True) == 1
    assert {copy.address.email for copy in Copy.objects.filter(mailing=mailing).select_related("address")} == {"anna@a.example", "marc@a.example"}
    assert sources.claim(answered) is None


def test_a_message_waits_two_minutes_at_most(amapiens: List) -> None:
    source = give(amapiens, refresh=True)
    run(source, *named("anna"), now=NOW)
    post = arrives(amapiens, b"From: helene@saule.example\nSubject: Hello\n\nHi\n", LATER)
    Post.objects.filter(pk=post.pk).update(state="accepted")
    create_for_post(Post.objects.get(pk=post.pk), LATER)
    assert planning.plan_due(LATER + sources.REFRESH_PATIENCE - timedelta(seconds=1), known_only=True) == 0
    assert planning.plan_due(LATER + sources.REFRESH_PATIENCE, known_only=True) == 1
    assert Mailing.objects.get(kind="post").audience_at == LATER
