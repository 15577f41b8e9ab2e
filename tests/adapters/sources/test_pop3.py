"""POP3 against a real Dovecot, and against servers that misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO

import pytest

from colporteur.adapters.sources import Trouble
from colporteur.adapters.sources.pop3 import Pop3
from colporteur.domain.mailboxes import Account, read_url
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import scripted

USER = "gardeners@shared.example"
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    with Dovecot(tmp_path_factory.mktemp("dovecot"), {USER: "secret"}) as server:
        yield server


def test_nothing_is_deleted_by_a_connection_that_ends_before_finish(dovecot: Dovecot) -> None:
    dovecot.put(USER, b"Subject: keep\r\n\r\n")
    source = Pop3(read_url(dovecot.url("pop3", USER)), LIMIT)
    source.remove([source.listing().messages[0].uid])
    source.close()
    assert len(dovecot.messages(USER)) == 1


def server(messages: Mapping[int, bytes], *, uidl: bool = True, retr: bytes = b"", stls: bool = False) -> Callable[[BinaryIO, Callable[[bytes], None]], None]:
    """A server with these messages; ``retr`` is said instead of them."""
    left = dict(messages)

    def script(lines: BinaryIO, send: Callable[[bytes], None]) -> None:
        marked = set()
        send(b"+OK\r\n")
        for line in lines:
            command, *words = line.split()
            if command == b"LIST":
                send(b"+OK\r\n" + b"".join(b"%d %d\r\n" % (number, len(raw)) for number, raw in left.items()) + b".\r\n")
            elif command == b"UIDL":
                send(b"+OK\r\n" + b"".join(b"%d name-%d\r\n" % (number, number) for number in left) + b".\r\n" if uidl else b"-ERR what?\r\n")
            elif command == b"RETR":
                send(retr or b"+OK\r\n" + left[int(words[0])].replace(b"\r\n.", b"\r\n..") + b".\r\n")
            elif command == b"DELE":
                marked.add(int(words[0]))
                send(b"+OK\r\n")
            elif command == b"QUIT":
                for number in marked:
                    left.pop(number)
                send(b"+OK\r\n")
                return
            else:
                send(b"-ERR no\r\n" if command in (b"STLS", b"CAPA") else b"+OK\r\n")

    return script


def at(port: int) -> Account:
    return Account("pop3", "127.0.0.1", port, "u", "p", tls="none")


def read(source: Pop3) -> list[bytes | None]:
    return [one.raw for one in source.fetch(source.listing().messages)]


def test_lines_of_any_length_come_whole() -> None:
    raw = b"Subject: long\r\n\r\n" + b"x" * 300_000 + b"\r\n.\r\n..\r\nend\r\n"
    with scripted(server({1: raw})) as port:
        assert read(Pop3(at(port), LIMIT)) == [raw]


def test_a_server_without_uidl_names_messages_by_their_content() -> None:
    with scripted(server({1: b"A: 1\r\n\r\n", 2: b"A: 2\r\n\r\n"}, uidl=False)) as port:
        source = Pop3(at(port), LIMIT)
        first, second = source.listing().messages
        assert first.uid.startswith("sha256-") and first.uid != second.uid
        source.remove([first.uid])
        source.finish()
        assert source.listing().messages == (second,)


def test_a_message_the_server_refuses_to_give_is_no_content() -> None:
    with scripted(server({1: b"A: 1\r\n\r\n"}, retr=b"-ERR internal error\r\n")) as port:
        assert read(Pop3(at(port), LIMIT)) == [None]


def test_a_message_without_end_ends_the_connection_not_our_memory() -> None:
    with scripted(server({1: b"A: 1\r\n\r\n"}, retr=b"+OK\r\n" + b"x" * 2_000_000)) as port, pytest.raises(Trouble, match="lost"):
        read(Pop3(at(port), LIMIT))


def test_starttls_that_is_not_offered_is_told_before_any_password() -> None:
    with scripted(server({})) as port, pytest.raises(Trouble, match="does not offer STARTTLS"):
        Pop3(replace(at(port), tls="starttls"), LIMIT)


@pytest.mark.parametrize(("words", "lasting"), [(b"-ERR [IN-USE] locked", False), (b"-ERR [SYS/TEMP] later", False), (b"-ERR [AUTH] wrong", True), (b"-ERR no", True)])
def test_a_busy_mailbox_is_not_taken_for_a_wrong_password(words: bytes, lasting: bool) -> None:
    def script(lines: BinaryIO, send: Callable[[bytes], None]) -> None:
        send(b"+OK\r\n")
        for line in lines:
            send(words + b"\r\n" if line.startswith(b"PASS") else b"+OK\r\n")

    with scripted(script) as port, pytest.raises(Trouble) as told:
        Pop3(at(port), LIMIT)
    assert told.value.lasting is lasting


def test_what_is_no_pop3_server_is_told() -> None:
    with scripted(lambda lines, send: send(b"* OK IMAP4rev1\r\n")) as port, pytest.raises(Trouble, match="no POP3 server"):
        Pop3(at(port), LIMIT)
