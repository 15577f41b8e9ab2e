"""Stories of arriving mail: a real Postfix, our real receiving process, a real database."""

from __future__ import annotations

import hashlib
import random
import re
import smtplib
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.models import Count

from colporteur.cli.deliver import hand_over, wire
from colporteur.daemons.database import Server
from colporteur.mail import headers
from colporteur.store.arrivals import Arrival, Blob, Errand
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, ListState
from colporteur.store.posts import Post
from tests.servers.ports import wait_until
from tests.servers.postfix import Postfix, smtp_source
from tests.story.corpus import messages
from tests.story.databases import open_folder
from tests.story.scenes import REPOSITORY, Installation, a_list, message


def test_postfix_hands_mail_over_and_it_is_committed(installation: Installation, tmp_path: Path) -> None:
    amis = a_list("amis@lists.example")
    installation.start("receive")
    with Postfix(tmp_path / "postfix", lists={"lists.example": ("127.0.0.1", installation.lmtp_port)}, mailboxes=["anna@members.example"]) as postfix:
        recipients = ["amis@lists.example", "amis-owner@lists.example", "amis-moderate+abc@lists.example", "nobody@lists.example"]
        postfix.send("anna@members.example", recipients, message(message_id="<1@x.example>", body="Ça marche.\r\n"))
        wait_until(lambda: not postfix.waiting(), what="Postfix still has mail")
        post = Post.objects.select_related("arrival__blob").get()
        assert (post.list_id, post.message_id, post.arrival.mail_from) == (amis.id, "<1@x.example>", "anna@members.example")
        assert "Ça marche.\r\n".encode() in bytes(post.arrival.blob.raw)
        assert sorted(Errand.objects.values_list("service", "token")) == [("moderate", "abc"), ("owner", "")]
        assert postfix.words().count("status=sent (250 2.6.0 Taken)") == 3
        [bounce] = postfix.messages("anna@members.example")
        assert b"nobody@lists.example" in bounce and b"550 5.1.1 No such list here" in bounce
    assert installation.stop("receive") == {"receive": 0}


def test_every_message_of_the_corpus_by_two_doors_with_the_same_rows(installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The listener as an MTA uses it, and ``deliver``: nothing lost, nothing refused, the same rows for the same bytes."""
    corpus = messages()
    by_lmtp, by_pipe = a_list("lmtp@lists.example"), a_list("pipe@lists.example")
    installation.start("receive")
    monkeypatch.setenv("COLPORTEUR_LMTP", f"127.0.0.1:{installation.lmtp_port}")
    with LMTP("127.0.0.1", installation.lmtp_port) as client:
        client.ehlo_or_helo_if_needed()
        for name, raw in corpus.items():
            client.mail("anna@members.example", ["BODY=8BITMIME"])
            client.rcpt(by_lmtp.address)
            # As an MTA hands over what it has in lines: CRLF at each end, dots doubled.
            lines = re.sub(rb"\r?\n", b"\r\n", raw)
            code, _ = client.data(lines if lines.endswith(b"\r\n") or not lines else lines + b"\r\n")
            assert code == 250, name
            hand_over(wire(raw), "anna@members.example", [by_pipe.address])  # raises when it is refused
    kept = {
        list_.address: Counter((message_id, bytes(key), bytes(sha256)) for message_id, key, sha256 in Post.objects.filter(list=list_).values_list("message_id", "content_key", "arrival__blob_id"))
        for list_ in (by_lmtp, by_pipe)
    }
    assert kept[by_lmtp.address] == kept[by_pipe.address]
    # Each message is there under the key of its own bytes; only what is the same message twice is there once.
    assert {key for _, key, _ in kept[by_lmtp.address]} == {headers.content_key(raw) for raw in corpus.values()}
    dropped = JournalEntry.objects.filter(event="post.duplicate", list_id=by_lmtp.id).count()
    assert kept[by_lmtp.address].total() + dropped == len(corpus)
    assert all(hashlib.sha256(bytes(raw)).digest() == bytes(name) for name, raw in Blob.objects.values_list("sha256", "raw").iterator(50))
    assert "level=error" not in installation.words("receive")


class LMTP(smtplib.LMTP):
    """With data as they are: the library's own ``data`` also turns a bare CR into a line end."""

    def data(self, message: bytes) -> tuple[int, bytes]:  # type: ignore[override]
        assert self.docmd("DATA")[0] == 354
        self.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        return self.getreply()


def test_a_pipe_delivers_or_says_why_not(installation: Installation) -> None:
    a_list("amis@lists.example")
    off = a_list("off@lists.example")
    List.objects.filter(id=off.id).update(state=ListState.OFF)
    raw = message().replace(b"\r\n", b"\n")
    assert installation.run("deliver", "--recipient", "amis@lists.example", stdin=raw).returncode == 75  # nobody listens yet
    installation.start("receive")
    installation.cli("deliver", "--sender", "anna@members.example", "--recipient", "amis@lists.example", "--recipient", "amis-owner@lists.example", stdin=raw)
    assert Arrival.objects.values_list("mail_from", "recipients").get() == ("anna@members.example", ["amis@lists.example", "amis-owner@lists.example"])
    assert (Post.objects.count(), Errand.objects.count()) == (1, 1)
    for recipient, status in (("nobody@lists.example", 67), ("off@lists.example", 69)):
        done = installation.run("deliver", "--recipient", "amis@lists.example", "--recipient", recipient, stdin=message(subject="all or none"))
        assert done.returncode == status and recipient.encode() in done.stderr
    assert Arrival.objects.count() == 1


def test_a_message_too_big_for_a_pipe(installation: Installation) -> None:
    a_list("amis@lists.example")
    installation.environment["COLPORTEUR_MAX_MESSAGE_SIZE"] = "100000"
    installation.start("receive")
    assert installation.run("deliver", "--recipient", "amis@lists.example", stdin=message(body="x" * 100_000)).returncode == 69
    assert not Arrival.objects.exists()


KILLS = 30


def test_thirty_kills_lose_nothing_that_was_acknowledged_and_post_nothing_twice(installation: Installation) -> None:
    """Four clients send without a pause, resending what was not acknowledged; the receiver is killed (-9) after a number
    of acknowledgements drawn from a fixed seed, wherever the other three clients happen to be."""
    draw = random.Random(20261121)
    lists = [a_list("amis@lists.example"), a_list("bureau@lists.example")]
    recipients = [list_.address for list_ in lists]
    feeders = [Feeder(installation.lmtp_port, name, recipients) for name in "abcd"]
    for feeder in feeders:
        feeder.start()
    for _ in range(KILLS):
        installation.start("receive")
        goal = sum(len(feeder.acknowledged) for feeder in feeders) + draw.randint(0, 120)
        wait_until(lambda goal=goal: sum(len(feeder.acknowledged) for feeder in feeders) >= goal)
        installation.kill("receive")
    installation.start("receive")
    for feeder in feeders:
        feeder.finish()
    acknowledged = {key for feeder in feeders for key in feeder.acknowledged}
    assert len(acknowledged) > 500 and sum(feeder.broken for feeder in feeders) >= KILLS
    wait_until(lambda: not others_at_work(), what="a killed receiver's transaction is still open")
    for list_ in lists:
        there = Counter(Post.objects.filter(list=list_).values_list("message_id", flat=True))
        assert not acknowledged - there.keys(), "acknowledged but lost"
        assert set(there.values()) == {1}, "posted twice"
        assert there.keys() == acknowledged, "each was sent again until it was acknowledged"
    # No half states: each arrival has both posts and its bytes, each post its journal entry, nothing else is there.
    assert set(Arrival.objects.annotate(made=Count("post")).values_list("made", flat=True)) == {2}
    assert Blob.objects.count() == Arrival.objects.count() == len(acknowledged)
    assert JournalEntry.objects.filter(event="post.received").count() == Post.objects.count() == 2 * len(acknowledged)


class Feeder(threading.Thread):
    """A client that sends message after message to the listener, each one again until it is acknowledged."""

    def __init__(self, port: int, name: str, recipients: list[str]) -> None:
        super().__init__(daemon=True)
        self.port, self.series, self.recipients = port, name, recipients
        self.acknowledged: list[str] = []
        self.broken = 0
        self._over = threading.Event()

    def run(self) -> None:
        number, client = 0, None
        while not self._over.is_set():
            key = f"<{self.series}{number}@feeder.example>"
            try:
                if client is None:
                    client = smtplib.LMTP("127.0.0.1", self.port, local_hostname="feeder", timeout=180)
                # A Received line that differs each time, as a real resend has it.
                raw = f"Received: attempt {self.broken}\r\n".encode() + message(message_id=key, body=f"{self.series} {number}\r\n" * (number % 40))
                if client.sendmail("feeder@members.example", self.recipients, raw) == {}:
                    self.acknowledged.append(key)
                    number += 1
            except (OSError, smtplib.SMTPException):
                self.broken += client is not None
                if client:
                    client.close()
                client = None
                self._over.wait(0.01)
        if client:
            client.close()

    def finish(self) -> None:
        """Let it send what it is at, and end."""
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > before)
        self._over.set()
        self.join(180)
        assert not self.is_alive()


def others_at_work() -> int:
    """Connections of others to our database that are in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'")
        return int(cursor.fetchone()[0])


def test_without_its_database_the_listener_says_try_again_and_recovers_by_itself(tmp_path: Path) -> None:
    with open_folder() as folder:
        server = Server(folder / "postgres")
        server.start()
        with Installation(tmp_path / "installation", database=f"postgresql://colporteur@/colporteur?host={server.sockets}&port=5432") as installation:
            try:
                installation.cli("migrate")
                arrange = "import django; django.setup(); from tests.story.scenes import a_list; a_list('amis@lists.example')"
                subprocess.run([sys.executable, "-c", arrange], env=installation.environment | {"DJANGO_SETTINGS_MODULE": "colporteur.settings"}, cwd=REPOSITORY, check=True)
                installation.start("receive")
                before = installation.parts["receive"].pid
                with LMTP("127.0.0.1", installation.lmtp_port) as client:
                    client.ehlo_or_helo_if_needed()
                    client.mail("anna@members.example")
                    assert client.rcpt("amis@lists.example")[0] == 250
                    server.stop()
                    assert client.data(message(subject="in the middle"))[0] == 451  # taken at RCPT, gone at the end of the data
                    client.mail("anna@members.example")
                    assert client.rcpt("amis@lists.example")[0] == 451
                    assert installation.run("deliver", "--recipient", "amis@lists.example", stdin=message()).returncode == 75
                    server.start()
                    client.rset()
                    client.mail("anna@members.example")
                    wait_until(lambda: client.rcpt("amis@lists.example")[0] == 250, what="the listener does not recover")
                    assert client.data(message(subject="afterwards"))[0] == 250
                assert installation.parts["receive"].pid == before and installation.parts["receive"].poll() is None
                with psycopg.connect(server.dsn()) as own:
                    assert own.execute("SELECT count(*) FROM post").fetchall() == [(1,)]
            finally:
                installation.stop()
                server.stop()


def test_many_small_posts_at_once_are_committed_together(installation: Installation) -> None:
    a_list("burst@lists.example")
    installation.start("receive")
    smtp_source(installation.lmtp_port, "-L", "-d", "-s", "20", "-m", "500", "-l", "4096", "-f", "anna@members.example", "-t", "burst@lists.example")
    assert Post.objects.count() + JournalEntry.objects.filter(event="post.duplicate").count() == 500
