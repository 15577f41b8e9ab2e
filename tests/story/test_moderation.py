"""A message waits: two moderators at once, a link scanner, a decision by reply, an absence notice that decides nothing."""

from __future__ import annotations

import re
import smtplib
import threading
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client

from colporteur.domain.posts import Decision, PostState
from colporteur.flow import errands, intake, moderation, planning
from colporteur.flow.moderation import Decided
from colporteur.store.arrivals import Errand
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.posts import Post
from tests.flow.posts import html, letters, read, text
from tests.servers.ports import wait_until
from tests.story.scenes import Installation, a_list, a_transport, give_role, message

pytestmark = pytest.mark.django_db(transaction=True)
CLAIRE, DENIS = "claire@members.example", "denis@members.example"
AUTHOR = "marc@courriel.example"
NOW = datetime.now(UTC)


@pytest.fixture
def amis(transactional_db: None) -> List:
    """A list of 20 with two moderators."""
    list_ = a_list("amis@lists.example", members=20, title="Amis", posting="members", stranger="hold")
    give_role(list_, RoleKind.MODERATOR, CLAIRE)
    give_role(list_, RoleKind.MODERATOR, DENIS)
    return list_


def arrives(raw: bytes, *recipients: str, mail_from: str = AUTHOR, now: datetime = NOW) -> None:
    """By the function every door uses."""
    (replies,) = intake.receive([intake.Incoming(raw, mail_from, recipients, "lmtp")], now)
    assert {reply.code for reply in replies} == {250}


def waiting(list_: List, subject: str = "Covoiturage") -> Post:
    arrives(message(f"Marc <{AUTHOR}>", subject=subject), list_.address)
    moderation.judge_due(NOW)
    post = Post.objects.get(list=list_, subject=subject)
    assert post.state == PostState.HELD
    return post


def everything() -> tuple[object, ...]:
    """What a GET could change."""
    return (
        list(Post.objects.order_by("id").values_list("id", "state", "decided_at", "attempts")),
        Mailing.objects.count(), Copy.objects.count(), JournalEntry.objects.count(), Errand.objects.count(),
    )  # fmt: skip


def together(*does: Callable[[], object]) -> None:
    """Run all at the same moment, each on a database connection of its own."""
    gate = threading.Barrier(len(does))

    def one(do: Callable[[], object]) -> None:
        try:
            gate.wait(90)
            do()
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=[do]) for do in does]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


def test_of_two_moderators_at_once_exactly_one_wins_and_the_other_learns_who(amis: List) -> None:
    for number in range(12):
        post = waiting(amis, f"Round {number}")
        outcomes: dict[str, Decided] = {}

        def decides(who: str, decision: Decision, post: Post = post, outcomes: dict[str, Decided] = outcomes) -> None:
            outcomes[who] = moderation.decide(post.pk, decision, NOW, address=who)

        together(lambda: decides(CLAIRE, Decision.RELEASE), lambda: decides(DENIS, Decision.REJECT))
        (winner,) = [who for who, outcome in outcomes.items() if outcome.won]
        (loser,) = {CLAIRE, DENIS} - {winner}
        post.refresh_from_db()
        assert post.state == (PostState.ACCEPTED if winner == CLAIRE else PostState.REJECTED)
        assert (outcomes[loser].by, outcomes[loser].at, outcomes[loser].state) == (winner, NOW, post.state)
        assert Mailing.objects.filter(post=post).count() == (1 if winner == CLAIRE else 0)
        assert JournalEntry.objects.filter(post_id=post.pk, event="post.decided").count() == 1


def test_workers_judging_at_once_judge_each_post_once(amis: List) -> None:
    for number in range(40):
        arrives(message("member-000001@members.example", subject=f"n{number}"), amis.address)
    together(*[lambda: moderation.judge_due(NOW)] * 4)
    assert list(Post.objects.values_list("state", flat=True)) == ["accepted"] * 40
    assert Mailing.objects.filter(kind="post").count() == 40


def test_deciding_and_expiring_at_once_does_one_of_the_two(amis: List) -> None:
    late = NOW + timedelta(days=15)
    for number in range(5):
        post = waiting(amis, f"Round {number}")
        together(lambda post=post: moderation.decide(post.pk, Decision.RELEASE, NOW, address=CLAIRE), lambda: moderation.expire_due(late))
        post.refresh_from_db()
        assert Mailing.objects.filter(post=post).count() == (1 if post.state == "accepted" else 0)
        assert len([1 for _n, _t, letter in letters("expired") if f"Round {number}" in str(letter["Subject"])]) == (1 if post.state == "expired" else 0)


def links(letter: str) -> list[str]:
    return sorted(set(re.findall(r"https?://[^\s\"'<>]+", letter)))


def test_a_link_scanner_that_fetches_every_link_changes_nothing(amis: List, client: Client) -> None:
    post = waiting(amis)
    notices = letters("held")
    assert len(notices) == 2
    before = everything()
    fetched = 0
    for _name, _to, notice in notices:
        for url in links(text(notice)) + links(html(notice)):
            parts = urlsplit(url.replace("&amp;", "&"))
            for ask in (client.get, client.head, client.options):
                answer = ask(f"{parts.path}?{parts.query}")
                assert answer.status_code in (200, 405)
                fetched += 1
    assert fetched >= 12
    assert everything() == before
    post.refresh_from_db()
    assert post.state == PostState.HELD


def test_the_page_behind_the_link_decides_by_post_without_an_account(amis: List) -> None:
    post = waiting(amis)
    anybody = Client(enforce_csrf_checks=True)
    page = urlsplit(links(text(letters("held")[0][2]))[0]).path
    assert "Covoiturage" in anybody.get(page).content.decode()
    assert anybody.post(page, {}).status_code == 200
    assert anybody.post(page, {"decision": "explode"}).status_code == 200
    post.refresh_from_db()
    assert post.state == PostState.HELD
    assert anybody.post(page, {"decision": "release"}).status_code == 200
    other = urlsplit(links(text(letters("held")[1][2]))[0]).path
    late = anybody.post(other, {"decision": "discard"})
    assert late.status_code == 409
    assert CLAIRE in late.content.decode()
    post.refresh_from_db()
    assert (post.state, post.decided_by_address) == ("accepted", CLAIRE)


def test_a_reply_releases_and_the_message_reaches_the_audience(amis: List) -> None:
    post = waiting(amis)
    (_name, to, notice), _second = letters("held")
    away = message(to, to=str(notice["Reply-To"]), subject=f"Automatic reply: {notice['Subject']}", body="distribute\r\n", headers=["Auto-Submitted: auto-replied"])
    arrives(away, str(notice["Reply-To"]), mail_from=to)
    errands.do_due(NOW)
    post.refresh_from_db()
    assert post.state == PostState.HELD
    answer = message(to, to=str(notice["Reply-To"]), subject=f"Re: {notice['Subject']}", body="Distribute\r\n\r\n> Marc is not a member\r\n")
    arrives(answer, str(notice["Reply-To"]), mail_from=to)
    errands.do_due(NOW)
    planning.plan_due(NOW)
    post.refresh_from_db()
    assert (post.state, post.decided_by_address) == (PostState.ACCEPTED, to)
    mailing = Mailing.objects.get(post=post, kind="post")
    assert Copy.objects.filter(mailing=mailing).count() == 20
    assert {name for name, _to, _letter in letters()} == {"held", "decided", "distributed"}


def test_answering_the_letter_to_the_author_decides_nothing(amis: List) -> None:
    """The author has no token: the address alone opens nothing."""
    post = waiting(amis)
    arrives(message(AUTHOR, body="distribute\r\n"), "amis-moderate@lists.example")
    arrives(message(AUTHOR, body="distribute\r\n"), "amis-moderate+" + "a" * 24 + "@lists.example")
    errands.do_due(NOW)
    post.refresh_from_db()
    assert post.state == PostState.HELD


# --- the same with every part as a process ------------------------------------------------------------------------


def hand_over(port: int, sender: str, recipient: str, raw: bytes) -> None:
    with smtplib.LMTP("127.0.0.1", port) as client:
        assert client.sendmail(sender, [recipient], raw) == {}


def test_held_scanned_answered_by_an_absence_notice_and_then_released_by_mail(installation: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    folder.mkdir()
    list_ = a_list("amis@lists.example", members=["anna@members.example"], title="Amis", transport=a_transport(f"folder://{folder}"), posting="members", stranger="hold")
    give_role(list_, RoleKind.MODERATOR, CLAIRE)
    installation.start("receive", "web", "worker")
    hand_over(installation.lmtp_port, AUTHOR, "amis@lists.example", message(f"Marc <{AUTHOR}>", subject="Covoiturage"))
    wait_until(lambda: letters("held"), 30, "no notice was written")
    ((_name, _to, notice),) = letters("held")
    wait_until(lambda: any(b"To decide" in path.read_bytes() for path in folder.rglob("*.eml")), 30, "the notice did not leave")
    for url in links(text(notice)):
        assert url.startswith(installation.base_url)
        with urllib.request.urlopen(url, timeout=120) as page:
            assert "Covoiturage" in page.read().decode()
    address = str(notice["Reply-To"])
    hand_over(installation.lmtp_port, CLAIRE, address, message(CLAIRE, to=address, subject="Absence du bureau", body="distribute\r\n", headers=["Auto-Submitted: auto-replied"]))
    wait_until(lambda: Errand.objects.filter(state="done").count() == 1, 30, "the absence notice was not read")
    assert Post.objects.get().state == PostState.HELD
    hand_over(installation.lmtp_port, CLAIRE, address, message(CLAIRE, to=address, subject="Re: À décider", body="Distribuer, merci\r\n\r\n> ...\r\n"))
    wait_until(lambda: Copy.objects.filter(mailing__kind="post", state=2).count() == 1, 30, "the post did not leave")
    assert Post.objects.get().state == PostState.ACCEPTED
    delivered = [path for path in folder.rglob("*.eml") if read(path.read_bytes())["Subject"] == "Covoiturage"]
    assert len(delivered) == 1
