"""A list run from an ordinary mailbox: collectors as real processes against a real Dovecot."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from colporteur.flow import collecting, intake, mailboxes
from colporteur.flow.intake import Incoming
from colporteur.mail import headers
from colporteur.store.arrivals import Arrival, Errand
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailboxes import Collected, LeftBehind, Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.posts import Post
from tests.servers.dovecot import Dovecot
from tests.servers.ports import wait_until
from tests.servers.scripted import cutting
from tests.story.corpus import messages as corpus_messages
from tests.story.scenes import REPOSITORY, Installation, a_list, give_role, message

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "jardin@shared.example"
ANNA, MARC, OWNER = "anna@members.example", "marc@members.example", "olga@members.example"
ACCOUNTS = {LIST: "secret", ANNA: "a", MARC: "m", OWNER: "o"}


@pytest.fixture
def dovecot(tmp_path: Path) -> Iterator[Dovecot]:
    with Dovecot(tmp_path / "dovecot", ACCOUNTS) as server:
        yield server


@pytest.fixture
def list_() -> List:
    made = a_list(LIST, on_domain=False, template="mailbox", members=[ANNA, MARC])
    give_role(made, RoleKind.OWNER, OWNER)
    return made


def post_of(number: int, sender: str = ANNA) -> bytes:
    return message(sender, LIST, f"Number {number}", message_id=f"<{number}@members.example>")


def posts() -> list[str]:
    return list(Post.objects.order_by("id").values_list("message_id", flat=True))


def expected(*numbers: int) -> list[str]:
    return [f"<{number}@members.example>" for number in numbers]


def wait(what: Callable[[], object], installation: Installation, seconds: float = 30) -> None:
    try:
        wait_until(what, seconds)
    except TimeoutError:
        raise AssertionError(f"not so after {seconds} s; the collector said:\n{installation.words('collect')[-3000:]}") from None


@pytest.mark.parametrize("protocol", ["imap", "imaps", "pop3", "pop3s"])
def test_mail_is_collected_once_and_moved_or_deleted_after(protocol: str, dovecot: Dovecot, list_: List, installation: Installation) -> None:
    move = {"move": "Taken"} if protocol.startswith("imap") else {}
    for number in (1, 2, 3):
        dovecot.deliver(LIST, post_of(number), sender=ANNA)
    installation.cli("mailbox", "add", LIST, dovecot.url(protocol, LIST, self_signed="1", every="5", **move))
    installation.start("collect")
    wait(lambda: len(posts()) == 3, installation)
    dovecot.deliver(LIST, post_of(4, MARC), sender="bounces+marc@members.example", recipient="jardin+part@shared.example")
    wait(lambda: len(posts()) == 4 and not dovecot.messages(LIST), installation)
    assert posts() == expected(1, 2, 3, 4)
    assert len(dovecot.messages(LIST, "Taken")) == (4 if move else 0)
    last = Arrival.objects.order_by("-id")[0]
    assert (last.door, last.mail_from, last.recipients) == (protocol[:4], "bounces+marc@members.example", ["jardin+part@shared.example", LIST])
    assert installation.stop("collect") == {"collect": 0}


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_message_over_size_stays_owners_are_told_and_others_go_on(protocol: str, dovecot: Dovecot, list_: List, installation: Installation) -> None:
    List.objects.update(language="fr")
    installation.environment["COLPORTEUR_MAX_MESSAGE_SIZE"] = "100000"
    dovecot.deliver(LIST, message(ANNA, LIST, "Large", "word word\r\n" * 20_000), sender=ANNA)
    dovecot.deliver(LIST, post_of(1), sender=ANNA)
    mailboxes.set_mailbox(list_, dovecot.url(protocol, LIST), timezone.now(), by="test")
    for _ in range(2):
        installation.cli("mailbox", "collect", LIST)
    assert posts() == expected(1) and len(dovecot.messages(LIST)) == 1
    left = LeftBehind.objects.get()
    assert left.next_try is None and left.error.endswith("octets dépassent les 100000 que cette installation accepte")
    assert Mailing.objects.filter(letter="trouble").count() == 1


def test_a_server_killed_while_we_wait_is_noticed_and_recovers(dovecot: Dovecot, list_: List, installation: Installation) -> None:
    mailbox = mailboxes.set_mailbox(list_, dovecot.url("imap", LIST), timezone.now(), by="test")
    installation.start("collect")
    wait(lambda: Mailbox.objects.get().last_success, installation)
    dovecot.stop(signal.SIGKILL)
    wait(lambda: Mailbox.objects.get().failures, installation)
    assert "was lost" in Mailbox.objects.get().last_error or "Nothing answers" in Mailbox.objects.get().last_error
    dovecot.start()
    dovecot.deliver(LIST, post_of(1), sender=ANNA)

    def tried() -> bool:
        Mailbox.objects.filter(next_try__isnull=False).update(next_try=None)  # as "try now" does
        return posts() == expected(1)

    wait(tried, installation)
    mailbox.refresh_from_db()
    assert (mailbox.failures, mailbox.last_error, mailbox.told_at) == (0, "", None)
    assert not Mailing.objects.filter(letter="trouble").exists()  # a short absence is nobody's business


def test_a_wrong_password_is_told_to_owners_once_and_others_go_on(dovecot: Dovecot, list_: List, installation: Installation) -> None:
    other = a_list("autre@shared.example", on_domain=False, template="mailbox", members=[ANNA])
    dovecot.set_password("autre@shared.example", "x")
    mailboxes.set_mailbox(list_, dovecot.url("imap", LIST).replace("secret", "wrong"), timezone.now(), by="test")
    mailboxes.set_mailbox(other, dovecot.url("imap", "autre@shared.example"), timezone.now(), by="test")
    installation.start("collect")
    dovecot.deliver("autre@shared.example", post_of(1), sender=ANNA)
    wait(lambda: posts() == expected(1) and Mailbox.objects.filter(list=list_, failures=1), installation)
    before = timezone.now()
    Mailbox.objects.filter(list=list_).update(next_try=None)
    wait(lambda: Mailbox.objects.filter(list=list_, failures=2), installation)
    found = Mailbox.objects.get(list=list_)
    assert found.next_try and before + timedelta(seconds=15) < found.next_try < timezone.now() + timedelta(seconds=30)
    assert Mailing.objects.filter(letter="trouble", list=list_).count() == 1
    mailboxes.set_mailbox(list_, dovecot.url("imap", LIST), timezone.now(), by="test")
    dovecot.deliver(LIST, post_of(2), sender=ANNA)
    wait(lambda: posts() == expected(1, 2), installation)


def test_a_collector_follows_the_table_and_ends_when_the_database_is_lost(dovecot: Dovecot, list_: List, installation: Installation) -> None:
    installation.start("collect")
    wait(lambda: "collecting" in installation.words("collect"), installation)
    mailbox = mailboxes.set_mailbox(list_, dovecot.url("imap", LIST), timezone.now(), by="test")  # while it runs
    dovecot.deliver(LIST, post_of(1), sender=ANNA)
    wait(lambda: posts() == expected(1) and not dovecot.messages(LIST), installation)
    mailboxes.switch(mailbox, False, timezone.now(), by="test")
    wait(lambda: "in=" in dovecot.words().rpartition("imap(jardin")[2] and free_to_claim(mailbox.id), installation)
    dovecot.deliver(LIST, post_of(2), sender=ANNA)
    mailboxes.switch(mailbox, True, timezone.now(), by="test")
    wait(lambda: posts() == expected(1, 2), installation)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    assert installation.parts["collect"].wait(90) != 0


def free_to_claim(mailbox: int) -> bool:
    """Whether no collector has it."""
    if collecting.claim(mailbox):
        collecting.release(mailbox)
        return True
    return False


def test_one_collector_has_a_mailbox_and_another_takes_over(dovecot: Dovecot, list_: List, installation: Installation) -> None:
    mailbox = mailboxes.set_mailbox(list_, dovecot.url("imap", LIST), timezone.now(), by="test")
    installation.start("collect")
    wait(lambda: Mailbox.objects.get().last_success, installation)
    assert not free_to_claim(mailbox.id)
    assert "a collector is at it already" in installation.run("mailbox", "collect", LIST).stdout.decode()
    installation.kill("collect")
    wait(lambda: free_to_claim(mailbox.id), installation)
    dovecot.deliver(LIST, post_of(1), sender=ANNA)
    installation.start("collect")
    wait(lambda: posts() == expected(1), installation)


def test_killed_between_commit_and_removal_nothing_is_posted_twice(dovecot: Dovecot, list_: List, installation: Installation) -> None:
    for number in range(1, 6):
        dovecot.deliver(LIST, post_of(number), sender=ANNA)
    mailboxes.set_mailbox(list_, dovecot.url("imap", LIST), timezone.now(), by="test")
    # The moment: everything is committed, nothing removed yet. The part stands still there, and is killed.
    log = (installation.directory / "collect.log").open("ab")
    stuck = subprocess.Popen([sys.executable, "-c", STANDS_STILL], env=installation.environment, cwd=REPOSITORY, stdout=log, stderr=log)
    wait(lambda: Collected.objects.filter(arrival__isnull=False).count() == 5, installation)
    wait(lambda: "standing still" in installation.words("collect"), installation)
    assert len(dovecot.messages(LIST)) == 5
    stuck.kill()
    stuck.wait()
    dovecot.deliver(LIST, post_of(6), sender=ANNA)
    installation.start("collect")
    wait(lambda: not dovecot.messages(LIST), installation)
    assert posts() == expected(1, 2, 3, 4, 5, 6)


STANDS_STILL = """
import sys, threading
from colporteur.adapters.sources import imap
def remove(self, uids):
    print("standing still", flush=True)
    threading.Event().wait()
imap.Imap.remove = remove
sys.argv = ["colporteur", "collect"]
from colporteur.cli import main
main()
"""


def test_connections_cut_at_any_byte_lose_and_repeat_nothing(dovecot: Dovecot, list_: List, installation: Installation) -> None:
    numbers = range(1, 31)
    with dovecot.imap(LIST) as client:
        for number in numbers:
            client.append("INBOX", "", "", post_of(number) + b"x" * 3000 + b"\r\n")  # type: ignore[arg-type]
    with cutting(dovecot.ports["imap"], most=16_000, seed=7) as (port, cuts):
        mailboxes.set_mailbox(list_, dovecot.url("imap", LIST, move="Taken").replace(str(dovecot.ports["imap"]), str(port)), timezone.now(), by="test")
        done = subprocess.run([sys.executable, "-c", LOOKS_AGAIN_AND_AGAIN], env=installation.environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(posts()) == sorted(expected(*numbers))
    assert not dovecot.messages(LIST)
    assert len(cuts) >= 10, "the proxy did not cut"


LOOKS_AGAIN_AND_AGAIN = """
import asyncio, os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "colporteur.settings"
django.setup()
from django.utils import timezone
from colporteur.daemons.collect import collect_once
from colporteur.daemons.threads import in_thread
from colporteur.flow import collecting
from colporteur.store.mailboxes import LeftBehind

def due():
    LeftBehind.objects.update(next_try=timezone.now(), attempts=1)  # its minute has passed
    return collecting.due(timezone.now())[0]

async def main():
    for _ in range(500):
        taken, failure = await collect_once(await in_thread(due))
        if failure is None and not await in_thread(LeftBehind.objects.exists):
            return
    raise SystemExit(f"never done: {failure}")

asyncio.run(main())
"""


def test_every_message_of_the_corpus_by_both_doors_as_by_lmtp(dovecot: Dovecot, installation: Installation) -> None:
    """The same bytes and envelope through IMAP, POP3 and the intake LMTP uses: nothing lost, nothing refused, the same result."""
    top = f"Return-Path: <{ANNA}>\r\n".encode()
    corpus = [top + raw for raw in corpus_messages().values()]
    doors = {"imap": a_list(LIST, on_domain=False, template="mailbox"), "pop3": a_list(ANNA, on_domain=False, template="mailbox")}
    for door, made in doors.items():
        dovecot.put_many(made.address, corpus)
        mailboxes.set_mailbox(made, dovecot.url(door, made.address), timezone.now(), by="test")
    collected = {row["address"]: row for row in json.loads(installation.cli("mailbox", "collect", "--json"))}
    assert collected == {made.address: {"address": made.address, "messages": len(corpus), "error": ""} for made in doors.values()}
    by_lmtp = a_list("lmtp@lists.example")
    for raw in corpus:
        assert intake.receive([Incoming(raw, ANNA, (by_lmtp.address,), "lmtp")], timezone.now()) == [(intake.TAKEN,)]
    results = {door: result_of(made) for door, made in [*doors.items(), ("lmtp", by_lmtp)]}
    assert results["imap"] == results["lmtp"]
    assert results["pop3"] == results["lmtp"]
    assert not LeftBehind.objects.exists()
    assert not dovecot.messages(LIST) and not dovecot.messages(ANNA)


def result_of(list_: List) -> Counter[tuple[str, bytes]]:
    """What became of a list's mail, by sender and content; a report to a list's only address is an errand, not a post."""
    arrivals = [*Post.objects.filter(list=list_).values_list("arrival", flat=True), *Errand.objects.filter(list=list_).values_list("arrival", flat=True)]
    found = Arrival.objects.filter(id__in=arrivals).select_related("blob")
    # IMAP cannot carry NUL (RFC 3501 section 9, CHAR8): Dovecot shows 0x80 in its place.
    return Counter((one.mail_from, headers.content_key(bytes(one.blob.raw).replace(b"\x00", b"\x80"))) for one in found)


def test_one_look_from_the_command_line(dovecot: Dovecot, list_: List, installation: Installation) -> None:
    dovecot.deliver(LIST, post_of(1), sender=ANNA)
    said = installation.cli("mailbox", "add", LIST, dovecot.url("imap", LIST))
    assert "Configuration OK: 1 messages in INBOX" in said
    assert "secret" not in said
    assert re.search(r"jardin@shared.example +1", installation.cli("mailbox", "collect"))
    assert posts() == expected(1)
    assert '"health": "ok"' in installation.cli("mailbox", "list", "--json")
    assert "Configuration OK" in installation.cli("mailbox", "test", LIST)
    refused = installation.run("mailbox", "add", LIST, dovecot.url("imap", LIST).replace("secret", "wrong"))
    assert refused.returncode == 1 and b"refused the user name or the password" in refused.stderr
    assert b"Traceback" not in refused.stderr
