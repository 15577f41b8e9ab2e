"""Stylesheets and style attributes of others, made harmless: what is kept is what is known, piece by piece.

Nothing of it loads, covers or runs. Rules are for the inliner; rules for a dark screen or a phone stay together in a style element.
Sources: CSS Syntax 3, Media Queries 5; caniemail.com for what mail programs heed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_PROPERTIES = frozenset(
    "align-items background background-color border border-block border-bottom border-bottom-color border-bottom-left-radius border-bottom-right-radius border-bottom-style border-bottom-width "
    "border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius border-right border-right-color border-right-style border-right-width border-spacing "
    "border-style border-top border-top-color border-top-left-radius border-top-right-radius border-top-style border-top-width border-width box-shadow box-sizing caption-side clear color color-scheme "
    "direction display empty-cells flex flex-direction flex-wrap float font font-family font-feature-settings font-size font-style font-variant font-weight gap height hyphens justify-content letter-spacing line-height "
    "list-style list-style-position list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width min-height min-width object-fit opacity outline overflow overflow-wrap "
    "padding padding-bottom padding-left padding-right padding-top quotes table-layout text-align text-decoration text-decoration-color text-decoration-line text-indent text-overflow text-transform "
    "text-underline-offset unicode-bidi vertical-align visibility white-space width word-break word-spacing word-wrap -webkit-text-size-adjust -ms-text-size-adjust -webkit-font-smoothing "
    "-ms-interpolation-mode mso-hide mso-line-height-rule mso-padding-alt mso-table-lspace mso-table-rspace mso-text-raise mso-border-alt mso-font-width mso-style-priority".split()
)  # fmt: skip
_VALUE = re.compile(r"(?:[\w\s#%.,!+*/()-]|\"[\w\s.,'-]{0,100}+\"|'[\w\s.,-]{0,100}+'){1,500}+")
_FUNCTION = re.compile(r"([\w-]*)\(")
_FUNCTIONS = frozenset("rgb rgba hsl hsla calc min max clamp linear-gradient light-dark".split())
_SELECTOR = re.compile(r"[\w\s.#:,>+~*\[\]=\"'^$|()-]{1,500}")
_QUERY = re.compile(r"[\w\s():,.<=>/-]{1,200}")
_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+(?:\*/|$)|<!--|-->")
_DROPPED = 50
_MARK = re.compile(r"[{};]")


class Sheet(NamedTuple):
    """``rules`` for every screen, and ``special`` ones inside their ``@media``."""

    rules: str
    special: str
    dropped: tuple[str, ...] = ()  # what of it was not kept, in a few words each


def declarations(text: str, dropped: list[str] | None = None) -> str:
    """The harmless ones among ``color: red; position: fixed``; the others are added to ``dropped``."""
    kept = []
    for one in text[:20_000].split(";"):
        name, colon, value = one.partition(":")
        name, value = name.strip().lower(), value.strip()
        if colon and name in _PROPERTIES and _VALUE.fullmatch(value) and all(function.lower() in _FUNCTIONS for function in _FUNCTION.findall(value)):
            kept.append(f"{name}:{value}")
        elif dropped is not None and one.strip() and len(dropped) < _DROPPED:
            dropped.append(name if name not in _PROPERTIES else f"{name}: {value}")
    return ";".join(kept)


def sheet(css: str) -> Sheet:
    """The harmless rules of a stylesheet. ``@import``, ``@font-face`` and whatever else begins with ``@`` go, but for ``@media``."""
    dropped: list[str] = []
    css = _COMMENT.sub(" ", css.replace("\x00", ""))
    rules: list[str] = []
    special: list[str] = []
    at = 0
    while mark := _MARK.search(css, at):
        prelude = css[at : mark.start()].strip()
        at = mark.end()
        if mark[0] != "{":
            if prelude.startswith("@"):
                dropped.append(prelude.split()[0])
            continue  # an at-rule without a block, or a stray end
        end = _end(css, at)
        block, at = css[at:end], end + 1
        if prelude.lower().startswith("@media"):
            query = " ".join(prelude[6:].split())
            found = sheet(block) if "@" not in block else Sheet("", "")
            inner = found.rules
            dropped += found.dropped
            if inner and "<" not in query.replace("<=", "") and _QUERY.fullmatch(query):
                special.append(f"@media {query}{{ {inner}}}")  # {# would begin a remark among fields
        elif not prelude.startswith("@") and "{" not in block:
            rules.append(_rule(prelude, block, dropped))
        elif prelude.startswith("@"):
            dropped.append(prelude.split()[0])
    return Sheet("".join(rules), "".join(special), tuple(dropped[:_DROPPED]))


def _rule(selector: str, block: str, dropped: list[str]) -> str:
    kept = declarations(block, dropped)
    return f"{' '.join(selector.split())}{{{kept}}}" if kept and _SELECTOR.fullmatch(selector) else ""


def _end(css: str, at: int) -> int:
    """Where the block that began before ``at`` ends."""
    depth = 1
    for mark in re.compile(r"[{}]").finditer(css, at):
        depth += 1 if mark[0] == "{" else -1
        if not depth:
            return mark.start()
    return len(css)
