"""Pictures for newsletters: read within bounds and written anew, so that nothing of the file's own reaches a reader."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image, ImageOps, ImageSequence

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.mail.logo import KINDS, UNREADABLE

MOST_BYTES = 12 * 1024 * 1024
MOST_PIXELS = 40_000_000
WIDEST, HIGHEST = 1600, 4000
"""Pixels a picture is made to fit in: a newsletter is 600 wide, fine screens show twice that."""
_MOST_FRAMES, _MOST_MOVING = 150, 40_000_000
_HEAVY = 400 * 1024  # bytes: a photograph someone saved as PNG


class Picture(NamedTuple):
    """A file made by us: PNG, JPEG, or GIF for what moves; size in pixels."""

    data: bytes
    content_type: str
    width: int
    height: int


def read(data: bytes) -> Picture:
    """A picture from the bytes of a PNG, JPEG, WebP or GIF. Raises ``Invalid`` saying what to upload.

    A JPEG is decoded at the size that is wanted, so that sixteen megapixels from a telephone cost little.
    """
    if len(data) > MOST_BYTES:
        raise Invalid(_("this picture is too large: at most %(most)s MB"), most=MOST_BYTES // 1024**2)
    if b"<svg" in data[:4096].lower() or data[:5].lower() == b"<?xml":
        raise Invalid(_("SVG pictures are not taken, mail programs do not show them: upload PNG, JPEG, WebP or GIF"))
    try:
        with Image.open(io.BytesIO(data), formats=KINDS) as image:
            most = MOST_PIXELS if image.format == "JPEG" else MOST_PIXELS // 2
            if image.width * image.height > most:
                raise Invalid(_("this picture has too many pixels: %(most)s million at most"), most=most // 10**6)
            if image.format == "GIF" and getattr(image, "is_animated", False):
                return _moving(image)
            image.draft("RGB", (WIDEST, HIGHEST))
            return _still(image)
    except Invalid:
        raise
    except UNREADABLE as error:
        raise Invalid(_("this is no picture that can be read: upload PNG, JPEG, WebP or GIF")) from error


def _still(image: Image.Image) -> Picture:
    photograph = image.format == "JPEG"
    upright = ImageOps.exif_transpose(image)
    drawn = upright.convert("RGBA" if "A" in upright.getbands() or "transparency" in upright.info else "RGB")
    drawn.thumbnail((WIDEST, HIGHEST), Image.Resampling.LANCZOS)
    if not photograph:
        png = _written(drawn, "PNG", optimize=True)
        if len(png) <= _HEAVY or drawn.mode == "RGBA":
            return Picture(png, "image/png", drawn.width, drawn.height)
    return Picture(_written(drawn.convert("RGB"), "JPEG", quality=82, optimize=True, progressive=True), "image/jpeg", drawn.width, drawn.height)


def _moving(image: Image.Image) -> Picture:
    """Its pictures written again one by one; one that never ends, or is too much for a telephone, is refused."""
    frames: list[Image.Image] = []
    pixels, durations = 0, []
    for frame in ImageSequence.Iterator(image):
        pixels += frame.width * frame.height
        if len(frames) == _MOST_FRAMES or pixels > _MOST_MOVING or frame.width > WIDEST:
            raise Invalid(_("this animation is too long or too large: at most %(frames)s pictures, %(wide)s pixels wide"), frames=_MOST_FRAMES, wide=WIDEST)
        durations.append(max(20, min(int(frame.info.get("duration", 100)), 10_000)))
        frames.append(frame.convert("RGBA"))
    made = _written(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, disposal=2)
    return Picture(made, "image/gif", frames[0].width, frames[0].height)


def _written(image: Image.Image, kind: str, **options: object) -> bytes:
    clean = Image.new(image.mode, image.size)  # nothing it carries beside its pixels comes along
    clean.paste(image)
    out = io.BytesIO()
    clean.save(out, kind, **options)
    return out.getvalue()
