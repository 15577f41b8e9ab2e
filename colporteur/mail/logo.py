"""Logos people upload: read within bounds, and written anew, so that nothing of the file's own reaches a browser."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

MOST_BYTES = 2 * 1024 * 1024
MOST_PIXELS = 16_000_000
KINDS = ("PNG", "JPEG", "WEBP", "GIF")
UNREADABLE = (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError, MemoryError, IndexError, TypeError)
"""What the library raises for files that are broken or made to harm."""
BOX = (360, 112)
"""Pixels it is made to fit in: twice what pages show, for fine screens."""
_HEAVY = 24 * 1024  # bytes; a page for a phone stays under 50 KB


class Logo(NamedTuple):
    """A PNG made by us, its size in pixels."""

    png: bytes
    width: int
    height: int


def read(data: bytes) -> Logo:
    """A logo from the bytes of a PNG, JPEG, WebP or GIF (its first picture). Raises ``Invalid`` saying what to upload."""
    if len(data) > MOST_BYTES:
        raise Invalid(_("this file is too large for a logo: at most %(most)s MB"), most=MOST_BYTES // 1024**2)
    if b"<svg" in data[:4096].lower() or data[:5].lower() == b"<?xml":
        raise Invalid(_("SVG files are not taken, they can hold programs: upload the logo as PNG, JPEG, WebP or GIF"))
    try:
        with Image.open(io.BytesIO(data), formats=KINDS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Invalid(_("this picture has too many pixels for a logo: 4000 by 4000 at most"))
            drawn = ImageOps.exif_transpose(image).convert("RGBA")
    except Invalid:
        raise
    except UNREADABLE as error:
        raise Invalid(_("this is no picture that can be read: upload the logo as PNG, JPEG, WebP or GIF")) from error
    drawn.thumbnail(BOX, Image.Resampling.LANCZOS)
    png = _written(drawn)
    if len(png) > _HEAVY:
        png = _written(drawn.quantize(64, method=Image.Quantize.FASTOCTREE))
    return Logo(png, drawn.width, drawn.height)


def _written(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
