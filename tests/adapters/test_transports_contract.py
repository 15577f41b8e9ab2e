"""What every kind of transport keeps, whatever it is. A new kind needs a place here or this fails."""

from __future__ import annotations

import contextlib
import email
import email.policy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from colporteur.adapters.transports import KINDS, Trouble, open_transport
from colporteur.domain.services import SERVICES
from tests.adapters.feeding import copy, feed_to, run, send
from tests.servers.ports import free_port
from tests.servers.services import KEYS, Services
from tests.servers.sink import Sink

Arrived = Callable[[], list[tuple[str, str, bytes]]]  # (sender, recipient, message without transport dots)


@contextlib.contextmanager
def _smtp(tmp_path: Path) -> Iterator[tuple[str, str, Arrived]]:
    with Sink() as sink:
        yield f"smtp://127.0.0.1:{sink.port}", f"smtp://127.0.0.1:{free_port()}", lambda: [(one.sender, one.recipient, _without_dots(one.data)) for one in sink.taken]


@contextlib.contextmanager
def _folder(tmp_path: Path) -> Iterator[tuple[str, str, Arrived]]:
    def arrived() -> list[tuple[str, str, bytes]]:
        found = []
        for path in sorted((tmp_path / "box").glob("*.eml")):
            sender, recipient, message = path.read_bytes().split(b"\r\n", 2)
            found.append((sender.decode()[14:-1], recipient.decode()[14:], message))
        return found

    (tmp_path / "file").write_text("in the way")
    yield f"folder://{tmp_path}/box", f"folder://{tmp_path}/file/box", arrived


def _service(kind: str) -> Callable[[Path], contextlib.AbstractContextManager[tuple[str, str, Arrived]]]:
    @contextlib.contextmanager
    def place(tmp_path: Path) -> Iterator[tuple[str, str, Arrived]]:
        with Services() as services:
            nowhere = f"{kind}://{KEYS.get(kind, 'secret')}@?api=http://127.0.0.1:{free_port()}/"
            yield services.url(kind), nowhere, lambda: [("", one.recipient, one.raw) for one in services.taken]

    return place


PLACES = {"smtp": _smtp, "folder": _folder, **{kind: _service(kind) for kind in SERVICES}}
SAME = {"smtps": "smtp"}  # only another way to say where
RAW = [kind for kind in KINDS if kind not in SAME and (kind not in SERVICES or kind in ("sparkpost", "mandrill"))]  # the server keeps what it got
NAMED = ("mailjet", "sparkpost", "mandrill")  # services whose requests the server reads


def _without_dots(data: bytes) -> bytes:
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in data.split(b"\r\n"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SAME])
class TestEveryKind:
    def test_each_copy_taken_is_settled_once_and_arrives_with_its_envelope(self, kind: str, tmp_path: Path) -> None:
        with PLACES[kind](tmp_path) as (url, _, arrived):
            sent = send(open_transport(url, 5), [copy(n, sender=f"b+{n}@lists.example") for n in range(1, 201)])
            assert sent.results() == ["SENT"] * 200 and len(arrived()) == 200
            if kind in SERVICES:  # which use their own envelope sender
                assert kind not in NAMED or {recipient for _, recipient, _ in arrived()} == {f"m{n}@members.example" for n in range(1, 201)}
                return
            assert sorted((sender, recipient) for sender, recipient, _ in arrived()) == sorted((f"b+{n}@lists.example", f"m{n}@members.example") for n in range(1, 201))

    def test_dots_at_the_beginning_of_lines_arrive_as_written(self, kind: str, tmp_path: Path) -> None:
        if kind not in RAW:
            pytest.skip("makes the message anew")
        with PLACES[kind](tmp_path) as (url, _, arrived):
            assert send(open_transport(url, 1), [copy(1, wire=b"From: a@lists.example\r\nSubject: x\r\n\r\n..\r\n...a\r\nb\r\n")]).results() == ["SENT"]
            assert [message.endswith(b"From: a@lists.example\r\nSubject: x\r\n\r\n.\r\n..a\r\nb\r\n") for _, _, message in arrived()] == [True]

    def test_an_unreachable_place_is_a_trouble_and_nothing_is_counted(self, kind: str, tmp_path: Path) -> None:
        with PLACES[kind](tmp_path) as (_, nowhere, arrived):
            sent = send(open_transport(nowhere, 2), [copy(n) for n in range(1, 6)])
            assert isinstance(sent.trouble, Trouble) and set(sent.results()) <= {"UNSENT"} and not arrived()
            with pytest.raises(Trouble):
                run(open_transport(nowhere, 1).check())

    def test_check_says_something_in_one_line(self, kind: str, tmp_path: Path) -> None:
        with PLACES[kind](tmp_path) as (url, _, arrived):
            words = run(open_transport(url, 1).check())
            assert words.strip() and "\n" not in words and not arrived()

    def test_may_be_run_again_after_a_pause(self, kind: str, tmp_path: Path) -> None:
        async def work() -> None:
            transport = open_transport(url, 2)
            for first in (1, 11, 21):
                assert (await feed_to(transport, [copy(n) for n in range(first, first + 10)])).results() == ["SENT"] * 10
            await transport.close()

        with PLACES[kind](tmp_path) as (url, _, arrived):
            run(work())
            assert len(arrived()) == 30 and (kind not in RAW or all(email.message_from_bytes(message, policy=email.policy.SMTP)["Subject"] == "n" for _, _, message in arrived()))
