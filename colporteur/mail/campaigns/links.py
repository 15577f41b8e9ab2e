"""Links of a newsletter that are counted: found in what was composed, and put in the place of their addresses.

Only http and https, and only addresses that are the same for everybody: an address with a field in it names a reader, and stays
as it is. So do mail addresses, places within the page, and what stands in no ``href``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import NamedTuple

READER_MARK = "{{reader_mark}}"
"""The field behind an address that may name its reader (``mail.campaigns.fields``)."""

_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<[a-z/](?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+>", re.IGNORECASE | re.DOTALL)  # any: what looks like a link within another tag is none
_LINK = re.compile(r"(?i)<(?:a|area)\s")
_HREF = re.compile(r"(?<=[\s\"'])href\s*=\s*(?:\"([^\"]*+)\"|'([^']*+)')", re.IGNORECASE)
_FIELD = re.compile(r"\{\{|\{%|%7B%7B|%7B%25|@[A-Za-z_]\w*@|#ENV\{", re.IGNORECASE)
_PLAIN = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
_AFTER = ".,;:!?)]}»”"  # at the end of an address in a sentence it is not part of it
_MOST = 2000  # characters: what every mail program and server takes
_WORDS = 200


class Link(NamedTuple):
    """An address readers can follow, and the words they see for it."""

    url: str
    words: str


def links_of(source: str) -> list[Link]:
    """Each address of an HTML part that can be counted, once, in the order of the page."""
    found: dict[str, str] = {}
    for tag in _TAG.finditer(source):
        url = _url_of(tag.group())
        if url and not found.get(url):
            found[url] = _words(source[tag.end() : tag.end() + 4000]) if tag.group()[2].isspace() else ""
    return [Link(url, words) for url, words in found.items()]


def links_of_text(source: str) -> list[Link]:
    """Each address of a plain text that can be counted, once; it has no other words."""
    return [Link(url, "") for url in dict.fromkeys(_plain(found.group()) for found in _PLAIN.finditer(source)) if _counts(url)]


def tracked(source: str, addresses: Mapping[str, str], pixel: str = "") -> str:
    """The HTML part with ``addresses`` (as ``links_of`` has them -> what is counted) replaced, and at the end an image of one
    point whose address is ``pixel``, "" for none."""
    counted = _TAG.sub(lambda tag: _replaced(tag.group(), addresses), source)
    if not pixel:
        return counted
    image = f'<img src="{html.escape(pixel)}" width="1" height="1" alt="" style="display:block;border:0">'
    head, end, rest = counted.rpartition("</body>")
    return f"{head}{image}{end}{rest}" if end else counted + image


def tracked_text(source: str, addresses: Mapping[str, str]) -> str:
    """The plain text with ``addresses`` replaced."""

    def replaced(found: re.Match[str]) -> str:
        url = _plain(found.group())
        return addresses.get(url, url) + found.group()[len(url) :]

    return _PLAIN.sub(replaced, source)


def _counts(url: str) -> bool:
    return bool(re.match(r"(?i)https?://[^\s/?#]", url)) and len(url) <= _MOST and url.isprintable() and not _FIELD.search(url)


def _url_of(tag: str) -> str:
    """The address of a link that can be counted, else ""."""
    href = _HREF.search(tag) if _LINK.match(tag) else None
    url = html.unescape(href[1] if href[1] is not None else href[2]).strip() if href else ""
    return url if _counts(url) else ""


def _replaced(tag: str, addresses: Mapping[str, str]) -> str:
    url = _url_of(tag)
    if url not in addresses:
        return tag
    href = _HREF.search(tag)
    assert href
    return f'{tag[: href.start()]}href="{html.escape(addresses[url])}"{tag[href.end() :]}'


def _words(after: str) -> str:
    """What stands between a link and its end: text, else the words in the place of an image."""
    inside = re.split(r"(?i)</a\b", after, maxsplit=1)[0]
    text = re.sub(r"<[^<>]*+>?", " ", inside)
    if not html.unescape(text).strip():
        alt = re.search(r"(?i)\balt\s*=\s*(?:\"([^\"]*+)\"|'([^']*+)')", inside)
        text = (alt[1] or alt[2] or "") if alt else ""
    return re.sub(r"\s+", " ", html.unescape(text)).strip()[:_WORDS]


def _plain(found: str) -> str:
    """An address in a text without the signs of its sentence."""
    while found and found[-1] in _AFTER and not (found[-1] == ")" and found.count("(") >= found.count(")")):
        found = found[:-1]
    return found
