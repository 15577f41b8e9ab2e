"""Where exactly a footer goes into the bytes of a body, and what a part must then say of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from colporteur.mail import encoding, footer_bytes, parameters, text
from colporteur.mail.footer import Item, as_html, escaped, targets
from colporteur.mail.footer_bytes import CannotHold, Escape, Pieces, base64_cut, plain
from colporteur.mail.structure import Part, Structure

_END = re.compile(rb"(?i)</body\s{0,20}>")
_END_HTML = re.compile(rb"(?i)</html\s{0,20}>")
_SOFT = rb"(?:=[ \t]{0,5}\r\n)?"
_END_QP, _END_HTML_QP = (
    re.compile(rb"(?i)(?:<|=3C)" + _SOFT + _SOFT.join(word[i : i + 1] for i in range(len(word))) + _SOFT + rb"(?: |=20){0,5}" + _SOFT + rb"(?:>|=3E)") for word in (b"/body", b"/html")
)
_SOFT_END = re.compile(rb"=[ \t]*(?:\r\n)?\Z")
_LONGEST = {"email": 320, "name": 400, "token": 64}  # octets a value may take


@dataclass(slots=True)
class Edits:
    """Changes of a body: ranges of the canonical bytes replaced by pieces, and fields of the root header set anew."""

    changes: list[tuple[int, int, Pieces]] = field(default_factory=list)
    root: dict[str, str] = field(default_factory=dict)
    planned: int = 0
    wrap: bool = False


def edits(found: Structure, footer: list[Item]) -> Edits:
    """Plan the insertion. Slots are counted from the footer itself, apart from how they are written."""
    plan = Edits()
    chosen = targets(found)
    if chosen is None or not footer:
        return plan
    rich = as_html(footer)
    try:
        for part in chosen:
            used = rich if part.content_type == "text/html" else footer
            plan.planned += sum(bool(item.slot) for item in used)
            (_into_html if part.content_type == "text/html" else _into_text)(found, part, used, plan)
    except CannotHold:
        plan = Edits(wrap=True)
    if not chosen:
        plan.wrap = True
    if plan.wrap:
        plan.planned = sum(bool(item.slot) for item in footer)
    plan.changes.sort(key=lambda change: change[:2])
    return plan


def _compatible(charset: str) -> str:
    """Python's codec of a charset in which ASCII is ASCII and no state is kept. Raises ``CannotHold``."""
    name = text.codec(charset or "us-ascii", meant=False) or text.codec(charset)
    if name is None or name.startswith(("iso2022", "hz", "utf-7", "utf_7", "johab")):
        raise CannotHold
    try:
        if "<A~{\r\n".encode(name) != b"<A~{\r\n":
            raise CannotHold
    except UnicodeError:
        raise CannotHold from None
    return name


def _into_text(found: Structure, part: Part, footer: list[Item], plan: Edits) -> None:
    """At the end, after an empty line."""
    body = found.data[part.body : part.end]
    content = found.content(part)
    codec = _compatible(part.charset)
    personal = any(item.slot in ("email", "name") for item in footer)
    literal = "".join(item.text for item in footer)
    beyond_ascii = personal or not literal.isascii()
    if beyond_ascii and codec != "utf-8":
        # ASCII bytes may be called UTF-8 whatever they were called before; bytes of another charset may not.
        if content.isascii():
            codec = "utf-8"
            _relabel(found, part, plan, charset="utf-8")
        elif personal or not part.charset or not _encodable(literal, codec):
            raise CannotHold
    flowed = part.kind.parameters.get("format", "").lower() == "flowed"
    items = _lines([Item("\n"), *(_space_stuffed(footer) if flowed else footer)])
    ending = b"\r\n" if part is found.root or body.endswith(b"\r\n") else b""
    if part.encoding == "quoted-printable":
        change = _quoted(found, part, part.end, footer_bytes.quoted(items, codec, plain), ending)
    elif part.encoding == "base64":
        lead = b"" if not content or content.endswith(b"\n") else b"\r\n"
        change = _base64(found, part, content, len(content), [Item(lead.decode()), *items], codec, plain)
    elif part.encoding:
        _short_enough(items)
        gap = b"" if not body or body.endswith(b"\r\n") else b"\r\n"
        change = part.end, part.end, [gap, *footer_bytes.bare(items, codec, plain), ending]
        if beyond_ascii:
            _relabel(found, part, plan, eight=True)
    else:
        raise CannotHold
    plan.changes.append(change)


def _into_html(found: Structure, part: Part, footer: list[Item], plan: Edits) -> None:
    """Before the end of the body element, else of the document, else at the end. The footer is ASCII there."""
    _compatible(part.charset)
    items = _lines(footer)
    body = found.data[part.body : part.end]
    if part.encoding == "quoted-printable":
        at = part.body + _last(body, _END_QP, _END_HTML_QP)
        change = _quoted(found, part, at, footer_bytes.quoted(items, "ascii", escaped), b"\r\n")
    elif part.encoding == "base64":
        content = found.content(part)
        change = _base64(found, part, content, _last(content, _END, _END_HTML), items, "ascii", escaped)
    elif part.encoding:
        _short_enough(items)
        at = part.body + _last(body, _END, _END_HTML)
        change = at, at, [b"\r\n", *footer_bytes.bare(items, "ascii", escaped), b"\r\n"]
    else:
        raise CannotHold
    plan.changes.append(change)


def _quoted(found: Structure, part: Part, at: int, pieces: Pieces, ending: bytes) -> tuple[int, int, Pieces]:
    """Quoted-printable ``pieces`` at an offset: soft line breaks around them inside a text, hard ones at its end."""
    before, inside = found.data[part.body : at], at < part.end
    whole_line = before.endswith(b"\r\n")
    swallowing = not inside and _SOFT_END.search(before[-100:])  # a soft break at the very end would swallow our line end
    gap = b"" if not before or (whole_line and not swallowing) else b"=\r\n" if inside else b"\r\n\r\n" if swallowing and not whole_line else b"\r\n"
    return at, at, [gap, *pieces, b"=\r\n" if inside else ending]


def _base64(found: Structure, part: Part, content: bytes, offset: int, items: list[Item], codec: str, escape: Escape) -> tuple[int, int, Pieces]:
    """Everything from the group that holds ``offset`` on, encoded anew; what stands before keeps its bytes."""
    start, left = base64_cut(found, part, content, offset)
    rest = content[offset:]
    pieces: Pieces = [b"\r\n" if start > part.body and found.data[start - 2 : start] != b"\r\n" else b""]
    pieces += footer_bytes.base64(left, items, codec, escape, pad=bool(rest))
    return start, part.end, [*pieces, b"\r\n" + encoding.base64_lines(rest) if rest else b"", b"\r\n"]


def _lines(footer: list[Item]) -> list[Item]:
    """Line ends as SMTP wants them."""
    return [Item(item.text.replace("\n", "\r\n"), item.slot, item.link) for item in footer]


def _last(content: bytes, *patterns: re.Pattern[bytes]) -> int:
    """Where the last match of the first pattern that matches begins; the end when none does."""
    for pattern in patterns:
        found = -1
        for match in pattern.finditer(content):
            found = match.start()
        if found >= 0:
            return found
    return len(content)


def _encodable(words: str, codec: str) -> bool:
    try:
        words.encode(codec)
    except UnicodeError:
        return False
    return True


def _space_stuffed(footer: list[Item]) -> list[Item]:
    """RFC 3676 section 4.4: in a flowed text a line may not begin with a space, > or "From "."""
    out, at_start = [], True
    for item in footer:
        words = re.sub(r"(?<=\n)(?=[ >]|From )", " ", item.text)
        out.append(Item(" " + words if at_start and re.match(r"[ >]|From ", words) else words, item.slot, item.link))
        at_start = item.text.endswith("\n")
    return out


def _short_enough(footer: list[Item]) -> None:
    """Lines written as they are must stay under 998 octets whatever the values are."""
    lines = "".join("x" * _LONGEST[item.slot] if item.slot else item.text for item in footer).split("\r\n")
    if max(len(line.encode()) for line in lines) > 950:
        raise CannotHold


def _relabel(found: Structure, part: Part, plan: Edits, *, charset: str = "", eight: bool = False) -> None:
    """Change what a part says of itself: its charset, or 7bit into 8bit there and in every container around it."""
    if charset:
        value = parameters.write("text/plain", {**part.kind.parameters, "charset": charset})
        _set_field(found, part, plan, b"content-type", "Content-Type", value)
    if eight:
        for holder in _path(found.root, part):
            if holder.encoding == "7bit":
                _set_field(found, holder, plan, b"content-transfer-encoding", "Content-Transfer-Encoding", "8bit")


def _path(root: Part, part: Part) -> list[Part]:
    """The parts from the root down to ``part``."""
    paths = [[root]]
    while paths:
        path = paths.pop()
        if path[-1] is part:
            return path
        paths += [[*path, child] for child in path[-1].children]
    return []


def _set_field(found: Structure, part: Part, plan: Edits, name: bytes, shown: str, value: str) -> None:
    if part is found.root:
        plan.root[shown] = value
        return
    held = [item for item in part.fields if item.name == name]
    if len(held) > 1:
        raise CannotHold
    start, end = (held[0].start, held[0].end) if held else (part.start, part.start)
    line = f"{shown}: {value}".encode("ascii") + b"\r\n"
    if not held and part.body == part.start:  # a part without header and without the empty line after it
        raise CannotHold
    if len(line) > 900:
        raise CannotHold
    if (start, end, [line]) not in plan.changes:
        plan.changes.append((start, end, [line]))
