"""Markdown as HTML: CommonMark with tables and struck words; tags written in it are shown, not obeyed."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from colporteur.mail.campaigns.plain import linked
from colporteur.mail.campaigns.shelter import Shelter

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "typographer": False, "maxNesting": 30}).enable(["table", "strikethrough"])
_TAG = re.compile(r"(<[^<>]*>)")


def to_html(source: str, held: Shelter) -> str:
    """A body part of a source whose fields are ``held``. Conditions and loops alone on their line stand between paragraphs, not in one of their own."""
    alone = "|".join(f"{held.word}{number}x" for number, field in enumerate(held.fields) if field.startswith(("{%", "{#")))
    source = re.sub(rf"(?m)^(?:{alone})[ \t]*$", r"\n\g<0>\n", source) if alone else source
    made = str(_MARKDOWN.render(source))
    return _linked(re.sub(rf"<p>((?:(?:{alone})\s*)+)</p>", r"\1", made) if alone else made)


def _linked(html: str) -> str:
    """With addresses of the web that are written out to click on, but for those that are in a link or in code."""
    pieces, inside = [], 0
    for piece in _TAG.split(html):
        if piece.startswith(("<a ", "<code", "<pre")):
            inside += 1
        elif piece in ("</a>", "</code>", "</pre>"):
            inside -= 1
        pieces.append(piece if inside or piece.startswith("<") else linked(piece))
    return "".join(pieces)
