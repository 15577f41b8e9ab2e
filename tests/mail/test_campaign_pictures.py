"""Pictures for newsletters: bounded, rewritten, and bombs refused before they go off."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from colporteur.domain.words import Invalid
from colporteur.mail.campaigns import pictures


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims so many pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("kind", "mode", "expected"), [("PNG", "RGB", "image/png"), ("PNG", "RGBA", "image/png"), ("JPEG", "RGB", "image/jpeg"), ("WEBP", "RGBA", "image/png"), ("GIF", "P", "image/png")])
def test_every_kind_becomes_one_mail_programs_show(kind: str, mode: str, expected: str) -> None:
    made = pictures.read(saved(Image.new(mode, (40, 20)), kind))
    assert (made.content_type, made.width, made.height) == (expected, 40, 20)


def test_what_moves_goes_on_moving() -> None:
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "green", "blue")]
    made = pictures.read(saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200, comment=b"secret"))
    with Image.open(io.BytesIO(made.data)) as again:
        assert made.content_type == "image/gif" and getattr(again, "n_frames", 1) == 3 and "comment" not in again.info


@pytest.mark.parametrize("data", [
    b"", b"x", b"<svg onload=alert(1)>", b"<?xml version='1.0'?><svg/>", bomb(60_000, 60_000), bomb(8000, 8000), bomb(30, 30)[:44], b"\xff\xd8\xff\xe0" + bytes(200), b"GIF89a" + bytes(40),
    b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"MZ" + bytes(100), b"%PDF-1.4", bytes(pictures.MOST_BYTES + 1),
], ids=["nothing", "text", "svg", "xml", "bomb", "large", "cut", "jpeg", "gif", "webp", "program", "pdf", "heavy"])  # fmt: skip
def test_what_is_no_picture_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(Invalid):
        pictures.read(data)


@pytest.mark.parametrize("bound", ["_MOST_FRAMES", "_MOST_MOVING"])
def test_an_animation_without_end_is_refused(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.new("RGB", (20, 20), (number * 40, 0, 0)) for number in range(5)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pictures.read(data).content_type == "image/gif"
    monkeypatch.setattr(pictures, bound, 4 if bound == "_MOST_FRAMES" else 4 * 400)
    with pytest.raises(Invalid, match="animation"):
        pictures.read(data)
