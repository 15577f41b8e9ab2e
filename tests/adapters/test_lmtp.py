"""The LMTP listener on a real socket: dialogues as data, what each recipient is told, and where the data end."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import uvloop

from colporteur.adapters.sources.lmtp import MAX_RECIPIENTS, Answer
from colporteur.adapters.sources.lmtp.listener import Listener

MAX = 300_000
HELLO = b"LHLO client.example\r\n"


class Desk:
    """Takes everything but what a recipient's name asks for: unknown, broken, off, later."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, tuple[str, ...]]] = []
        self.fault: Callable[[], Any] = lambda: None
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def known(self, recipient: str) -> Answer:
        if recipient.startswith("unknown"):
            return 550, "5.1.1 No such list here"
        if recipient.startswith("broken"):
            raise OSError("the database is gone")
        return (450, "4.2.1 Switched off") if recipient.startswith("off") else (250, "2.1.5 Yes")

    async def take(self, raw: bytes, mail_from: str, recipients: Sequence[str]) -> Sequence[Answer]:
        self.entered.set()
        await self.gate.wait()
        if (result := self.fault()) is not None:
            return result  # type: ignore[no-any-return]
        self.taken.append((raw, mail_from, tuple(recipients)))
        return [(450, "4.2.1 Later") if recipient.startswith("later") else (250, "2.6.0 Taken") for recipient in recipients]


class Client:
    """A socket that says bytes and hears replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self) -> list[bytes]:
        """One reply, its lines; [] when the other side closed."""
        lines = []
        while True:
            line = await asyncio.wait_for(self.reader.readline(), 60)
            if not line:
                return lines
            lines.append(line.rstrip(b"\r\n"))
            if line[3:4] != b"-":
                return lines

    async def say(self, words: bytes, replies: int = 1) -> list[bytes]:
        """Say something, hear that many replies; their first lines."""
        self.writer.write(words)
        await self.writer.drain()
        return [(await self.hear() or [b""])[0] for _ in range(replies)]

    async def begin(self, *recipients: bytes, sender: bytes = b"anna@members.example") -> None:
        """Greeting to 354."""
        assert (await self.hear())[0].startswith(b"220 ")
        assert (await self.say(HELLO))[0].startswith(b"250-")
        await self.again(*recipients, sender=sender)

    async def again(self, *recipients: bytes, sender: bytes = b"anna@members.example") -> None:
        """A further transaction up to 354."""
        commands = b"MAIL FROM:<" + sender + b">\r\n" + b"".join(b"RCPT TO:<" + recipient + b">\r\n" for recipient in recipients) + b"DATA\r\n"
        heard = await self.say(commands, 2 + len(recipients))
        assert [line[:3] for line in heard] == [b"250"] * (1 + len(recipients)) + [b"354"], heard

    async def closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 60) == b""


def play(scene: Callable[[Desk, Listener, Callable[[], Awaitable[Client]]], Awaitable[None]], **options: Any) -> Desk:
    """Run a scene against a listener on a free port; everything must be over, and all memory given back, within two minutes."""

    async def run() -> Desk:
        desk = Desk()
        listener = Listener(desk, max_size=MAX, hostname="lists.example", **options)
        port = await listener.open("127.0.0.1", 0)
        clients = []

        async def connect() -> Client:
            client = Client(*await asyncio.open_connection("127.0.0.1", port))
            clients.append(client)
            return client

        try:
            await asyncio.wait_for(scene(desk, listener, connect), 120)
        finally:
            for client in clients:
                client.writer.close()
            await listener.close(2)
        assert listener.room.used == 0
        return desk

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the receiving part runs
        return runner.run(run())


DIALOGUES: dict[str, list[tuple[bytes, list[bytes]]]] = {
    "plain": [
        (HELLO, [b"250-lists.example"]), (b"MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME\r\n", [b"250 2.0.0 OK"]), (b"RCPT TO:<amis@lists.example>\r\n", [b"250 2.1.5 Go on"]),
        (b"DATA\r\n", [b"354 "]), (b"Subject: x\r\n\r\nhello\r\n.\r\n", [b"250 2.6.0 "]), (b"QUIT\r\n", [b"221 2.0.0 "]),
    ],
    "one reply per recipient, in their order": [
        (HELLO, [b"250-"]), (b"MAIL FROM:<>\r\n", [b"250 "]), (b"RCPT TO:<a@x.example>\r\n", [b"250 "]), (b"RCPT TO:<unknown@x.example>\r\n", [b"550 5.1.1 "]),
        (b"RCPT TO:<later@x.example>\r\n", [b"250 "]), (b"RCPT TO:<off@x.example>\r\n", [b"450 4.2.1 "]), (b"RCPT TO:<a@x.example>\r\n", [b"250 "]),
        (b"DATA\r\n", [b"354 "]), (b"x\r\n.\r\n", [b"250 2.6.0 ", b"450 4.2.1 ", b"250 2.6.0 "]), (b"NOOP\r\n", [b"250 2.0.0 "]),
    ],
    "our trouble at RCPT is 451": [(HELLO, [b"250-"]), (b"MAIL FROM:<a@b.example>\r\n", [b"250 "]), (b"RCPT TO:<broken@x.example>\r\n", [b"451 4.3.0 "]), (b"DATA\r\n", [b"503 5.5.1 "])],
    "size declared too large": [(HELLO, [b"250-"]), (b"MAIL FROM:<a@b.example> SIZE=300001\r\n", [b"552 5.3.4 "]), (b"MAIL FROM:<a@b.example> SIZE=300000\r\n", [b"250 "])],
    "no hello": [(b"MAIL FROM:<a@b.example>\r\n", [b"503 5.5.1 "])],
    "not SMTP": [(b"EHLO x\r\n", [b"500 5.5.1 "]), (b"HELO x\r\n", [b"500 5.5.1 "])],
    "no recipients": [(HELLO, [b"250-"]), (b"MAIL FROM:<a@b.example>\r\nRCPT TO:<unknown@x.example>\r\nDATA\r\n", [b"250 ", b"550 5.1.1 ", b"503 5.5.1 "])],
    "order": [(HELLO, [b"250-"]), (b"RCPT TO:<a@b.example>\r\n", [b"503 5.5.1 "]), (b"MAIL FROM:<a@b.example>\r\n", [b"250 "]), (b"MAIL FROM:<a@b.example>\r\n", [b"503 5.5.1 "])],
    "reset": [(HELLO, [b"250-"]), (b"MAIL FROM:<a@b.example>\r\nRSET\r\nMAIL FROM:<>\r\n", [b"250 ", b"250 2.0.0 ", b"250 "])],
    "unreadable paths": [
        (HELLO, [b"250-"]), (b"MAIL FROM:a@b.example\r\n", [b"553 5.1.3 "]), (b"MAIL FROM:<a b@c.example>\r\n", [b"553 5.1.3 "]), (b"MAIL FROM:<a\x00@c.example>\r\n", [b"553 5.1.3 "]),
        (b"MAIL FROM:<" + b"(" * 1500 + b">\r\n", [b"553 5.1.3 "]), (b"MAIL\r\n", [b"501 5.5.4 "]), (b"MAIL FROM:<a@b.example> FOO=1\r\n", [b"555 5.5.4 "]),
    ],
    "readable paths": [
        (HELLO, [b"250-"]), (b"MAIL FROM:<@relay.example:a@b.example>\r\n", [b"250 "]), (b'RCPT TO:<"a b"@c.example>\r\n', [b"250 "]),
        ("RCPT TO:<é@bücher.example>\r\n".encode(), [b"250 "]), (b"RCPT TO:<\xff\xfe@x.example>\r\n", [b"250 "]),
    ],
    "long command": [(HELLO, [b"250-"]), (b"NOOP " + b"x" * 400_000 + b"\r\n", [b"500 5.5.1 "]), (b"NOOP\r\n", [b"250 "])],
    "unknown commands": [(b"HELP\r\n", [b"500 5.5.1 "]), (b"AUTH PLAIN\r\n", [b"500 5.5.1 "]), (b"STARTTLS\r\n", [b"500 5.5.1 "]), (b"VRFY <a@b.example>\r\n", [b"252 "])],
}  # fmt: skip


@pytest.mark.parametrize("dialogue", DIALOGUES.values(), ids=DIALOGUES)
def test_dialogue(dialogue: list[tuple[bytes, list[bytes]]]) -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        assert (await client.hear())[0].startswith(b"220 ")
        for said, expected in dialogue:
            heard = await client.say(said, len(expected))
            assert all(line.startswith(begin) for line, begin in zip(heard, expected, strict=True)), (said[:80], heard)

    play(scene)


def test_what_is_announced() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.hear()
        client.writer.write(HELLO)
        assert {line[4:] for line in await client.hear()} == {b"lists.example", b"PIPELINING", b"SIZE 300000", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES"}

    play(scene)


BODIES = {
    "empty": (b".\r\n", b""),
    "one empty line": (b"\r\n.\r\n", b"\r\n"),
    "many empty lines": (b"\r\n" * 1000 + b".\r\n", b"\r\n" * 1000),
    "dots": (b"..\r\n...\r\n..a\r\n.\r\n", b".\r\n..\r\n.a\r\n"),
    "dot first in the line, not doubled": (b".a\r\nb\r\n.\r\n", b"a\r\nb\r\n"),
    "bare line feeds": (b"a\n.\nb\n.\n\n..\n\r\n.\r\n", b"a\n.\nb\n.\n\n..\n\r\n"),
    "LF dot CRLF": (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n"),
    "CRLF dot LF": (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n"),
    "CR dot CR": (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n"),
    "CR dot CRLF": (b"a\r.\r\nb\r\n.\r\n", b"a\r.\r\nb\r\n"),
    "CRLF dot CR": (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n"),
    "CR CR LF dot CR CR LF": (b"a\r\r\n.\r\r\nb\r\n.\r\n", b"a\r\r\n\r\r\nb\r\n"),
    "LF LF dot LF LF": (b"a\n\n.\n\nb\r\n.\r\n", b"a\n\n.\n\nb\r\n"),
    "NUL dot": (b"a\r\n\x00.\r\n.\x00\r\nb\r\n.\r\n", b"a\r\n\x00.\r\n\x00\r\nb\r\n"),
    "commands of a smuggler": (b"x\n.\nMAIL FROM:<evil@x.example>\nRCPT TO:<a@x.example>\nDATA\nx\n.\n\r\n.\r\n", b"x\n.\nMAIL FROM:<evil@x.example>\nRCPT TO:<a@x.example>\nDATA\nx\n.\n\r\n"),
    "every octet": (bytes(range(256)) * 4 + b"\r\n.\r\n", bytes(range(256)) * 4 + b"\r\n"),
    "line of 200,000 octets": (b"x" * 200_000 + b"\r\n.\r\n", b"x" * 200_000 + b"\r\n"),
}


@pytest.mark.parametrize("cut", [0, 1, 3], ids=["whole", "octet by octet", "three by three"])
@pytest.mark.parametrize(("wire", "message"), BODIES.values(), ids=BODIES)
def test_the_data_end_at_crlf_dot_crlf_and_nowhere_else(wire: bytes, message: bytes, cut: int) -> None:
    if cut and len(wire) > 5000:
        wire, message = wire[:2000] + wire[-5:], message[:2000] + b"\r\n"

    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        client.writer.get_extra_info("socket").setsockopt(6, 1, 1)  # TCP_NODELAY: the pieces arrive as pieces
        await client.begin(b"amis@lists.example")
        for start in range(0, len(wire), cut or len(wire)):
            client.writer.write(wire[start : start + (cut or len(wire))])
            await client.writer.drain()
            if cut:
                await asyncio.sleep(0)
        assert (await client.say(b"NOOP\r\n", 2)) == [b"250 2.6.0 Taken", b"250 2.0.0 OK"]

    assert play(scene).taken == [(message, "anna@members.example", ("amis@lists.example",))]


def test_commands_sent_with_the_data_are_answered_in_their_order() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        one = b"MAIL FROM:<%d@b.example>\r\nRCPT TO:<amis@lists.example>\r\nDATA\r\n%d\r\n.\r\n"
        client = await connect()
        await client.hear()
        heard = await client.say(HELLO + b"".join(one % (n, n) for n in range(50)) + b"QUIT\r\n", 1 + 50 * 4 + 1)
        assert [line[:3] for line in heard[1:]] == [b"250", b"250", b"354", b"250"] * 50 + [b"221"]

    assert [(raw, sender) for raw, sender, _ in play(scene).taken] == [(b"%d\r\n" % n, f"{n}@b.example") for n in range(50)]


@pytest.mark.parametrize("extra", [0, 1])
def test_over_size_is_told_to_each_recipient_and_the_connection_goes_on(extra: int) -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example", b"b@x.example")
        body = (b"x" * 98 + b"\r\n") * (MAX // 100)
        body = body[:-2] + b"y" * extra + b"\r\n"
        heard = await client.say(body + b".\r\n", 2)
        assert [line[:9] for line in heard] == ([b"552 5.3.4"] if extra else [b"250 2.6.0"]) * 2
        await client.again(b"a@x.example")
        assert await client.say(b"small\r\n.\r\n") == [b"250 2.6.0 Taken"]

    assert [len(raw) for raw, *_ in play(scene).taken] == ([7] if extra else [MAX, 7])


def test_doubled_dots_do_not_count() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example")
        line = b"." + b"x" * 97 + b"\r\n"
        assert await client.say((b"." + line) * (MAX // 100) + b".\r\nNOOP\r\n..\r\n", 2) == [b"250 2.6.0 Taken", b"250 2.0.0 OK"]

    assert [len(raw) for raw, *_ in play(scene).taken] == [MAX]


def test_far_over_size_is_read_to_its_end_without_being_kept() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example")
        for _ in range(100):
            client.writer.write(b"z" * 100_000 + b"\r\n")
            await client.writer.drain()
            assert listener.room.used <= 2 * MAX
        assert (await client.say(b".\r\n"))[0].startswith(b"552 5.3.4 ")

    assert play(scene).taken == []


def boom() -> None:
    raise RuntimeError("a bug")


@pytest.mark.parametrize("fault", [boom, lambda: [], lambda: [(250, "2.6.0 Taken")]], ids=["exception", "no answers", "too few answers"])
def test_a_bug_of_ours_is_451_for_each_recipient(fault: Callable[[], Any]) -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        desk.fault = fault
        client = await connect()
        await client.begin(b"a@x.example", b"b@x.example", b"c@x.example")
        assert [line[:9] for line in await client.say(b"x\r\n.\r\n", 3)] == [b"451 4.3.0"] * 3
        desk.fault = lambda: None
        await client.again(b"a@x.example")
        assert await client.say(b"x\r\n.\r\n") == [b"250 2.6.0 Taken"]

    play(scene)


def test_too_many_recipients_wait_for_the_next_transaction() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.hear()
        heard = await client.say(HELLO + b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%d@x.example>\r\n" % n for n in range(MAX_RECIPIENTS + 1)), MAX_RECIPIENTS + 3)
        assert [line[:3] for line in heard] == [b"250"] * (MAX_RECIPIENTS + 2) + [b"452"]
        assert [line[:3] for line in await client.say(b"DATA\r\nx\r\n.\r\n", MAX_RECIPIENTS + 1)] == [b"354"] + [b"250"] * MAX_RECIPIENTS

    play(scene)


def test_the_null_sender_is_empty() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example", sender=b"")
        await client.say(b"x\r\n.\r\n")

    assert play(scene).taken[0][1] == ""


def test_half_a_message_is_never_taken() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example")
        client.writer.write(b"Subject: x\r\n\r\nhalf\r\n.\r")
        client.writer.write_eof()
        assert await client.closed()

    assert play(scene).taken == []


def test_who_only_listens_any_more_still_hears_the_answer() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example")
        desk.gate.clear()
        client.writer.write(b"whole\r\n.\r\n")
        client.writer.write_eof()
        await desk.entered.wait()
        desk.gate.set()
        assert await client.hear() == [b"250 2.6.0 Taken"]
        assert await client.closed()

    assert [raw for raw, *_ in play(scene).taken] == [b"whole\r\n"]


def test_who_leaves_while_a_message_is_taken_leaves_nothing_behind() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example")
        desk.gate.clear()
        client.writer.write(b"whole\r\n.\r\n")
        await desk.entered.wait()
        client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not only FIN
        client.writer.transport.abort()
        while listener.sessions:
            await asyncio.sleep(0)
        assert listener.room.used
        desk.gate.set()
        while listener.room.used:
            await asyncio.sleep(0)

    assert len(play(scene).taken) == 1


def test_memory_is_bounded_over_all_sessions() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        desk.gate.clear()
        hogs = [await connect() for _ in range(2)]
        for hog in hogs:
            await hog.begin(b"a@x.example")
            hog.writer.write(b"x" * (MAX - 2) + b"\r\n.\r\n")
        while listener.room.used < 2 * MAX:
            await asyncio.sleep(0)
        late = await connect()
        await late.begin(b"a@x.example", b"b@x.example")
        assert [line[:9] for line in await late.say(b"y" * 1000 + b"\r\n.\r\n", 2)] == [b"451 4.3.1"] * 2
        desk.gate.set()
        assert [(await hog.hear())[0][:3] for hog in hogs] == [b"250", b"250"]

    play(scene, room=2 * MAX, patience=0.1)


def test_a_message_without_room_waits_for_others_to_be_finished() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        desk.gate.clear()
        hogs = [await connect() for _ in range(2)]
        for hog in hogs:
            await hog.begin(b"a@x.example")
            hog.writer.write(b"x" * (MAX - 2) + b"\r\n.\r\n")
        while listener.room.used < 2 * MAX:
            await asyncio.sleep(0)
        late = await connect()
        await late.begin(b"a@x.example")
        late.writer.write(b"y" * (MAX - 2) + b"\r\n.\r\n")
        desk.gate.set()
        assert [(await client.hear())[0][:3] for client in (*hogs, late)] == [b"250"] * 3

    play(scene, room=2 * MAX)


def test_one_connection_too_many_is_told_to_come_back() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        clients = [await connect() for _ in range(3)]
        greetings = [(await client.hear())[0] for client in clients]
        assert [line[:3] for line in greetings] == [b"220", b"220", b"421"]
        assert await clients[2].closed()

    play(scene, connections=2)


def test_who_says_nothing_is_closed() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        silent, slow = await connect(), await connect()
        await silent.hear()
        await slow.begin(b"a@x.example")
        assert await silent.closed()
        assert await slow.closed()

    play(scene, idle=1.5)


def test_draining_ends_what_runs_and_refuses_what_is_new() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        idle, running, waiting = await connect(), await connect(), await connect()
        await idle.hear()
        await running.begin(b"a@x.example")
        desk.gate.clear()
        await waiting.begin(b"b@x.example")
        waiting.writer.write(b"before\r\n.\r\n")
        await desk.entered.wait()
        closing = asyncio.create_task(listener.close(20))
        assert (await idle.hear())[0].startswith(b"421 4.3.2 ")
        late = await connect()
        assert (await late.hear())[0].startswith(b"421 4.3.2 ")
        assert not closing.done()
        desk.gate.set()
        assert [line[:3] for line in await running.say(b"during\r\n.\r\n", 2)] == [b"250", b"421"]
        assert [(await waiting.hear())[0][:3] for _ in range(2)] == [b"250", b"421"]
        await closing

    assert sorted(raw for raw, *_ in play(scene).taken) == [b"before\r\n", b"during\r\n"]


def test_draining_does_not_wait_for_ever() -> None:
    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.begin(b"a@x.example")
        await listener.close(0.2)
        assert await client.closed()

    assert play(scene).taken == []


def test_replies_carry_enhanced_status_codes() -> None:
    """RFC 2034: every 2xx, 4xx and 5xx but the greeting and the answer to LHLO."""

    async def scene(desk: Desk, listener: Listener, connect: Callable[[], Awaitable[Client]]) -> None:
        client = await connect()
        await client.hear()
        await client.say(HELLO)
        for command in (b"NOOP", b"RSET", b"MAIL FROM:<a@b.example>", b"RCPT TO:<a@b.example>", b"RCPT TO:", b"FOO", b"", b"RSET", b"DATA", b"QUIT"):
            heard = (await client.say(command + b"\r\n"))[0]
            assert re.match(rb"([245])\d\d \1\.\d{1,3}\.\d{1,3} ", heard), (command, heard)

    play(scene)
