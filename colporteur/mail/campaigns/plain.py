"""Plain text as HTML: paragraphs, line ends as they are, addresses to click on."""

from __future__ import annotations

import html
import re

_ADDRESS = re.compile(r"\bhttps?://[^\s<>\"'(){}\[\]]{1,2000}[^\s<>\"'(){}\[\].,;:!?]|\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}\b")
_EMPTY = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def to_html(source: str) -> str:
    """A body part."""
    text = source.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return "\n".join(f"<p>{linked(html.escape(part, quote=False)).replace(chr(10), '<br>')}</p>" for part in _EMPTY.split(text) if part.strip())


def linked(escaped: str) -> str:
    """Escaped text with the addresses in it to click on."""
    return _ADDRESS.sub(lambda found: f'<a href="{"" if found[0].lower().startswith("http") else "mailto:"}{found[0]}">{found[0]}</a>', escaped)
