"""Every real message beside the repository (../shared/data) and the bombs of our own through the whole floor."""

from __future__ import annotations

import email
import email.policy
import time
from pathlib import Path

import pytest

from colporteur.mail import parse, structure
from colporteur.mail.render import Rewriting, prepare

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
RULES = Rewriting(
    list_address="amap@list.example", list_title="Les Paniers du Saule", list_id="amap.list.example", language="fr", prefix="[amap]", footer="{list} — {name} <{email}>\n{unsubscribe}",
    unsubscribe_mailto="amap-unsubscribe+{token}@list.example", unsubscribe_url="https://list.example/u/{token}", post="amap@list.example",
)  # fmt: skip
TOKEN = "abcdefgh" * 3


def messages() -> list[Path]:
    return sorted(path for folder in ("messages", "mboxes", "bounces/msg") for path in (DATA / folder).rglob("*") if path.is_file())


def test_the_messages_are_there():
    if not DATA.is_dir():
        print(f"\nno {DATA}: real messages were not tried, only the samples in the tests")
        pytest.skip("real messages are not beside this clone")
    assert len(messages()) > 450


@pytest.mark.parametrize("path", messages(), ids=lambda path: str(path.relative_to(DATA)))
def test_a_real_message_passes_whole(path):
    raw = path.read_bytes()
    began = time.process_time()
    found = parse.skim(raw)
    shown = parse.readable(raw)
    prepared = prepare(raw, RULES)
    sent = prepared.copy_for("anna@example.org", "Ånna .", TOKEN)
    wire = prepared.wire_for("anna@example.org", "Ånna .", TOKEN)
    assert time.process_time() - began < 60, "what grows with the square of a text would take far longer, whatever the machine"
    assert found.size == len(raw) and "\x00" not in shown.text + shown.html
    lines = wire.split(b"\r\n")
    assert b"." not in lines and b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == sent
    head = sent.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= 998 for line in head)
    assert b"List-Id: Les Paniers du Saule <amap.list.example>" in head
    # Somebody else's parser agrees: same parts in the same order, and nothing of ours broke the message.
    before = email.message_from_bytes(structure.scan(raw).data)
    after = email.message_from_bytes(sent)
    kinds = [part.get_content_type() for part in before.walk()]
    others = [part.get_content_type() for part in after.walk()]
    assert others == kinds or others == ["multipart/mixed", *kinds, "text/plain"]
    check_signed(before, after)
    check_contents(before, after)


def check_signed(before: email.message.Message, after: email.message.Message) -> None:
    """What is signed or encrypted is the same, byte for byte."""
    for old, new in zip(protected(before), protected(after), strict=True):
        assert old == new


def protected(found: email.message.Message) -> list[bytes]:
    kinds = ("multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
    return [part.as_bytes(policy=email.policy.compat32.clone(linesep="\r\n")).partition(b"\r\n\r\n")[2] for part in found.walk() if part.get_content_type() in kinds]


def check_contents(before: email.message.Message, after: email.message.Message) -> None:
    """Every leaf decodes to the same bytes, the footer's own apart."""
    old = [part.get_payload(decode=True) for part in before.walk() if not part.is_multipart()]
    new = [part.get_payload(decode=True) for part in after.walk() if not part.is_multipart()]
    for mine, theirs in zip(old, new, strict=False):
        if mine != theirs:
            html = b'<div style="margin-top'
            if html in theirs:
                start, _, rest = theirs.partition(html)
                assert b"".join((start + rest.rpartition(b"</div>")[2]).split()) == b"".join(mine.split())
            else:
                assert theirs.replace(b"\r\n", b"\n").startswith(mine.replace(b"\r\n", b"\n"))
    assert len(new) - len(old) in (0, 1)


@pytest.mark.parametrize("path", [path for path in messages() if "signed" in path.name or "crypt" in path.name], ids=lambda path: path.name)
def test_protected_messages_are_seen_to_be(path):
    found = parse.skim(path.read_bytes())
    assert found.signed or found.encrypted or b"multipart/signed" not in path.read_bytes()
