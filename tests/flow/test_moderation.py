"""Judging and waiting, on a real database."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import translation

from colporteur.domain import tokens
from colporteur.domain.posts import Decision, PostState
from colporteur.flow import moderation
from colporteur.flow.moderation import facts, judging, telling
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address, Person
from colporteur.store.posts import Finding, Post
from colporteur.store.wordings import Wording
from colporteur.web.journal import sentence as sentence_of
from tests.flow.posts import NOW, arrives, html, letters, text
from tests.servers.questions import asked
from tests.story.scenes import a_list, a_person, give_role, join, message

pytestmark = pytest.mark.django_db
MODERATOR = "claire@members.example"
MEMBER = "anna@members.example"
STRANGER = "marc@courriel.example"


@pytest.fixture
def amis() -> List:
    """A list with one member, one moderator and one owner."""
    list_ = a_list("amis@lists.example", members=[MEMBER], title="Amis", posting="members", stranger="hold")
    give_role(list_, RoleKind.MODERATOR, MODERATOR)
    give_role(list_, RoleKind.OWNER, "olga@members.example")
    return list_


def state(post: Post) -> str:
    return Post.objects.get(pk=post.pk).state


def judged(list_: List, raw: bytes, **envelope: str) -> Post:
    post = arrives(list_, raw, **envelope)
    moderation.judge_due(NOW)
    post.refresh_from_db()
    return post


# --- verdicts -----------------------------------------------------------------------------------------------------


def test_a_members_post_becomes_a_mailing_at_once(amis: List) -> None:
    post = judged(amis, message(f"Anna <{MEMBER}>"))
    assert post.state == PostState.ACCEPTED
    assert (post.sender, post.sender_name, post.subject) == (MEMBER, "Anna", "Hello")
    assert Mailing.objects.filter(post=post, kind="post").count() == 1
    assert letters() == []
    assert [finding.action for finding in post.findings.all()] == ["none"]


def test_a_strangers_post_waits_and_each_moderator_gets_one_letter(amis: List) -> None:
    give_role(amis, RoleKind.MODERATOR, "denis@members.example")
    post = judged(amis, message(f"Marc <{STRANGER}>"))
    assert post.state == PostState.HELD
    assert post.expires_at == NOW + timedelta(days=14)
    assert [to for _name, to, _letter in letters("held")] == [MODERATOR, "denis@members.example"]
    assert not Mailing.objects.filter(post=post).exists()
    assert letters("waiting") == []  # a stranger is not told unless the policy says so


def test_a_person_is_recognised_by_any_of_their_addresses(amis: List) -> None:
    anna = Person.objects.create(name="Anna")
    Address.objects.filter(email=MEMBER).update(person=anna)
    Address.objects.create(email="anna@work.example", person=anna, verified_at=NOW)
    assert judged(amis, message("anna@work.example")).state == PostState.ACCEPTED


def test_rights_of_a_role_given_to_an_address_hold_for_the_persons_other_addresses(amis: List) -> None:
    fred = a_person("fred@home.example")
    bare = Address.objects.create(email="fred@work.example", person=fred, verified_at=NOW)
    Role.objects.create(list=amis, kind=RoleKind.FREE_SENDER, address=bare)
    assert judged(amis, message("fred@home.example")).state == PostState.ACCEPTED


def test_a_member_who_left_is_a_stranger(amis: List) -> None:
    amis.memberships.update(until=NOW)
    assert judged(amis, message(MEMBER)).state == PostState.HELD


def test_a_membership_elsewhere_in_the_organisation_makes_somebody_known(amis: List) -> None:
    a_list("autres@lists.example", members=["zoe@members.example"])
    a_list("foreign@other.example", members=["yan@members.example"], organisation="Autre")
    amis.policy = {"posting": "known", "stranger": "reject"}
    amis.save()
    assert judged(amis, message("zoe@members.example")).state == PostState.ACCEPTED
    assert judged(amis, message("yan@members.example", subject="Other")).state == PostState.REJECTED


def test_a_sender_field_gives_no_rights(amis: List) -> None:
    raw = message(STRANGER, headers=[f"Sender: {MODERATOR}"])
    assert judged(amis, raw, mail_from=MODERATOR).state == PostState.HELD


@pytest.mark.parametrize("sender", [f"{MEMBER}, {STRANGER}", f"{MEMBER}\r\nFrom: {STRANGER}", "nobody", f"\"{MEMBER}\" <{STRANGER}>"])
def test_an_ambiguous_sender_never_passes_as_the_member(amis: List, sender: str) -> None:
    assert judged(amis, message(sender)).state == PostState.HELD


@pytest.mark.parametrize(("policy", "expected"), [("hold", "held"), ("reject", "rejected"), ("discard", "discarded")])
def test_what_the_policy_says_about_strangers(amis: List, policy: str, expected: str) -> None:
    amis.policy = {"posting": "members", "stranger": policy}
    amis.save()
    assert judged(amis, message(STRANGER)).state == expected
    assert [name for name, _to, _letter in letters()] == {"hold": ["held"], "reject": ["rejected"], "discard": []}[policy]


def test_a_refused_stranger_is_told_why_once_a_day(amis: List) -> None:
    amis.policy = {"posting": "members", "stranger": "reject"}
    amis.save()
    for number in range(3):
        judged(amis, message(STRANGER, subject=f"Offer {number}"))
    ((_name, to, letter),) = letters("rejected")
    assert to == STRANGER
    assert "marc@courriel.example is not a member of the list. Messages of strangers are not taken." in text(letter)


@pytest.mark.parametrize(
    ("header", "mail_from"),
    [("Auto-Submitted: auto-replied", "a@b.example"), ("X-Nothing: 1", ""), ("Content-Type: multipart/report; report-type=delivery-status; boundary=x", "a@b.example")],
)
def test_mail_of_programs_is_never_distributed_and_never_answered(amis: List, header: str, mail_from: str) -> None:
    raw = message(MEMBER, headers=[header]).replace(b"Content-Type: text/plain; charset=utf-8\r\n", b"") if header.startswith("Content") else message(MEMBER, headers=[header])
    assert judged(amis, raw, mail_from=mail_from).state == PostState.DISCARDED
    assert letters() == []


@pytest.mark.parametrize(("door", "expected"), [("lmtp", "discarded"), ("imap", "held"), ("pop3", "held")])
def test_a_collected_message_nobody_wrote_an_envelope_for_is_no_report(amis: List, door: str, expected: str) -> None:
    assert judged(amis, b"no headers at all\r\n", mail_from="", door=door).state == expected


def test_bulk_mail_waits_and_its_sender_is_not_told(amis: List) -> None:
    assert judged(amis, message(MEMBER, headers=["Precedence: bulk"])).state == PostState.HELD
    assert [name for name, _to, _letter in letters()] == ["held"]


def test_our_own_copy_coming_back_is_not_sent_again(amis: List) -> None:
    post = judged(amis, message(MEMBER))
    mailing = Mailing.objects.get(post=post)
    token = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Address.objects.get(email=MEMBER).pk)
    back = message(MEMBER, subject="Re: something else", headers=[f"X-Colporteur-Trace: {token}"])
    assert judged(amis, back).state == PostState.DISCARDED
    assert judged(amis, message(MEMBER, subject="x", headers=["X-Colporteur-Trace: " + "a" * 24])).state == PostState.ACCEPTED


def test_a_post_of_a_nested_list_is_judged_by_its_author_until_it_goes_round(amis: List) -> None:
    other = a_list("autre@lists.example", members=[MEMBER])
    mailing = Mailing.objects.get(post=judged(other, message(MEMBER, message_id="<one@x.example>")))
    token = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, 1)
    passed_on = [f"X-Colporteur-Trace: {token}", "Precedence: list", "List-Id: <autre.lists.example>"]
    first = message(MEMBER, subject="[autre] Hello", message_id="<one@x.example>", headers=passed_on)
    assert judged(amis, first).state == PostState.ACCEPTED
    again = message(MEMBER, subject="[autre] [amis] Hello", message_id="<one@x.example>", headers=passed_on)
    assert judged(amis, again).state == PostState.DISCARDED


def test_a_large_message_of_a_member_waits_and_the_member_is_told(amis: List) -> None:
    amis.policy = {"posting": "members", "max_size": 5000}
    amis.save()
    post = judged(amis, message(MEMBER, body="x" * 9000))
    assert post.state == PostState.HELD
    ((_name, to, letter),) = letters("waiting")
    assert to == MEMBER
    assert "large. The limit of the list is 4.9\xa0KB." in text(letter)
    assert letter["In-Reply-To"] == post.message_id
    assert letter["Auto-Submitted"] == "auto-replied"


# --- how it is done -----------------------------------------------------------------------------------------------


def test_facts_of_a_batch_take_a_fixed_number_of_queries(amis: List) -> None:
    other = a_list("autres@lists.example", members=30)

    def queries(count: int) -> int:
        cases = [facts.read(amis if number % 2 else other, message(f"member-{number:06}@members.example", subject=str(number)), "a@b.example") for number in range(1, count + 1)]
        with asked() as seen:
            facts.gather(cases)
        return len(seen)

    assert queries(2) == queries(30) <= 10


def test_one_poison_message_never_blocks_another(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = arrives(amis, message(MEMBER, subject="bad")), arrives(amis, message(MEMBER, subject="good"))
    really = judging.read
    monkeypatch.setattr(judging, "read", lambda list_, raw, *rest: 1 / 0 if b"Subject: bad" in raw else really(list_, raw, *rest))
    moderation.judge_due(NOW)
    assert (state(bad), state(good)) == ("received", "accepted")
    waits = []
    now = NOW
    for _attempt in range(10):
        waiting = Post.objects.get(pk=bad.pk).next_try
        if waiting is None:
            break
        waits.append(waiting - now)
        assert moderation.judge_due(now) == 0  # not before it is due
        now = waiting
        moderation.judge_due(now)
    assert waits == sorted(waits)
    assert len(waits) == 4  # five attempts
    found = Post.objects.get(pk=bad.pk)
    assert (found.state, found.error) == ("quarantined", "ZeroDivisionError: division by zero")
    ((_name, to, letter),) = letters("quarantined")
    assert to == "olga@members.example"
    assert "division by zero" in text(letter)
    monkeypatch.undo()
    assert moderation.retry(bad.pk, now, "Olga")
    assert not moderation.retry(bad.pk, now, "Olga")
    moderation.judge_due(now)
    assert state(bad) == "accepted"
    assert JournalEntry.objects.filter(post_id=bad.pk, event="post.retried").count() == 1


def test_a_message_that_kills_the_process_is_counted_and_set_aside(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = arrives(amis, message(MEMBER, subject="bad")), arrives(amis, message(MEMBER, subject="good"))
    really = judging.read

    def read(list_: List, raw: bytes, *rest: object) -> object:
        if b"Subject: bad" in raw:
            raise SystemExit("killed")
        return really(list_, raw, *rest)

    monkeypatch.setattr(judging, "read", read)
    now = NOW
    for _death in range(6):
        with pytest.raises(SystemExit):
            while True:
                assert moderation.judge_due(now), "nothing due, nothing killed"
        now += judging.LEASE
        if state(bad) == "quarantined":
            break
        if _death == 4:
            break
    moderation.judge_due(now)
    assert (state(bad), state(good)) == ("quarantined", "accepted")
    assert "ended while it worked" in Post.objects.get(pk=bad.pk).error


def test_a_failure_while_recording_leaves_nothing_half_done(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    post = arrives(amis, message(STRANGER))
    monkeypatch.setattr(judging.telling, "tell_held", lambda *_: 1 / 0)
    moderation.judge_due(NOW)
    assert state(post) == "received"
    assert letters() == []
    assert not Finding.objects.exists()


def test_a_quarantined_post_can_be_released_or_thrown_away(amis: List) -> None:
    for decision, expected in ((Decision.RELEASE, "accepted"), (Decision.DISCARD, "discarded")):
        post = arrives(amis, message(MEMBER, subject=decision))
        moderation.quarantine(post.pk, "broken", NOW, PostState.RECEIVED)
        assert moderation.decide(post.pk, decision, NOW, address="olga@members.example").won
        assert state(post) == expected


# --- the notice ---------------------------------------------------------------------------------------------------


def test_the_notice_says_who_what_why_and_how_to_decide(amis: List) -> None:
    raw = message(f"Marc <{STRANGER}>", subject="Covoiturage samedi", body="Bonjour à toutes et à tous,\r\nil reste quatre places.\r\n")
    post = judged(amis, raw)
    ((_name, to, letter),) = letters("held")
    assert letter["Subject"] == "To decide: Covoiturage samedi – Amis"
    assert letter["From"] == "Amis <amis-owner@lists.example>"
    assert letter["Auto-Submitted"] == "auto-generated"
    said = text(letter)
    for words in ("Marc <marc@courriel.example>", "Covoiturage samedi", "Marc is not a member of the list. Only members write without waiting.", "il reste quatre places", "1 member", "5 December 2026", "The whole message is attached"):
        assert words in said
    token = moderation.moderation_token(post.pk, Address.objects.get(email=to).pk)
    assert letter["Reply-To"] == f"amis-moderate+{token}@lists.example"
    for decision in Decision:
        assert f"http://testserver/m/{token}?do={decision}" in said
        assert f'href="http://testserver/m/{token}?do={decision}"' in html(letter)
    (attached,) = [part for part in letter.walk() if part.get_content_type() == "message/rfc822"]
    assert b"il reste quatre places" in attached.get_payload(0).as_bytes()  # type: ignore[union-attr]
    assert Mailing.objects.get(letter="held").envelope_sender == ""


def test_hostile_text_stays_text_in_the_notice(amis: List) -> None:
    judged(amis, message(f"\"<script>{{{{7*7}}}}\" <{STRANGER}>", subject="<b>{{ link }}</b>", body="<img src=x onerror=1>{% for %}\r\n"))
    ((_name, _to, letter),) = letters("held")
    assert "<script>" not in html(letter)
    assert "<img" not in html(letter)
    assert "{{ link }}" in text(letter)


def test_letters_speak_the_moderators_language(amis: List) -> None:
    Person.objects.filter(addresses__email=MODERATOR).update(language="fr")
    judged(amis, message(STRANGER))
    ((_name, _to, letter),) = letters("held")
    assert letter["Subject"].startswith("À décider")
    assert letter["Content-Language"] == "fr"
    assert "décembre" in text(letter)


def test_an_own_text_is_looked_up_from_the_list_to_the_site(amis: List) -> None:
    def subject(number: int) -> str:
        judged(amis, message(STRANGER, subject=f"n{number}"))
        return str(letters("held")[-1][2]["Subject"])

    Wording.objects.create(letter="held", language="en", subject="site {{ subject }}", text="t")
    assert subject(1) == "site n1"
    Wording.objects.create(letter="held", language="en", organisation=amis.organisation, subject="organisation {{ subject }}", text="t")
    assert subject(2) == "organisation n2"
    Wording.objects.create(letter="held", language="en", domain=amis.domain, subject="domain {{ subject }}", text="t")
    assert subject(3) == "domain n3"
    Wording.objects.create(letter="held", language="en", list=amis, subject="list {{ subject }}", text="t")
    assert subject(4) == "list n4"
    Wording.objects.create(letter="held", language="fr", list=amis, subject="liste", text="t")
    assert subject(5) == "list n5"
    Wording.objects.filter(list=amis, language="en").update(text="{{ list.__class__ }}")
    assert subject(6) == "To decide: n6 – Amis"


def test_without_moderators_the_owners_are_asked(amis: List) -> None:
    Role.objects.filter(kind=RoleKind.MODERATOR).delete()
    judged(amis, message(STRANGER))
    assert [to for _name, to, _letter in letters("held")] == ["olga@members.example"]


def test_without_anybody_the_administrators_are_asked(amis: List) -> None:
    Role.objects.all().delete()
    a_person("root@site.example", admin=True)
    judged(amis, message(STRANGER))
    assert [to for _name, to, _letter in letters("held")] == ["root@site.example"]


def test_a_very_large_original_is_not_attached(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colporteur.flow.moderation.telling.ATTACH_MOST", 500)
    judged(amis, message(STRANGER, body="x" * 600))
    ((_name, _to, letter),) = letters("held")
    assert not [part for part in letter.walk() if part.get_content_type() == "message/rfc822"]
    assert "attached" not in text(letter)


# --- deciding -----------------------------------------------------------------------------------------------------


def test_a_released_post_becomes_a_mailing_and_the_author_is_told(amis: List) -> None:
    post = judged(amis, message(STRANGER))
    outcome = moderation.decide(post.pk, Decision.RELEASE, NOW, address=MODERATOR)
    assert (outcome.won, outcome.state, outcome.by) == (True, PostState.ACCEPTED, MODERATOR)
    assert Mailing.objects.filter(post=post).count() == 1
    assert [to for _name, to, _letter in letters("distributed")] == [STRANGER]
    entry = JournalEntry.objects.get(post_id=post.pk, event="post.decided")
    assert (entry.values["decision"], entry.values["by"]) == ("release", MODERATOR)


def test_the_authors_of_a_rejected_post_read_the_moderators_words(amis: List) -> None:
    post = judged(amis, message(STRANGER))
    moderation.decide(post.pk, Decision.REJECT, NOW, address=MODERATOR, reason="Not here, {{ sorry }} <b>")
    ((_name, to, letter),) = letters("rejected")
    assert to == STRANGER
    assert "Not here, {{ sorry }} <b>" in text(letter)
    assert "&lt;b&gt;" in html(letter)


def test_a_silent_rejection_is_silent(amis: List) -> None:
    post = judged(amis, message(STRANGER))
    moderation.decide(post.pk, Decision.DISCARD, NOW, address=MODERATOR)
    assert [name for name, _to, _letter in letters()] == ["held"]
    assert state(post) == "discarded"


@pytest.mark.parametrize(("option", "letter", "decision"), [("tell_distributed", "distributed", Decision.RELEASE), ("tell_rejected", "rejected", Decision.REJECT)])
def test_each_notice_to_the_author_can_be_switched_off(amis: List, option: str, letter: str, decision: Decision) -> None:
    amis.policy |= {option: False}
    amis.save()
    moderation.decide(judged(amis, message(STRANGER)).pk, decision, NOW, address=MODERATOR)
    assert letters(letter) == []


def test_the_first_decision_wins_and_the_second_learns_who_was_first(amis: List) -> None:
    claire = Person.objects.get(addresses__email=MODERATOR)
    claire.name = "Claire Moreau"
    claire.save()
    post = judged(amis, message(STRANGER))
    assert moderation.decide(post.pk, Decision.DISCARD, NOW, person=claire.pk).won
    late = moderation.decide(post.pk, Decision.RELEASE, NOW + timedelta(hours=1), address="olga@members.example")
    assert (late.won, late.state, late.by, late.at) == (False, PostState.DISCARDED, "Claire Moreau", NOW)
    assert not Mailing.objects.filter(post=post).exists()


def test_a_post_nobody_decided_about_expires_and_its_author_is_told_once(amis: List) -> None:
    post = judged(amis, message(STRANGER))
    assert moderation.expire_due(NOW + timedelta(days=13)) == 0
    assert moderation.expire_due(NOW + timedelta(days=14)) == 1
    assert moderation.expire_due(NOW + timedelta(days=15)) == 0
    assert state(post) == "expired"
    assert [to for _name, to, _letter in letters("expired")] == [STRANGER]
    late = moderation.decide(post.pk, Decision.RELEASE, NOW + timedelta(days=15), address=MODERATOR)
    assert (late.won, late.state, late.by) == (False, PostState.EXPIRED, "")


def test_one_that_cannot_be_told_expires_all_the_same_and_holds_no_other_up(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = judged(amis, message(STRANGER, subject="first")), judged(amis, message(STRANGER, subject="second"))
    real = telling.tell_author
    monkeypatch.setattr(telling, "tell_author", lambda letter, post, *more, **fields: 1 // 0 if post.pk == first.pk else real(letter, post, *more, **fields))
    assert moderation.expire_due(NOW + timedelta(days=14)) == 2
    assert (state(first), state(second)) == ("expired", "expired")
    assert [str(letter["Subject"]) for _name, _to, letter in letters("expired") if "second" in str(letter["Subject"])] != []


def test_a_moderator_with_two_addresses_gets_one_notice(amis: List) -> None:
    claire = Address.objects.get(email=MODERATOR)
    second = Address.objects.create(email="claire@work.example", person=claire.person)
    Role.objects.create(list=amis, kind=RoleKind.MODERATOR, address=second)
    judged(amis, message(STRANGER))
    assert [to for _name, to, _letter in letters("held")].count(MODERATOR) == 1
    assert "claire@work.example" not in {to for _name, to, _letter in letters("held")}


def test_the_journal_says_why_in_the_same_words_in_every_language(amis: List) -> None:
    post = judged(amis, message(f"Marc <{STRANGER}>"))
    entry = JournalEntry.objects.get(event="post.held", post_id=post.pk)
    for language in ("en", "fr"):
        with translation.override(language):
            why = " ".join(moderation.sentence(found) for found in post.findings.all())
            assert why in sentence_of(entry)
    assert why.startswith("Marc n’")


def test_a_moderation_link_is_for_one_post_and_one_moderator(amis: List) -> None:
    post = judged(amis, message(STRANGER))
    address = Address.objects.get(email=MODERATOR)
    token = moderation.moderation_token(post.pk, address.pk)
    link = moderation.read_moderation_token(token.upper(), NOW)
    assert link is not None
    assert (link.post.pk, link.address.email, link.expired) == (post.pk, MODERATOR, False)
    assert moderation.read_moderation_token(tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, post.pk, address.pk), NOW) is None
    assert moderation.read_moderation_token(moderation.moderation_token(post.pk, Address.objects.get(email=MEMBER).pk), NOW) is None
    later = moderation.read_moderation_token(token, NOW + timedelta(days=14))
    assert later is not None
    assert later.expired
    Role.objects.filter(kind=RoleKind.MODERATOR).delete()
    assert moderation.read_moderation_token(token, NOW) is None


# --- asking only --------------------------------------------------------------------------------------------------


def test_explaining_says_what_judging_would_do_and_stores_nothing(amis: List) -> None:
    before = Post.objects.count(), Mailing.objects.count(), Address.objects.count(), JournalEntry.objects.count()
    raw = message(f"Marc <{STRANGER}>")
    answer = moderation.explain(amis, raw, STRANGER).as_json()
    assert json.loads(json.dumps(answer)) == {
        "verdict": "hold",
        "findings": [{"rule": "posting", "reason": "Marc is not a member of the list. Only members write without waiting.", "action": "hold"}],
        "sender": STRANGER,
        "audience": 1,
    }
    assert (Post.objects.count(), Mailing.objects.count(), Address.objects.count(), JournalEntry.objects.count()) == before
    post = judged(amis, raw)
    assert [moderation.sentence(finding) for finding in post.findings.all()] == [finding["reason"] for finding in answer["findings"]]  # type: ignore[attr-defined]


def test_a_sentence_has_two_parts_and_sizes_people_can_read() -> None:
    finding = Finding(rule="size", action="hold", reason="The message is {size} large\nThe limit of the list is {limit}.", values={"size": 6_500_000, "limit": 5 * 1024 * 1024})
    with translation.override("en"):
        assert moderation.parts(finding) == ("The message is 6.2\xa0MB large", "The limit of the list is 5.0\xa0MB")
    with translation.override("fr"):
        assert moderation.parts(finding) == ("Le message pèse 6,2\xa0Mo", "La limite de la liste est de 5,0\xa0Mo")


def test_members_of_a_batch_of_lists_do_not_mix(amis: List) -> None:
    other = a_list("autres@lists.example", members=["zoe@members.example"])
    join(other, [])
    mine, theirs = arrives(amis, message("zoe@members.example", subject="1")), arrives(other, message("zoe@members.example", subject="2"))
    moderation.judge_due(NOW)
    assert (state(mine), state(theirs)) == ("held", "accepted")


def test_names_with_braces_are_shown_as_they_are() -> None:
    finding = Finding(rule="posting", action="hold", reason="{name} is not a member of the list\nOnly members write without waiting.", values={"name": "{limit} {0} {name.__class__}"})
    assert moderation.sentence(finding) == "{limit} {0} {name.__class__} is not a member of the list. Only members write without waiting."


@pytest.mark.parametrize("translated", ["{nom} n’est pas abonné", "{name", "{0} n’est pas abonné"])
def test_a_wrong_translation_never_stops_mail(monkeypatch: pytest.MonkeyPatch, translated: str) -> None:
    monkeypatch.setattr("colporteur.flow.moderation.sentences.gettext", lambda _text: translated)
    finding = Finding(rule="posting", action="hold", reason="{name} is not a member of the list", values={"name": "Marc"})
    assert moderation.sentence(finding) == "Marc is not a member of the list."


@pytest.mark.parametrize("option", ["tell_waiting", "tell_expired"])
def test_notices_about_waiting_can_be_switched_off(amis: List, option: str) -> None:
    amis.policy = {"posting": "nobody", option: False}
    amis.save()
    judged(amis, message(MEMBER))
    moderation.expire_due(NOW + timedelta(days=14))
    assert [name for name, _to, _letter in letters() if name != "held"] == (["expired"] if option == "tell_waiting" else ["waiting"])


def test_strangers_are_told_that_they_wait_only_where_the_policy_says_so_and_once_a_day(amis: List) -> None:
    amis.policy |= {"tell_stranger_waiting": True}
    amis.save()
    for number in range(3):
        judged(amis, message(STRANGER, subject=str(number)))
    assert [to for _name, to, _letter in letters("waiting")] == [STRANGER]


def test_the_author_of_an_unmoderated_post_is_told_only_where_the_policy_says_so(amis: List) -> None:
    amis.policy |= {"tell_unmoderated": True}
    amis.save()
    judged(amis, message(MEMBER))
    assert [(name, to) for name, to, _letter in letters()] == [("sent", MEMBER)]


def test_a_blocked_sender_disappears_and_hears_nothing(amis: List) -> None:
    amis.policy |= {"blocked": f"@x.example\n{MEMBER}"}
    amis.save()
    assert judged(amis, message(MEMBER)).state == PostState.DISCARDED
    assert letters() == []


def test_one_line_of_the_mail_journal_tells_the_verdict(amis: List, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "colporteur.mail"):
        post = judged(amis, message(STRANGER))
    assert f"held post={post.pk} list=amis@lists.example sender={STRANGER} rules=posting:hold" in caplog.text


def test_a_message_with_two_borders_waits_even_of_a_moderator(amis: List) -> None:
    raw = f"From: Claire <{MODERATOR}>\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\none\r\n--a--\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
    post = judged(amis, raw.encode())
    assert post.state == PostState.HELD
    assert "ambiguous" in post.findings.values_list("rule", flat=True)
