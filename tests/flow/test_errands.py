"""What is asked by mail at a list's service addresses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis.strategies import lists
from hypothesis.strategies import text as text_of

from colporteur.domain import tokens
from colporteur.domain.addresses import Service
from colporteur.domain.posts import Decision
from colporteur.domain.tokens import Purpose
from colporteur.flow import errands, moderation, people
from colporteur.flow.errands import work
from colporteur.flow.errands.moderate import command
from colporteur.store.arrivals import Errand
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.posts import Post
from tests.flow.posts import NOW, arrives, asked, letters, text
from tests.story.scenes import a_list, a_person, give_role, message

pytestmark = pytest.mark.django_db
OLGA_TOO = "olga-too@members.example"
MEMBER, MODERATOR, OWNER, STRANGER = "anna@members.example", "claire@members.example", "olga@members.example", "marc@courriel.example"


@pytest.fixture
def amis() -> List:
    """A list with a member, a moderator and an owner."""
    list_ = a_list("amis@lists.example", members=[MEMBER, "bea@members.example"], title="Amis", posting="members", stranger="hold", leaving="free")
    give_role(list_, RoleKind.MODERATOR, MODERATOR)
    give_role(list_, RoleKind.OWNER, OWNER)
    return list_


@pytest.fixture
def held(amis: List) -> tuple[Post, str]:
    """A waiting post and the moderator's token."""
    post = arrives(amis, message(f"Marc <{STRANGER}>", subject="Covoiturage"))
    moderation.judge_due(NOW)
    return post, moderation.moderation_token(post.pk, Address.objects.get(email=MODERATOR).pk)


def done(errand: Errand, now: object = NOW) -> Errand:
    errands.do_due(now)  # type: ignore[arg-type]
    errand.refresh_from_db()
    return errand


def state(post: Post) -> str:
    return Post.objects.get(pk=post.pk).state


def named(name: str) -> list[str]:
    return [to for _letter, to, _message in letters(name)]


# --- owners -------------------------------------------------------------------------------------------------------


def test_mail_to_the_owners_reaches_them_as_it_came(amis: List) -> None:
    give_role(amis, RoleKind.OWNER, "paul@members.example")
    raw = message(STRANGER, to="amis-owner@lists.example", subject="Question")
    assert done(asked(amis, "owner", raw)).state == "done"
    mailing = Mailing.objects.get(kind="letter")
    assert bytes(mailing.blob.raw) == raw
    assert set(Copy.objects.filter(mailing=mailing).values_list("address__email", flat=True)) == {OWNER, "paul@members.example"}
    assert JournalEntry.objects.filter(event="errand.owner", list_id=amis.pk).count() == 1


@pytest.mark.parametrize(("header", "mail_from"), [("Auto-Submitted: auto-replied", "a@b.example"), ("X-Nothing: 1", "")])
def test_mail_of_programs_does_not_reach_the_owners(amis: List, header: str, mail_from: str) -> None:
    done(asked(amis, "owner", message(STRANGER, headers=[header]), mail_from=mail_from))
    assert not Mailing.objects.exists()


def test_owner_mail_is_not_passed_on_to_our_own_lists(amis: List) -> None:
    give_role(amis, RoleKind.OWNER, "amis-owner@lists.example")
    done(asked(amis, "owner", message(STRANGER)))
    assert list(Copy.objects.values_list("address__email", flat=True)) == [OWNER]


def test_mail_to_owners_nobody_is_waits_for_one_and_is_then_set_aside(amis: List) -> None:
    Role.objects.all().delete()
    waits, late = (asked(amis, "owner", message(STRANGER, subject=subject)) for subject in ("one", "two"))
    errands.do_due(NOW)
    give_role(amis, RoleKind.OWNER, OLGA_TOO)
    Errand.objects.filter(pk=late.pk).update(next_try=NOW + timedelta(days=1))
    assert done(waits, NOW + timedelta(minutes=2)).state == "done"
    assert named("owner") == [OLGA_TOO]
    Role.objects.all().delete()
    for day in range(2, 8):
        errands.do_due(NOW + timedelta(days=day))
    late.refresh_from_db()
    assert (late.state, "nobody looks after this list" in late.error) == ("quarantined", True)


# --- deciding by reply --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["distribute"], (Decision.RELEASE, "")),
        (["", "  *Distribuer*  ", "Cordialement"], (Decision.RELEASE, "")),
        (["Approve."], (Decision.RELEASE, "")),
        (["OUI"], (Decision.RELEASE, "")),
        (["Oui !"], (Decision.RELEASE, "")),
        (["oui mais demain"], None),
        (["distribute?"], None),
        (["reject"], (Decision.REJECT, "")),
        (["Rejeter : hors sujet", "Merci", "", "Claire"], (Decision.REJECT, "hors sujet\nMerci\n\nClaire")),
        (["Refusé"], (Decision.REJECT, "")),
        (["reject", "Too long.", "--", "Claire, 06 12"], (Decision.REJECT, "Too long.")),
        (["Jeter"], (Decision.DISCARD, "")),
        (["ignore it"], (Decision.DISCARD, "")),
        (["distribution"], None),
        (["Hello, please distribute"], None),
        (["", ""], None),
        ([], None),
        (["***"], None),
    ],
)
def test_the_verb_is_the_first_word(lines: list[str], expected: tuple[Decision, str] | None) -> None:
    assert command(lines) == expected


def reply(body: str, subject: str = "Re: To decide: Covoiturage", headers: tuple[str, ...] = ()) -> bytes:
    quoted = "\r\n\r\nOn Sat, 21 Nov 2026, Amis wrote:\r\n> distribute\r\n> reject\r\n> discard\r\n"
    return message(f"Claire <{MODERATOR}>", to="amis-moderate@lists.example", subject=subject, body=body + quoted, headers=headers)


@pytest.mark.parametrize(("body", "expected"), [("distribute", "accepted"), ("Distribuer\r\n\r\nClaire", "accepted"), ("rejeter\r\nHors sujet.", "rejected"), ("discard", "discarded")])
def test_a_reply_decides(held: tuple[Post, str], body: str, expected: str) -> None:
    post, token = held
    done(asked(post.list, "moderate", reply(body), token))
    post.refresh_from_db()
    assert (post.state, post.decided_by_address) == (expected, MODERATOR)
    assert named("decided") == [MODERATOR]
    if expected == "rejected":
        ((_name, to, letter),) = letters("rejected")
        assert to == STRANGER
        assert "Hors sujet." in text(letter)


def test_a_token_that_only_fits_in_the_subject_works_too(held: tuple[Post, str]) -> None:
    post, token = held
    done(asked(post.list, "moderate", reply("distribute", subject=f"Re: [#{token.upper()}] To decide: Covoiturage")))
    assert state(post) == "accepted"


def test_a_token_seen_in_a_subject_is_of_no_use_to_the_author(held: tuple[Post, str]) -> None:
    post, token = held
    done(asked(post.list, "moderate", message(STRANGER, subject=f"Re: [#{token}] To decide", body="distribute\r\n"), token))
    assert state(post) == "held"


@pytest.mark.parametrize("headers", [("Auto-Submitted: auto-replied",), ("X-Autoreply: yes", "Auto-Submitted: auto-generated"), ("Precedence: bulk",)])
def test_an_automatic_reply_never_decides(held: tuple[Post, str], headers: tuple[str, ...]) -> None:
    post, token = held
    done(asked(post.list, "moderate", reply("distribute", headers=headers), token))
    assert state(post) == "held"
    assert [name for name, _to, _letter in letters()] == ["held"]


def test_a_reply_with_the_null_sender_never_decides(held: tuple[Post, str]) -> None:
    post, token = held
    done(asked(post.list, "moderate", reply("distribute"), token, mail_from=""))
    assert state(post) == "held"


def test_a_reply_collected_where_nobody_writes_the_envelope_down_decides(held: tuple[Post, str]) -> None:
    post, token = held
    errand = asked(post.list, "moderate", message(MODERATOR, body="distribute\r\n"), token, mail_from="")
    errand.arrival.door = "pop3"
    errand.arrival.save()
    done(errand)
    assert state(post) == "accepted"


def test_an_administrator_answers_from_any_of_their_addresses(amis: List) -> None:
    chief = a_person("chief@members.example", admin=True)
    Address.objects.create(email="chief@home.example", person=chief)
    Role.objects.all().delete()
    post = arrives(amis, message(f"Marc <{STRANGER}>", subject="Covoiturage"))
    moderation.judge_due(NOW)
    token = moderation.moderation_token(post.pk, Address.objects.get(email="chief@members.example").pk)
    done(asked(amis, "moderate", message("chief@home.example", subject=f"Re: [#{token}] To decide", body="distribute\r\n")))
    assert state(post) == "accepted"


def test_a_reply_without_a_verb_is_asked_again(held: tuple[Post, str]) -> None:
    post, token = held
    done(asked(post.list, "moderate", reply("Who is this?"), token))
    assert state(post) == "held"
    ((_name, to, letter),) = letters("unclear")
    assert (to, letter["Reply-To"]) == (MODERATOR, f"amis-moderate+{token}@lists.example")


@pytest.mark.parametrize("token", ["", "a" * 24, "short"])
def test_a_forged_token_decides_nothing(held: tuple[Post, str], token: str) -> None:
    post, _right = held
    assert done(asked(post.list, "moderate", reply("distribute"), token)).state == "done"
    assert state(post) == "held"


def test_a_token_of_another_list_decides_nothing(held: tuple[Post, str]) -> None:
    post, token = held
    other = a_list("autres@lists.example")
    done(asked(other, "moderate", reply("distribute"), token))
    assert state(post) == "held"


def test_whoever_comes_late_by_mail_is_told_who_was_first(held: tuple[Post, str]) -> None:
    post, token = held
    moderation.decide(post.pk, Decision.DISCARD, NOW, address=OWNER)
    done(asked(post.list, "moderate", reply("distribute"), token))
    assert state(post) == "discarded"
    ((_name, to, letter),) = letters("late")
    assert to == MODERATOR
    assert OWNER in text(letter)
    assert "rejected silently" in text(letter)


@pytest.mark.parametrize("noticed", [True, False])
def test_a_reply_after_the_time_is_over_is_told_so(held: tuple[Post, str], noticed: bool) -> None:
    post, token = held
    later = NOW + timedelta(days=15)
    if noticed:  # a worker has already ended the waiting
        moderation.expire_due(later)
    done(asked(post.list, "moderate", reply("distribute"), token, now=later), later)
    assert state(post) == "expired"
    ((_name, _to, letter),) = letters("late")
    assert "Nobody decided in time" in text(letter)


# --- leaving ------------------------------------------------------------------------------------------------------


def copy_token(list_: List, email: str) -> str:
    post = arrives(list_, message(MEMBER, subject=f"for {email}"))
    moderation.judge_due(NOW)
    mailing = Mailing.objects.get(post=post)
    address = Address.objects.get(email=email)
    Copy.objects.get_or_create(mailing=mailing, address=address, defaults={"slice": 1})
    return tokens.sign(settings.TOKEN_KEY, Purpose.COPY, mailing.pk, address.pk)


def is_member(list_: List, email: str) -> bool:
    return Membership.objects.filter(list=list_, address__email=email, until__isnull=True).exists()


def test_the_token_of_a_copy_leaves_at_once_whoever_writes(amis: List) -> None:
    done(asked(amis, "unsubscribe", message("anna@elsewhere.example", subject="unsubscribe"), copy_token(amis, MEMBER)))
    assert not is_member(amis, MEMBER)
    assert is_member(amis, "bea@members.example")
    assert named("left") == [MEMBER]


def test_a_forged_leaving_token_changes_nothing(amis: List) -> None:
    done(asked(amis, "unsubscribe", message(MEMBER, subject="unsubscribe"), "b" * 24))
    assert is_member(amis, MEMBER)
    assert letters() == []


def test_without_a_token_the_member_is_asked_and_the_answer_leaves(amis: List) -> None:
    errand = done(asked(amis, "unsubscribe", message(MEMBER, subject="please")))
    assert is_member(amis, MEMBER)
    ((_name, to, letter),) = letters("leaving")
    assert to == MEMBER
    token = str(letter["Reply-To"]).partition("+")[2].partition("@")[0]
    assert tokens.read(settings.TOKEN_KEY, Purpose.CONFIRM, token) == (errand.pk, Address.objects.get(email=MEMBER).pk)
    done(asked(amis, "confirm", message(MEMBER, subject="Auto: away", headers=["Auto-Submitted: auto-replied"]), token))
    assert is_member(amis, MEMBER)
    done(asked(amis, "confirm", message(MEMBER, subject="Re: leave"), token))
    assert not is_member(amis, MEMBER)
    assert named("left") == [MEMBER]


def test_a_confirmation_is_good_for_a_week(amis: List) -> None:
    errand = done(asked(amis, "unsubscribe", message(MEMBER)))
    token = tokens.sign(settings.TOKEN_KEY, Purpose.CONFIRM, errand.pk, Address.objects.get(email=MEMBER).pk)
    late = NOW + timedelta(days=8)
    done(asked(amis, "confirm", message(MEMBER), token, now=late), late)
    assert is_member(amis, MEMBER)


def test_the_member_is_asked_once_a_day_however_often_somebody_writes(amis: List) -> None:
    for number in range(4):
        done(asked(amis, "unsubscribe", message(MEMBER, subject=str(number))))
    assert named("leaving") == [MEMBER]


def test_a_member_writing_from_another_of_their_addresses_is_asked_at_the_one_on_the_list(amis: List) -> None:
    anna = a_person("anna@work.example", name="Anna")
    Address.objects.filter(email=MEMBER).update(person=anna)
    done(asked(amis, "unsubscribe", message("anna@work.example")))
    assert named("leaving") == [MEMBER]


def test_where_members_may_not_leave_alone_they_are_told_whom_to_ask(amis: List) -> None:
    amis.policy |= {"leaving": "closed"}
    amis.save()
    done(asked(amis, "unsubscribe", message(MEMBER), copy_token(amis, MEMBER)))
    assert is_member(amis, MEMBER)
    ((_name, to, letter),) = letters("help")
    assert to == MEMBER
    assert "amis-owner@lists.example" in text(letter)


# --- help ---------------------------------------------------------------------------------------------------------


def test_help_comes_once_a_day(amis: List) -> None:
    for number in range(3):
        done(asked(amis, "request", message(STRANGER, subject=str(number))))
    assert named("help") == [STRANGER]
    tomorrow = NOW + timedelta(days=1, minutes=1)
    done(asked(amis, "request", message(STRANGER, subject="again"), now=tomorrow), tomorrow)
    assert named("help") == [STRANGER] * 2


@pytest.mark.parametrize(("header", "mail_from"), [("Auto-Submitted: auto-generated", "a@b.example"), ("X-Nothing: 1", "")])
def test_programs_get_no_help(amis: List, header: str, mail_from: str) -> None:
    done(asked(amis, "request", message(STRANGER, headers=[header]), mail_from=mail_from))
    assert letters() == []


# --- reports ------------------------------------------------------------------------------------------------------

REPORT = (
    b"From: MAILER-DAEMON@mx.example\r\nTo: amis-bounces@lists.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nNo.\r\n'
    b"--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
    b"Final-Recipient: rfc822; bea@members.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 unknown user\r\n\r\n--x--\r\n"
)


def reports() -> list[str]:
    return list(JournalEntry.objects.filter(event="copy.report").values_list("values__email", flat=True))


def test_a_report_is_journaled_on_its_copy(amis: List) -> None:
    token = copy_token(amis, "bea@members.example")
    done(asked(amis, "bounces", REPORT, token, mail_from=""))
    entry = JournalEntry.objects.get(event="copy.report")
    assert entry.address_id == Address.objects.get(email="bea@members.example").pk
    assert "5.1.1" in entry.values["summary"]
    assert is_member(amis, "bea@members.example")


def test_forged_and_expired_reports_change_nothing(amis: List) -> None:
    token = copy_token(amis, "bea@members.example")
    for number in range(5):
        done(asked(amis, "bounces", REPORT.replace(b"No.", b"No %d." % number), f"{'c' * 23}{'abcde'[number]}", mail_from=""))
    stolen = tokens.sign(settings.TOKEN_KEY, Purpose.COPY, Mailing.objects.latest("id").pk, Address.objects.get(email=OWNER).pk)
    done(asked(amis, "bounces", REPORT, stolen, mail_from=""))  # ours, but no such copy
    late = NOW + timedelta(days=31)
    Mailing.objects.update(created=NOW)
    done(asked(amis, "bounces", REPORT, token, mail_from="", now=late), late)
    assert reports() == []
    assert JournalEntry.objects.filter(event="errand.unmatched").count() == 7


def test_a_report_to_an_address_without_token_is_matched_by_the_original_it_returns(amis: List) -> None:
    token, other = copy_token(amis, "bea@members.example"), copy_token(amis, MEMBER)
    returned = b"Content-Type: message/rfc822\r\n\r\nSubject: Hello\r\nX-Colporteur-Trace: %s\r\n\r\nHello\r\n\r\n--x--"
    done(asked(amis, "bounces", REPORT.replace(b"--x--", returned % token.encode()), mail_from=""))
    assert reports() == ["bea@members.example"]
    forged = tokens.sign(b"another key", Purpose.COPY, Mailing.objects.latest("id").pk, Address.objects.get(email=MEMBER).pk)
    done(asked(amis, "bounces", REPORT.replace(b"--x--", returned % forged.encode()), mail_from=""))
    both = b"X-Colporteur-Trace: %s\r\n\r\n" % other.encode()
    done(asked(amis, "bounces", REPORT.replace(b"--x--", (returned % token.encode()).replace(b"\r\n\r\nHello", b"\r\n\r\n" + both + b"Hello")), mail_from=""))
    assert reports() == ["bea@members.example"], "never guessed"


def test_a_flood_of_reports_about_one_copy_is_bounded(amis: List) -> None:
    token = copy_token(amis, "bea@members.example")
    for number in range(25):
        asked(amis, "bounces", REPORT.replace(b"No.", b"No %d." % number), token, mail_from="")
    errands.do_due(NOW)
    assert len(reports()) == 20


# --- trouble ------------------------------------------------------------------------------------------------------


def test_a_poison_errand_is_set_aside_after_five_attempts_and_blocks_nobody(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    really = work.message_of
    monkeypatch.setattr(work, "message_of", lambda errand, now: 1 / 0 if errand.service == "owner" else really(errand, now))
    bad, good = asked(amis, "owner", message(STRANGER)), asked(amis, "request", message(STRANGER))
    now = NOW
    for _attempt in range(5):
        errands.do_due(now)
        bad.refresh_from_db()
        now = bad.next_try or now
    good.refresh_from_db()
    assert (bad.state, good.state) == ("quarantined", "done")
    assert errands.do_due(now + timedelta(days=1)) == 0
    assert JournalEntry.objects.filter(event="errand.quarantined").count() == 1


@given(lists(text_of(), max_size=5))
def test_no_reply_can_break_the_reading_of_its_verb(lines: list[str]) -> None:
    found = command(lines)
    assert found is None or lines[next(i for i, line in enumerate(lines) if line.strip())].strip()


# --- set aside ----------------------------------------------------------------------------------------------------


def set_aside(errand: Errand) -> Errand:
    """After as many attempts as there are."""
    for hours in range(work.ATTEMPTS):
        done(errand, NOW + timedelta(hours=hours))
    return errand


def breaks(_message: object) -> None:
    raise RuntimeError("it broke")


def test_owners_are_told_once_of_what_could_not_be_processed(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(work.ERRANDS, Service.OWNER, breaks)
    errand = set_aside(asked(amis, "owner", message(STRANGER, subject="Une question")))
    done(errand, NOW + timedelta(days=2))
    assert errand.state == "quarantined"
    ((_name, to, letter),) = letters("quarantined")
    assert (to, letter["Subject"]) == (OWNER, "Could not be processed: Une question")
    for shown in (STRANGER, "amis-owner@lists.example", "RuntimeError: it broke", f"/lists/{amis.pk}/activity"):
        assert shown in text(letter)


def test_a_poison_message_cannot_hide_itself(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    def poison(raw: bytes) -> None:
        raise RecursionError("poison")

    monkeypatch.setattr("colporteur.flow.errands.message.skim", poison)
    monkeypatch.setattr("colporteur.flow.errands.aside.skim", poison)
    assert set_aside(asked(amis, "owner", message(STRANGER))).state == "quarantined"
    ((_name, to, letter),) = letters("quarantined")
    assert to == OWNER
    assert "anybody@envelope.example" in text(letter)


def test_an_errand_of_a_whole_domain_is_the_administrators(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    people.add("chief@members.example", admin=True, now=NOW)
    monkeypatch.setitem(work.ERRANDS, Service.REQUEST, breaks)
    set_aside(to_the_domain(amis))
    ((_name, to, letter),) = letters("quarantined")
    assert to == "chief@members.example"
    assert "/errands/" in text(letter)


@pytest.mark.parametrize(("wish", "ends", "event"), [(errands.retry, "done", "errand.retried"), (errands.discard, "discarded", "errand.discarded")])
def test_what_was_set_aside_is_tried_again_or_thrown_away_once(amis: List, monkeypatch: pytest.MonkeyPatch, wish: Callable[..., bool], ends: str, event: str) -> None:
    with monkeypatch.context() as broken:
        broken.setitem(work.ERRANDS, Service.OWNER, breaks)
        errand = set_aside(asked(amis, "owner", message(STRANGER)))
    assert wish(errand.pk, NOW, "Olga")
    assert not wish(errand.pk, NOW, "Olga")
    assert done(errand).state == ends
    assert JournalEntry.objects.get(event=event, list_id=amis.pk).values == {"by": "Olga", "recipient": "amis-owner@lists.example"}
    assert not errands.retry(errand.pk, NOW, "Olga")
    assert not errands.discard(errand.pk, NOW, "Olga")


# --- help about a whole domain ------------------------------------------------------------------------------------


def to_the_domain(amis: List, sender: str = STRANGER, **more: object) -> Errand:
    """Mail to lists@domain."""
    errand = asked(amis, "request", message(sender, **more))  # type: ignore[arg-type]
    Errand.objects.filter(pk=errand.pk).update(list=None, recipient="lists@lists.example")
    return errand


def test_a_whole_domain_answers_with_help_once_a_day(amis: List) -> None:
    for moment in (NOW, NOW + timedelta(hours=1), NOW + timedelta(days=2)):
        assert done(to_the_domain(amis), moment).state == "done"
    first, _second = letters("help")
    assert first[1] == STRANGER
    for shown in ("name-owner@lists.example", "name-unsubscribe@lists.example"):
        assert shown in text(first[2])
    assert amis.address not in text(first[2])


def test_a_whole_domain_answers_no_program_and_no_list(amis: List) -> None:
    done(to_the_domain(amis, headers=["Auto-Submitted: auto-replied"]))
    done(to_the_domain(amis, "mailer-daemon@elsewhere.example", headers=["Precedence: bulk"]))
    done(to_the_domain(amis, amis.address))
    done(to_the_domain(amis, "lists@lists.example"))
    done(to_the_domain(amis, "colporteur-owner@other.example"))
    assert not letters("help")
