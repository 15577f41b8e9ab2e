"""Logos people upload: bounded, written anew, nothing but pictures."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from colporteur.domain.words import Invalid
from colporteur.mail import logo


def picture(kind: str, size: tuple[int, int], **more: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, kind, **more)
    return out.getvalue()


@pytest.mark.parametrize("kind", logo.KINDS)
def test_a_large_picture_becomes_a_small_png(kind: str) -> None:
    made = logo.read(picture(kind, (900, 300)))
    assert made.png.startswith(b"\x89PNG") and (made.width, made.height) == (336, 112) and len(made.png) < 40_000


def test_a_small_logo_is_not_blown_up_and_what_the_camera_wrote_into_it_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "secret place", 6
    made = logo.read(picture("JPEG", (80, 40), exif=exif))
    assert (made.width, made.height) == (40, 80)  # turned as the camera said
    assert b"secret" not in made.png and Image.open(io.BytesIO(made.png)).info == {}


def test_code_hidden_behind_the_picture_does_not_come_along() -> None:
    assert b"<script" not in logo.read(picture("PNG", (20, 20)) + b"<script>alert(1)</script>").png


def _huge() -> bytes:
    """A PNG that says it has a thousand million pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 25_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + picture("PNG", (1, 1))[33:]


@pytest.mark.parametrize(("data", "why"), [
    (b"", "no picture"), (b"GIF89a", "no picture"), (picture("PNG", (90, 90))[:200], "no picture"), (picture("BMP", (9, 9)), "no picture"),
    (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "SVG"), (b'<?xml version="1.0"?>\n<!-- x --><svg/>', "SVG"),
    (b"\0" * (logo.MOST_BYTES + 1), "too large"), (_huge(), "pixel|no picture"),
])  # fmt: skip
def test_what_is_no_logo_is_refused_with_what_to_upload(data: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        logo.read(data)
