"""IMAP against a real Dovecot, and against servers that misbehave."""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from colporteur.adapters.sources import Listed, Trouble
from colporteur.adapters.sources.imap import Imap
from colporteur.domain.mailboxes import Account, read_url
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import scripted

USER = "gardeners@shared.example"
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    with Dovecot(tmp_path_factory.mktemp("dovecot"), {USER: "secret"}) as server:
        yield server


@pytest.fixture
def account(dovecot: Dovecot) -> Account:
    dovecot.clear(USER)
    return read_url(dovecot.url("imap", USER))


def test_taken_messages_move_to_a_folder_that_is_made(account: Account, dovecot: Dovecot) -> None:
    dovecot.put(USER, b"Subject: one\r\n\r\n")
    source = Imap(replace(account, move_to="Traités & rangés"), LIMIT)
    source.remove([message.uid for message in source.listing().messages])
    assert source.listing().messages == ()
    source.close()
    assert dovecot.messages(USER, '"Trait&AOk-s &- rang&AOk-s"') == [b"Subject: one\r\n\r\n"]


def test_without_move_messages_are_copied_and_expunged_by_name(account: Account, dovecot: Dovecot) -> None:
    for number in range(3):
        dovecot.put(USER, b"Subject: %d\r\n\r\n" % number)
    with dovecot.imap(USER) as client:  # somebody marked one, and no server may take it away with ours
        client.select()
        client.store("2", "+FLAGS", "\\Deleted")
    source = Imap(replace(account, move_to="Copied"), LIMIT)
    source.client._cached_capabilities = tuple(one for one in source.client.capabilities() if one != b"MOVE")
    source.remove([source.listing().messages[0].uid])
    source.close()
    assert dovecot.messages(USER, "Copied") == [b"Subject: 0\r\n\r\n"]
    assert dovecot.messages(USER) == [b"Subject: 1\r\n\r\n", b"Subject: 2\r\n\r\n"]


def test_without_uidplus_expunge_waits_while_others_are_marked(account: Account, dovecot: Dovecot) -> None:
    for number in range(3):
        dovecot.put(USER, b"Subject: %d\r\n\r\n" % number)
    with dovecot.imap(USER) as client:
        client.select()
        client.store("2", "+FLAGS", "\\Deleted")
    source = Imap(account, LIMIT)
    source.client._cached_capabilities = (b"IMAP4REV1",)
    uids = [message.uid for message in source.listing().messages]
    source.remove([uids[0]])
    assert len(source.listing().messages) == 3
    source.remove(uids[1:])  # now only ours are marked... but for the first, marked by us before
    source.remove(uids)
    assert source.listing().messages == ()
    source.close()


def test_news_that_arrive_with_the_word_idling_are_not_missed(account: Account, dovecot: Dovecot) -> None:
    source = Imap(account, LIMIT)
    source.listing()
    dovecot.put(USER, b"Subject: between listing and idle\r\n\r\n")
    waiting = source.idle()
    if waiting.socket:
        assert select.select([waiting.socket], [], [], 90)[0]
        source.idle_over()
    assert len(source.listing().messages) == 1
    source.close()


def test_news_announced_in_the_answer_to_another_command_are_not_missed(account: Account, dovecot: Dovecot) -> None:
    dovecot.put(USER, b"Subject: first\r\n\r\n")
    source = Imap(replace(account, move_to="Taken"), LIMIT)
    (first,) = source.listing().messages
    dovecot.put(USER, b"Subject: announced by MOVE\r\n\r\n")
    source.remove([first.uid])
    assert source.idle().news
    assert len(source.listing().messages) == 1
    assert not source.idle().news
    source.close()


def test_a_live_test_says_what_is_there(account: Account, dovecot: Dovecot) -> None:
    source = Imap(account, LIMIT)
    found = source.found()
    source.close()
    assert (found.messages, found.idles, found.moves) == (0, True, True)
    assert "INBOX" in found.folders


def test_a_folder_that_is_not_there_is_told_with_those_that_are(account: Account) -> None:
    with pytest.raises(Trouble, match=r"has no folder Absent; there are: .*INBOX"):
        Imap(replace(account, folder="Absent"), LIMIT)


def test_a_password_of_any_letters_opens(tmp_path: Path) -> None:
    with Dovecot(tmp_path, {USER: "mötdépasse✓ \"\\"}) as own:
        for capabilities in (None, (b"IMAP4REV1",)):
            account = Account("imap", "127.0.0.1", own.ports["imap"], USER, own.accounts[USER], tls="none")
            if capabilities is None:
                Imap(account, LIMIT).close()


# ---- servers that misbehave -------------------------------------------------------------------------------------


def server(replies: dict[bytes, bytes], capabilities: bytes = b"IMAP4rev1 IDLE UIDPLUS MOVE") -> Callable[[BinaryIO, Callable[[bytes], None]], None]:
    """A server that answers each command (a pattern) with untagged lines; anything else with OK."""

    def script(lines: BinaryIO, send: Callable[[bytes], None]) -> None:
        send(b"* OK ready\r\n")
        for line in lines:
            tag, _, command = line.strip().partition(b" ")
            if command.upper().startswith(b"CAPABILITY"):
                send(b"* CAPABILITY " + capabilities + b"\r\n")
            for pattern, reply in replies.items():
                if re.match(pattern, command, re.IGNORECASE):
                    send(reply)
            send(tag + b" OK done\r\n")

    return script


SELECT = {rb"SELECT": b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"}


def at(port: int) -> Account:
    return Account("imap", "127.0.0.1", port, "u", "p", tls="none")


def test_a_nil_body_is_told_as_no_content_and_does_not_hide_its_neighbour() -> None:
    fetch = {rb"UID FETCH 5,6 ": b"* 1 FETCH (UID 5 BODY[] NIL)\r\n* 2 FETCH (BODY[] {4}\r\nabcd UID 6)\r\n"}
    with scripted(server(SELECT | fetch)) as port:
        source = Imap(at(port), LIMIT)
        assert [tuple(one) for one in source.fetch([Listed("5", 4), Listed("6", 4)])] == [("5", None), ("6", b"abcd")]
        source.close()


def test_quoted_and_empty_bodies_are_read() -> None:
    fetch = {rb"UID FETCH": b'* 1 FETCH (FLAGS (\\Seen) UID 5 BODY[] "")\r\n* 2 FETCH (UID 6 BODY[] "A: b")\r\n* 2 FETCH (FLAGS ())\r\n'}
    with scripted(server(SELECT | fetch)) as port:
        source = Imap(at(port), LIMIT)
        assert [one.raw for one in source.fetch([Listed("5", 0), Listed("6", 4)])] == [b"", b"A: b"]
        source.close()


def test_a_server_that_repeats_exists_is_believed_the_last_time() -> None:
    select = {rb"SELECT": b"* 9 EXISTS\r\n* 9 EXISTS\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"}
    listing = {rb"FETCH 1,2 ": b"* 2 EXISTS\r\n* 1 FETCH (UID 5 RFC822.SIZE 10)\r\n* 2 EXISTS\r\n* 2 FETCH (UID 6 RFC822.SIZE 11)\r\n* 2 EXISTS\r\n"}
    with scripted(server(select | listing)) as port:
        source = Imap(at(port), LIMIT)
        assert source.listing() == (7, (("5", 10), ("6", 11)))
        source.close()


def test_a_message_larger_than_announced_ends_the_connection_not_our_memory() -> None:
    fetch = {rb"UID FETCH": b"* 1 FETCH (UID 5 BODY[] {4000000000}\r\n"}
    with scripted(server(SELECT | fetch)) as port:
        source = Imap(at(port), LIMIT)
        with pytest.raises(Trouble, match="lost"):
            list(source.fetch([Listed("5", 100)]))
        source.close()


@pytest.mark.parametrize("noise", [b"* 1 FETCH (UID x BODY[] {\r\n", b"* 1 FETCH " + b"(" * 5000 + b"\r\n", b"\x00\xff\r\n", b"* 1 FETCH (UID 5\r\n", b"* 1 FETCH 5\r\n"])
def test_noise_is_told_never_raised_otherwise(noise: bytes) -> None:
    with scripted(server(SELECT | {rb"UID FETCH|FETCH": noise})) as port:
        source = Imap(at(port), LIMIT)
        with pytest.raises(Trouble):
            source.listing()
            list(source.fetch([Listed("5", 100)]))
            raise Trouble("nothing understood, nothing lost")
        source.close()


def test_what_is_no_imap_server_is_told() -> None:
    with scripted(lambda lines, send: send(b"SSH-2.0-OpenSSH_9.2\r\n")) as port, pytest.raises(Trouble, match="no IMAP server"):
        Imap(at(port), LIMIT)


def test_a_server_without_encryption_gets_no_password_when_starttls_was_asked() -> None:
    said: list[bytes] = []

    def script(lines: BinaryIO, send: Callable[[bytes], None]) -> None:
        send(b"* OK ready\r\n")
        for line in lines:
            said.append(line)
            send(b"* CAPABILITY IMAP4rev1\r\n" + line.split()[0] + b" OK done\r\n")

    with scripted(script) as port, pytest.raises(Trouble, match="does not offer STARTTLS"):
        Imap(replace(at(port), tls="starttls"), LIMIT)
    assert not any(b"LOGIN" in line or b"AUTH" in line for line in said)


def test_a_busy_server_is_not_taken_for_a_wrong_password() -> None:
    def script(lines: BinaryIO, send: Callable[[bytes], None]) -> None:
        send(b"* OK ready\r\n")
        for line in lines:
            tag, command = line.split()[:2]
            send(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n" if command == b"CAPABILITY" else tag + b" NO [UNAVAILABLE] come back later\r\n")

    with scripted(script) as port, pytest.raises(Trouble) as told:
        Imap(at(port), LIMIT)
    assert not told.value.lasting
