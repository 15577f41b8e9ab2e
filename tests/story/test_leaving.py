"""Leaving a list while a message is on its way: by every way there is, what has not left for the one who leaves never does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.domain.mailings import CopyState
from colporteur.domain.tokens import Purpose
from colporteur.flow import copies, errands, intake, moderation, planning
from colporteur.flow.copies import Work
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, SignInLink
from colporteur.store.posts import Post
from tests.flow.posts import html, letters, read, text
from tests.story.scenes import a_list, a_person, a_transport, give_role, message

pytestmark = pytest.mark.django_db
ZOE = "zoe@members.example"
NOW = timezone.now()


@pytest.fixture(autouse=True)
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that browsers and providers reach."""
    monkeypatch.setattr(settings, "BASE_URL", "https://lists.example.org")
    monkeypatch.setattr(settings, "PUBLIC_HTTPS", True)


class Running:
    """A mailing of which a part has left, and Zoé's copy has not."""

    def __init__(self, list_: List, mailbox: Mailbox | None = None) -> None:
        self.list, self.mailbox, self._uid = list_, mailbox, 0
        self.mails("member-000001@members.example", list_.address, "Hello")
        moderation.judge_due(NOW)
        planning.plan_due(NOW)
        self.mailing = Mailing.objects.get(list=list_, kind="post")
        (first,) = self.claim()
        assert len(first.copies) == 500 and ZOE not in {due.email for due in first.copies}
        copies.accepted(first.slice, [due.address for due in first.copies], 60, NOW)

    def claim(self) -> list[Work]:
        assert self.mailing.transport_id
        return copies.claim(self.mailing.transport_id, NOW, 60)

    @property
    def copy(self) -> EmailMessage:
        """Zoé's copy as it would leave."""
        prepared = copies.message_of(self.mailing.pk).prepared
        token = tokens.sign(settings.TOKEN_KEY, Purpose.COPY, self.mailing.pk, Address.objects.get(email=ZOE).pk)
        return read(prepared.copy_for(ZOE, "Zoé", token))

    def mails(self, sender: str, to: str, subject: str, body: str = "A few words.\r\n") -> None:
        """Somebody writes; by whichever door the list has."""
        self._uid += 1
        raw = message(sender, to=to, subject=subject, body=body)
        at = {"mailbox": self.mailbox.pk, "validity": 1, "uid": str(self._uid)} if self.mailbox else {}
        (replies,) = intake.receive([intake.Incoming(raw, sender, (to,), "imap" if self.mailbox else "lmtp", **at)], NOW)
        assert {reply.code for reply in replies} == {250}
        errands.do_due(NOW)

    def mails_to(self, uri: str, sender: str = ZOE) -> None:
        """What a mail program does with a mailto: link."""
        parts = urlsplit(uri)
        assert parts.scheme == "mailto"
        self.mails(sender, unquote(parts.path), parse_qs(parts.query).get("subject", [""])[0])

    def ways(self) -> dict[str, str]:
        """Scheme -> URI of the copy's List-Unsubscribe."""
        return {urlsplit(uri).scheme: uri for uri in re.findall(r"<([^>]+)>", str(self.copy["List-Unsubscribe"]))}


def by_page(running: Running) -> None:
    browser, page = Client(enforce_csrf_checks=True), urlsplit(running.ways()["https"]).path
    assert browser.get(page).status_code == 200 and is_member(running.list)
    assert browser.post(page).status_code == 200


def by_one_click(running: Running) -> None:
    assert running.copy["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    page = urlsplit(running.ways()["https"]).path
    assert Client(enforce_csrf_checks=True).post(page, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded").status_code == 200


def by_signed_mail(running: Running) -> None:
    running.mails_to(running.ways()["mailto"])


def by_signed_mail_of_a_provider(running: Running) -> None:
    running.mails_to(running.ways()["mailto"], "unsubscribe@provider.example")


def by_asking(word: str) -> Callable[[Running], None]:
    def ask(running: Running) -> None:
        running.mails(ZOE, f"{running.list.name}-{word}@{running.list.host}", "please")
        ((_name, to, letter),) = letters("leaving")
        assert to == ZOE and is_member(running.list), "anybody could have written it"
        running.mails(ZOE, str(letter["Reply-To"]), f"Re: {letter['Subject']}")

    return ask


def by_the_link_of_the_answer(running: Running) -> None:
    running.mails(ZOE, f"{running.list.name}-unsubscribe@{running.list.host}", "please")
    ((_name, _to, letter),) = letters("leaving")
    page = urlsplit(links(letter)[0]).path
    assert Client().get(page).status_code == 200 and is_member(running.list)
    Client().post(page)


def links(letter: EmailMessage) -> list[str]:
    return sorted(set(re.findall(r"https?://[^\s\"'<>]+", text(letter) + html(letter).replace("&amp;", "&"))))


def is_member(list_: List) -> bool:
    return Membership.objects.filter(list=list_, address__email=ZOE, until__isnull=True).exists()


def members() -> list[str]:
    return [f"member-{number:06}@members.example" for number in range(1, 601)] + [ZOE]


def on_a_domain(name: str = "amis") -> Running:
    a_transport("smtp://127.0.0.1:9")
    return Running(a_list(f"{name}@lists.example", members=members(), leaving="free"))


def in_a_mailbox(**traits: bool) -> Running:
    a_transport("smtp://127.0.0.1:9")
    list_ = a_list("asso@hoster.example", members=members(), template="mailbox", on_domain=False, leaving="free")
    return Running(list_, Mailbox.objects.create(list=list_, kind="imap", host="h", port=1, user="asso@hoster.example", password_sealed="", traits=traits))


@pytest.mark.parametrize(
    ("scene", "leaves"),
    [
        (on_a_domain, by_page), (on_a_domain, by_one_click), (on_a_domain, by_signed_mail), (on_a_domain, by_signed_mail_of_a_provider),
        (on_a_domain, by_asking("unsubscribe")), (on_a_domain, by_asking("leave")), (on_a_domain, by_the_link_of_the_answer),
        (lambda: on_a_domain("x" * 40), by_signed_mail), (lambda: in_a_mailbox(plus_part=True), by_signed_mail), (lambda: in_a_mailbox(plus_part=False), by_signed_mail),
        (in_a_mailbox, by_one_click),
    ],
)  # fmt: skip
def test_what_has_not_left_never_does(scene: Callable[[], Running], leaves: Callable[[Running], None]) -> None:
    running = scene()
    leaves(running)
    assert not is_member(running.list)
    assert Membership.objects.get(list=running.list, address__email=ZOE).left_by == "member"
    rest = [due for work in running.claim() if work.slice.mailing == running.mailing.pk for due in work.copies]
    assert len(rest) == 100 and ZOE not in {due.email for due in rest}
    assert Copy.objects.get(mailing=running.mailing, address__email=ZOE).state == CopyState.CANCELLED
    assert JournalEntry.objects.filter(event="membership.left", values__email=ZOE).count() == 1


def test_where_members_may_not_leave_alone_no_way_ends_a_membership() -> None:
    running = on_a_domain()
    ways = running.ways()
    List.objects.filter(pk=running.list.pk).update(policy={"leaving": "closed"})
    assert Client().post(urlsplit(ways["https"]).path).status_code == 200
    running.mails_to(ways["mailto"])
    running.mails(ZOE, "amis-unsubscribe@lists.example", "please")
    assert is_member(running.list) and not letters("leaving") and letters("help")


def test_a_scanner_that_fetches_every_link_of_every_letter_and_copy_changes_nothing() -> None:
    running = on_a_domain()
    a_person(ZOE, name="Zoé")
    give_role(running.list, RoleKind.MODERATOR, "claire@members.example")
    give_role(running.list, RoleKind.OWNER, "olga@members.example")
    running.mails("marc@courriel.example", running.list.address, "Covoiturage")
    moderation.judge_due(NOW)
    running.mails(ZOE, "amis-unsubscribe@lists.example", "please")
    Client().post("/signin", {"email": ZOE})
    poison = Post.objects.get(state="accepted")
    assert moderation.quarantine(poison.pk, "for the test", NOW, poison.state)  # type: ignore[arg-type]
    found = {link for _name, _to, letter in letters() for link in links(letter)} | {running.ways()["https"]}
    assert {urlsplit(link).path[:3] for link in found} >= {"/m/", "/u/", "/s/", "/po"}

    def everything() -> list[object]:
        return [
            list(table.objects.order_by("pk").values_list())
            for table in (Post, Membership, SignInLink, Mailing, JournalEntry, Session)
        ] + [Copy.objects.count()]  # fmt: skip

    before = everything()
    for link in sorted(found):
        parts = urlsplit(link)
        for ask in ("get", "head", "options"):
            assert getattr(Client(), ask)(f"{parts.path}?{parts.query}").status_code in (200, 302, 405), link
    assert everything() == before
    assert is_member(running.list) and SignInLink.objects.get().used_at is None


def test_a_link_of_a_mailing_long_done_still_leaves() -> None:
    running = on_a_domain()
    page = urlsplit(running.ways()["https"]).path
    Mailing.objects.update(state="done", created=NOW - timedelta(days=700), finished=NOW - timedelta(days=700))
    Client().post(page)
    assert not is_member(running.list)
