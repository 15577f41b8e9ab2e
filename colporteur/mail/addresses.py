"""Address lists in header fields: one reader, strict about whom a message claims to come from.

Linear and bounded: 256 KB of a field and 2000 addresses. It reads what obsolete writers send, and says when something
could be read in more than one way (``odd``), so that no author is guessed.
Sources: RFC 5322 sections 3.4 and 4.4, RFC 2047 section 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from colporteur.domain import addresses as normal_form
from colporteur.mail import text

MAX_ADDRESSES = 2000
_MAX_VALUE = 256 * 1024
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)("?)|<([^<>]*+)(>?)|([,;:])|([^\s"(),;:<>]++)|(\s++)|([)>])', re.DOTALL)
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_QUOTED = re.compile(r"\\(.)", re.DOTALL)
_IN_NAME = re.compile(r"[^\s@<>\"'(),;:]{1,64}@[^\s@<>\"'(),;:]{1,255}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address in normal form ("" when it cannot be read)."""

    name: str
    email: str


@dataclass(slots=True)
class _Item:
    """What has been read of one mailbox."""

    words: list[str]
    comments: list[str]
    angle: str | None = None
    odd: str = ""
    bare: str = ""  # atoms as written, for an address without angle brackets
    quoted: bool = False


def parse(value: str) -> tuple[tuple[Mailbox, ...], tuple[str, ...]]:
    """Mailboxes of one unfolded value (encoded words still encoded), and what is odd about it: ``unreadable``, ``group``,
    ``name``, ``control``, ``many``."""
    odd: dict[str, None] = {}
    found: list[Mailbox] = []
    if _CONTROL.search(value):
        odd["control"] = None
        value = _CONTROL.sub("", value)
    value, position = value[:_MAX_VALUE], 0
    item = _Item([], [])
    while position < len(value):
        if value[position] == "(":
            position = _comment(value, position, item)
            continue
        match = _TOKEN.match(value, position)
        if match is None:  # cannot happen; a tolerant reader passes on
            position += 1
            continue
        position = match.end()
        if match[5]:
            if match[5] == ":" and not item.odd:
                odd["group"] = None
                item = _Item([], [])
            else:
                _flush(item, found, odd)
                item = _Item([], [])
            if len(found) >= MAX_ADDRESSES:
                odd["many"] = None
                return tuple(found), tuple(odd)
        else:
            _take(match, item)
    _flush(item, found, odd)
    return tuple(found), tuple(odd)


def _take(match: re.Match[str], item: _Item) -> None:
    if match[1] is not None:
        item.words.append(_QUOTED.sub(r"\1", match[1]))
        item.quoted = True
        if not match[2] or item.angle is not None:
            item.odd = "unreadable"
    elif match[3] is not None:
        if item.angle is not None or not match[4]:
            item.odd = "unreadable"
        item.angle = match[3] if item.angle is None else item.angle
    elif match[6]:
        if item.angle is not None:
            item.odd = "unreadable"
        if item.words and not item.bare.endswith(" ") and item.bare:
            item.words[-1] += match[6]
        else:
            item.words.append(match[6])
        item.bare += match[6]
    elif match[7]:
        item.bare += " " if item.bare else ""
    else:
        item.odd = "unreadable"


def _comment(value: str, position: int, item: _Item) -> int:
    """Step over a nested comment; an endless one takes the rest and makes the mailbox odd."""
    level = 0
    for mark in _IN_COMMENT.finditer(value, position):
        if mark[0] == "(":
            level += 1
        elif mark[0] == ")":
            level -= 1
            if level == 0:
                item.comments.append(value[position + 1 : mark.start()])
                return mark.end()
    item.odd = "unreadable"
    return len(value)


def _flush(item: _Item, found: list[Mailbox], odd: dict[str, None]) -> None:
    """Add what was read up to a comma, a semicolon or the end."""
    if item.angle is None and not item.words and not item.odd:
        return
    if item.angle is not None:
        address = re.sub(r"\s+", "", item.angle)
        if address.startswith("@"):  # obsolete route: <@relay:name@domain>
            address = address.partition(":")[2]
        name = " ".join(item.words)
    else:
        address, name = ("", " ".join(item.words)) if item.quoted or len(item.bare.split()) != 1 else (item.bare.strip(), "")
    name = text.line(text.unwords(name or " ".join(item.comments)))[:200]
    try:
        email = normal_form.normal(address) if "=?" not in address else ""
    except ValueError:
        email = ""
    if item.odd or not email:
        odd["unreadable"] = None
    if any(other.lower().rstrip(".") != email for other in _IN_NAME.findall(name + " " + text.line(text.unwords(" ".join(item.comments)))[:1000])):
        odd["name"] = None
    if email or name:
        found.append(Mailbox(name, email if not item.odd else ""))
