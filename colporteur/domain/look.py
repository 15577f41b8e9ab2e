"""How an organisation looks: from one colour come those of its pages and letters, each readable in light and in dark.

Source: WCAG 2.2, relative luminance and contrast ratio; 1.4.3 (text, 4.5 to 1) and 1.4.11 (what is no text, 3 to 1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

TEXT, LINE = 4.5, 3.0
_COLOUR = re.compile(r"#?([0-9a-f]{6})")
_STEP = 0.04


class _Ground(NamedTuple):
    """What pages are drawn on: paper, well, ink, what stands on a coloured button, and the end colours are moved to."""

    paper: str
    well: str
    ink: str
    on: str
    end: str
    cover: float  # parts of the colour in the band, 0 to 1
    pale: float


_LIGHT = _Ground("#ffffff", "#f2f5f7", "#16212b", "#ffffff", "#000000", 0.24, 0.11)
_DARK = _Ground("#12191f", "#1a232b", "#e9eef1", "#0d1a24", "#ffffff", 0.2, 0.14)


class Tones(NamedTuple):
    """Colours as ``#rrggbb``: the band, its line, links and buttons, the same pressed, and a pale ground."""

    cover: str
    filet: str
    blue: str
    strong: str
    pale: str


def colour(text: str) -> str:
    """A colour as ``rrggbb``, "" for none. Raises ``Invalid``."""
    word = text.strip().lower()
    if not word:
        return ""
    if not (found := _COLOUR.fullmatch(word)):
        raise Invalid(_("%(text)r is not a colour: write it like #134a72"), text=text.strip()[:20])
    return found[1]


def light(base: str) -> Tones:
    """Tones of ``rrggbb`` on white paper."""
    return _tones(f"#{base}", _LIGHT)


def dark(base: str) -> Tones:
    """The same on dark paper."""
    return _tones(f"#{base}", _DARK)


def style(base: str) -> str:
    """A stylesheet that gives pages these colours in place of the product's own (``web/static/colporteur.css``)."""
    return f":root {{ {_properties(light(base))} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {_properties(dark(base))} }} }}\n"


def contrast(one: str, other: str) -> float:
    """Ratio of two colours ``#rrggbb``, 1 to 21."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _tones(base: str, ground: _Ground) -> Tones:
    readable = _until(base, ground.end, lambda tone: all(contrast(tone, under) >= TEXT for under in (ground.paper, ground.well, ground.on)))
    seed = readable if ground is _DARK else base
    cover = _until(mixed(seed, ground.paper, ground.cover), ground.paper, lambda tone: contrast(tone, ground.ink) >= 7)
    pale = _until(mixed(seed, ground.paper, ground.pale), ground.paper, lambda tone: contrast(tone, ground.ink) >= 10)
    text = _until(readable, ground.end, lambda tone: all(contrast(tone, under) >= TEXT for under in (pale, cover)))
    filet = _until(base, ground.end, lambda tone: contrast(tone, ground.paper) >= LINE)
    return Tones(cover, filet, text, mixed(text, ground.end, 0.72), pale)


def _until(tone: str, end: str, enough: Callable[[str], bool]) -> str:
    """The tone, moved towards ``end`` step by step until it is enough."""
    share = 1.0
    found = tone
    while not enough(found) and share > 0:
        share -= _STEP
        found = mixed(tone, end, max(share, 0.0))
    return found


def mixed(one: str, other: str, share: float) -> str:
    """``share`` parts of one colour, the rest of the other."""
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in zip(_channels(one), _channels(other), strict=True))


def _channels(tone: str) -> tuple[int, ...]:
    return tuple(int(tone[at : at + 2], 16) for at in (1, 3, 5))


def _luminance(tone: str) -> float:
    red, green, blue = (part / 12.92 if (part := channel / 255) <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for channel in _channels(tone))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _properties(tones: Tones) -> str:
    return f"--cover: {tones.cover}; --filet: {tones.filet}; --blue: {tones.blue}; --blue-strong: {tones.strong}; --blue-pale: {tones.pale};"
