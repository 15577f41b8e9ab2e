"""A list's footer put into the text and HTML of a message, so that every byte around it stays.

What is signed or encrypted is left alone. Where a part cannot hold the footer (its charset, its encoding), the whole
message becomes the first part of a multipart/mixed and the footer the second. Slots inside encoded parts are written
per recipient so that they decode right for any value.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from colporteur.mail import encoding, parameters, parse, text
from colporteur.mail.splice import Slot, write_token
from colporteur.mail.structure import Part, Structure

Pieces = list[bytes | Slot]
_NAMES = re.compile(r"\{(list|address|email|name|unsubscribe)\}")
_LINK = re.compile(r"https?://[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]")
_LONG = re.compile(r"([^\n\r]{60}[^ \n\r]{0,300}) ")
_END = re.compile(rb"(?i)</body\s{0,20}>")
_END_HTML = re.compile(rb"(?i)</html\s{0,20}>")
_SOFT = rb"(?:=[ \t]{0,5}\r\n)?"
_END_QP, _END_HTML_QP = (
    re.compile(rb"(?i)(?:<|=3C)" + _SOFT + _SOFT.join(word[i : i + 1] for i in range(len(word))) + _SOFT + rb"(?: |=20){0,5}" + _SOFT + rb"(?:>|=3E)") for word in (b"/body", b"/html")
)
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9@.+_-]*(?: [A-Za-z0-9][A-Za-z0-9@.+_-]*)*")  # needs no quoting
_LONGEST = {"email": 320, "name": 400, "token": 64}  # octets a value may take
_BOX = '<div style="margin-top:1em;padding-top:.5em;border-top:1px solid #ccc;font-size:small">'


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of a footer: text, or a slot (``email``, ``name``, ``token``) when ``slot`` is set. ``link`` opens or closes one."""

    text: str = ""
    slot: str = ""
    link: str = ""  # "unsubscribe": these items together are an address to click


@dataclass(slots=True)
class Edits:
    """Changes of a body: ranges of the canonical bytes replaced by pieces, and fields of the root header set anew."""

    changes: list[tuple[int, int, Pieces]] = field(default_factory=list)
    root: dict[str, str] = field(default_factory=dict)
    planned: int = 0
    wrap: bool = False


class _CannotHold(Exception):
    """This part cannot take the footer without changing other bytes."""


def items(template: str, values: dict[str, str], unsubscribe: str) -> list[Item]:
    """A footer's text cut at its slots. ``unsubscribe`` is an address with ``{token}``; a line that asks for one where
    there is none is left out. Values are never read as template."""
    lines = re.sub(r"\r\n?", "\n", text.clean(template)).strip("\n").split("\n")
    kept = "\n".join(line if line == "-- " else line.rstrip() for line in lines if unsubscribe or "{unsubscribe}" not in line)
    found: list[Item] = []
    position = 0
    for match in _NAMES.finditer(kept):
        found.append(Item(kept[position : match.start()]))
        if match[1] in ("email", "name"):
            found.append(Item(slot=match[1]))
        elif match[1] == "unsubscribe":
            for number, piece in enumerate(unsubscribe.split("{token}")):
                found += [Item(slot="token", link="unsubscribe")] * (number > 0) + [Item(piece, link="unsubscribe")]
        else:
            found.append(Item(text.line(values[match[1]])))
        position = match.end()
    found.append(Item(kept[position:]))
    return _joined(found)


def _joined(found: list[Item]) -> list[Item]:
    """Without empty items, neighbouring texts of one kind put together."""
    out: list[Item] = []
    for item in found:
        if item.text and out and not out[-1].slot and out[-1].link == item.link:
            out[-1] = Item(out[-1].text + item.text, link=item.link)
        elif item.text or item.slot:
            out.append(item)
    return out


def _escaped(words: str) -> str:
    return html.escape(words).encode("ascii", "xmlcharrefreplace").decode("ascii")


def as_html(footer: list[Item]) -> list[Item]:
    """The footer as one HTML block in ASCII, so that any charset holds it; slots are escaped when written."""
    out = [Item(_BOX)]
    number = 0
    while number < len(footer):
        run = [footer[number]]
        if footer[number].link:
            while number + len(run) < len(footer) and footer[number + len(run)].link:
                run.append(footer[number + len(run)])
            shown = [Item(_escaped(item.text), item.slot) for item in run]
            out += [Item('<a href="'), *shown, Item('">'), *shown, Item("</a>")]
        elif run[0].slot:
            out += [Item("<span\n>"), run[0], Item("</span\n>")]  # line ends inside tags keep lines short and are no space
        else:
            out.append(Item(_linked(_LONG.sub(r"\1\n", run[0].text.replace("\n", "\r"))).replace("\r", "<br>\n")))
        number += len(run)
    return _joined([*out, Item("</div>")])


def _linked(words: str) -> str:
    out, position = "", 0
    for match in _LINK.finditer(words):
        out += _escaped(words[position : match.start()]) + f'<a href="{_escaped(match[0])}">{_escaped(match[0])}</a>'
        position = match.end()
    return out + _escaped(words[position:])


# ---- where ----


def targets(found: Structure) -> list[Part] | None:
    """The text and HTML parts that take the footer; [] when there is no text; None where nothing may be touched."""
    return _targets(found, found.root)


def _targets(found: Structure, part: Part) -> list[Part] | None:
    kind = part.content_type
    if kind in ("multipart/signed", "multipart/encrypted") or kind.startswith(("application/pkcs7", "application/x-pkcs7", "application/pgp")):
        return None
    if not part.children:
        if kind.startswith("multipart/"):
            return None  # we cannot tell its parts apart
        if kind not in ("text/plain", "text/html") or part.disposition.word == "attachment":
            return []
        return None if parse.pgp(found, part) else [part]
    if part.encoding in ("base64", "quoted-printable"):
        return None
    chosen: list[Part] = []
    for child in part.children:
        if child.name and not child.children:
            continue
        inside = _targets(found, child)
        if inside is None:
            return None
        chosen += inside
        if inside and kind != "multipart/alternative":
            break
    return chosen


# ---- how ----


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
    except _CannotHold:
        plan = Edits(wrap=True)
    if not chosen:
        plan.wrap = True
    if plan.wrap:
        plan.planned = sum(bool(item.slot) for item in footer)
    plan.changes.sort(key=lambda change: change[:2])
    return plan


def _compatible(charset: str) -> str:
    """Python's codec of a charset in which ASCII is ASCII and no state is kept. Raises ``_CannotHold``."""
    name = text.codec(charset or "us-ascii", meant=False) or text.codec(charset)
    if name is None or name.startswith(("iso2022", "hz", "utf-7", "utf_7", "johab")):
        raise _CannotHold
    try:
        if "<A~{\r\n".encode(name) != b"<A~{\r\n":
            raise _CannotHold
    except UnicodeError:
        raise _CannotHold from None
    return name


def _into_text(found: Structure, part: Part, footer: list[Item], plan: Edits) -> None:
    body = found.data[part.body : part.end]
    content = body if part.encoding in ("7bit", "8bit", "binary") else found.content(part)
    codec = _compatible(part.charset)
    personal = any(item.slot in ("email", "name") for item in footer)
    literal = "".join(item.text for item in footer)
    if personal or not literal.isascii():
        # A declared charset of ASCII bytes may be called UTF-8; bytes of another one may not.
        if codec == "utf-8":
            pass
        elif content.isascii():
            codec = "utf-8"
            _relabel(found, part, plan, charset="utf-8")
        elif personal or not part.charset or not _encodable(literal, codec):
            raise _CannotHold
    encoded = [Item(item.text.replace("\n", "\r\n"), item.slot, item.link) for item in footer]
    if part.kind.parameters.get("format", "").lower() == "flowed":
        encoded = _space_stuffed(encoded)
    eight = personal or not literal.isascii()
    ending = b"\r\n" if part is found.root or body.endswith(b"\r\n") else b""
    if part.encoding == "quoted-printable":
        damaged = re.search(rb"=[ \t]*(?:\r\n)?\Z", body[-100:])
        gap = b"" if not body or (body.endswith(b"\r\n") and not damaged) else b"\r\n" if not damaged or body.endswith(b"\r\n") else b"\r\n\r\n"
        pieces: Pieces = [gap + b"\r\n", *_quoted(encoded, codec, _plain), ending]
    elif part.encoding == "base64":
        lead = b"" if not content or content.endswith(b"\n") else b"\r\n"
        start, left = _base64_cut(found, part, len(content))
        pieces = [b"\r\n" if start > part.body and found.data[start - 2 : start] != b"\r\n" else b"", *_base64(left + lead + b"\r\n", encoded, codec, _plain, pad=False), b"\r\n"]
        plan.changes.append((start, part.end, pieces))
        return
    elif part.encoding:
        _short_enough(encoded)
        gap = b"" if not body or body.endswith(b"\r\n") else b"\r\n"
        pieces = [gap + b"\r\n", *_bare(encoded, codec, _plain), ending]
        if eight:
            _relabel(found, part, plan, eight=True)
    else:
        raise _CannotHold
    plan.changes.append((part.end, part.end, pieces))


def _into_html(found: Structure, part: Part, footer: list[Item], plan: Edits) -> None:
    _compatible(part.charset)
    start, stop = part.body, part.end
    encoded = [Item(item.text.replace("\n", "\r\n"), item.slot, item.link) for item in footer]
    if part.encoding == "quoted-printable":
        body = found.data[start:stop]
        at = start + (_last(_END_QP, body) if _last(_END_QP, body) >= 0 else _last(_END_HTML_QP, body) if _last(_END_HTML_QP, body) >= 0 else len(body))
        inside = at < stop
        before = b"" if found.data[start:at].endswith(b"\r\n") or at == start else b"=\r\n" if inside else b"\r\n"
        if not inside and re.search(rb"=[ \t]*(?:\r\n)?\Z", found.data[max(start, at - 100) : at]):
            before = b"\r\n\r\n"
        plan.changes.append((at, at, [before, *_quoted(encoded, "ascii", _html), b"=\r\n" if inside else b"\r\n"]))
    elif part.encoding == "base64":
        content = found.content(part)
        offset = _html_end(content)
        begin, left = _base64_cut(found, part, offset)
        rest = content[offset:]
        pieces: Pieces = [b"\r\n" if begin > part.body and found.data[begin - 2 : begin] != b"\r\n" else b""]
        pieces += _base64(left, encoded, "ascii", _html, pad=True)
        plan.changes.append((begin, stop, [*pieces, b"\r\n" + encoding.base64_lines(rest) if rest else b"", b"\r\n"]))
    elif part.encoding:
        _short_enough(encoded)
        body = found.data[start:stop]
        at = start + _html_end(body)
        plan.changes.append((at, at, [b"\r\n", *_bare(encoded, "ascii", _html), b"\r\n"]))
    else:
        raise _CannotHold


def _last(pattern: re.Pattern[bytes], content: bytes) -> int:
    found = -1
    for match in pattern.finditer(content):
        found = match.start()
    return found


def _html_end(content: bytes) -> int:
    """Offset of the last </body>, else of </html>, else the end."""
    at = _last(_END, content)
    at = at if at >= 0 else _last(_END_HTML, content)
    return at if at >= 0 else len(content)


def _encodable(words: str, codec: str) -> bool:
    try:
        words.encode(codec)
    except UnicodeError:
        return False
    return True


def _space_stuffed(footer: list[Item]) -> list[Item]:
    """RFC 3676 section 4.4: in a flowed text a line may not begin with a space, > or "From "."""
    return [Item(re.sub(r"(?m)^(?=[ >]|From )", " ", item.text) if number == 0 or item.text.startswith("\r\n") else re.sub(r"(?<=\n)(?=[ >]|From )", " ", item.text), item.slot, item.link) for number, item in enumerate(footer)]


def _short_enough(footer: list[Item]) -> None:
    """Lines written as they are must stay under 998 octets whatever the values are."""
    lines = "".join("x" * _LONGEST[item.slot] if item.slot else item.text for item in footer).split("\r\n")
    if max(len(line.encode()) for line in lines) > 950:
        raise _CannotHold


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
    path = [root]
    while path[-1] is not part:
        path.append(next(child for child in path[-1].children if child.start <= part.start and part.end <= child.end))
    return path


def _set_field(found: Structure, part: Part, plan: Edits, name: bytes, shown: str, value: str) -> None:
    if part is found.root:
        plan.root[shown] = value
        return
    held = [item for item in part.fields if item.name == name]
    if len(held) > 1:
        raise _CannotHold
    start, end = (held[0].start, held[0].end) if held else (part.start, part.start)
    line = f"{shown}: {value}".encode("ascii") + b"\r\n"
    if not held and part.body == part.start:  # a part without header and without the empty line after it
        raise _CannotHold
    if len(line) > 900:
        raise _CannotHold
    if (start, end, [line]) not in plan.changes:
        plan.changes.append((start, end, [line]))


# ---- writing ----


def _plain(words: str) -> str:
    return words


def _html(words: str) -> str:
    return _escaped(words)


Escape = Callable[[str], str]


def _value(slot: str, email: str, name: str, token: str) -> str:
    return token if slot == "token" else name if slot == "name" else email


def _bare(footer: list[Item], codec: str, escape: Escape) -> Pieces:
    """As it is, in the part's charset."""
    made: dict[str, Slot] = {}

    def slot_of(kind: str) -> Slot:
        if kind == "token":
            return Slot(write_token)

        def write(email: str, name: str, token: str) -> bytes:
            return escape(_value(kind, email, name, token)).encode(codec, "replace")

        return made.setdefault(kind, Slot(write))

    return [slot_of(item.slot) if item.slot else item.text.encode(codec) for item in footer]


def _quoted(footer: list[Item], codec: str, escape: Escape) -> Pieces:
    """Quoted-printable; each slot stands between soft line breaks, so that no value can make a line too long."""
    pieces: Pieces = []
    made: dict[str, Slot] = {}

    def slot_of(kind: str) -> Slot:
        def write(email: str, name: str, token: str) -> bytes:
            shown = escape(_value(kind, email, name, token))
            if len(shown) < 70 and _BARE.fullmatch(shown) and not shown.startswith("From "):  # nearly always
                return shown.encode("ascii")
            value = encoding.quoted_printable(shown.encode(codec, "replace"))
            return value[:-1] + b"=20" if value.endswith(b" ") else value

        return made.setdefault(kind, Slot(write))

    at_start = True
    for item in _joined([Item(item.text, item.slot) for item in footer]):
        if item.slot:
            pieces += [b"" if at_start else b"=\r\n", slot_of(item.slot), b"=\r\n"]
            at_start = True
        else:
            quoted = encoding.quoted_printable(item.text.encode(codec))
            pieces.append(quoted)
            at_start = quoted.endswith(b"\r\n")
    if footer and footer[-1].slot:
        pieces[-1] = b""
    return pieces


def quoted(footer: list[Item]) -> Pieces:
    """The footer as a part of its own: UTF-8, quoted-printable."""
    return _quoted([Item(item.text.replace("\n", "\r\n"), item.slot, item.link) for item in footer], "utf-8", _plain)


def _base64(lead: bytes, footer: list[Item], codec: str, escape: Escape, *, pad: bool) -> Pieces:
    """Base64 of ``lead`` and the footer, written anew per recipient when it has slots. ``pad`` fills up to whole groups
    with spaces, so that more base64 may follow."""
    fixed = [item.text.encode(codec) for item in footer]
    kinds = [item.slot for item in footer]

    def write(email: str, name: str, token: str) -> bytes:
        whole = lead + b"".join(
            escape(_value(kind, email, name, token)).encode(codec, "replace") if kind else words for kind, words in zip(kinds, fixed, strict=True)
        )
        return encoding.base64_lines(whole + b" " * (-len(whole) % 3) if pad else whole)

    count = sum(bool(kind) for kind in kinds)
    return [Slot(write, count)] if count else [write("", "", "")]


def _base64_cut(found: Structure, part: Part, offset: int) -> tuple[int, bytes]:
    """Where in the canonical bytes the base64 of the first ``offset`` decoded bytes' whole groups ends, and the decoded bytes
    between there and ``offset``. Raises ``_CannotHold`` when the encoding is not clean."""
    body = found.data[part.body : part.end]
    letters = body.translate(None, b"\r\n\t ")
    if not re.fullmatch(rb"[A-Za-z0-9+/]*+={0,2}", letters) or len(letters) % 4:
        raise _CannotHold
    groups = offset // 3
    wanted, position = groups * 4, part.body
    for line in body.split(b"\r\n"):
        count = len(line.translate(None, b"\t "))
        if wanted < count or (wanted == count and wanted == 0):
            break
        wanted -= count
        position += len(line) + 2
    position = min(position, part.end)
    if wanted:
        line = found.data[position : part.end].partition(b"\r\n")[0]
        if b" " in line or b"\t" in line:
            raise _CannotHold
        position += wanted
    return position, found.content(part)[groups * 3 : offset]
