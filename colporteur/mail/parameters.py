"""Values with parameters (Content-Type, Content-Disposition), RFC 2231 and what is written instead of it.

Own reader, linear and bounded: 16 KB of a value and 100 parameters count, the rest does not exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from colporteur.mail import text

_MAX_VALUE, _MAX_PARAMETERS = 16 * 1024, 100
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*+\)")
_PARAMETER = re.compile(r'[;\s]*+([^\s=;"]{1,80})\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))|[^;]*+;?')
_QUOTED = re.compile(r"\\(.)", re.DOTALL)
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,120}")


@dataclass(frozen=True, slots=True)
class Value:
    """The word before the first semicolon (lower case) and the parameters (lower-case name -> text)."""

    word: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()  # parameters given more than once; the first one counts


def read(value: bytes) -> Value:
    """Read one field's unfolded value. Never raises."""
    source = text.decode(value[:_MAX_VALUE])[0]
    word, _, rest = source.partition(";")
    if "(" in word:
        word = _COMMENT.sub(" ", word)
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    repeated: set[str] = set()
    position, count = 0, 0
    while position < len(rest) and count < _MAX_PARAMETERS:
        match = _PARAMETER.match(rest, position)
        if match is None or match.end() == position:
            break
        position, count = match.end(), count + 1
        if match[1] is None:
            continue
        content = _QUOTED.sub(r"\1", match[2]) if match[2] is not None else match[3].strip()
        name, star, tail = match[1].lower().partition("*")
        if not star:
            if name in plain:
                repeated.add(name)
            plain.setdefault(name, content)
        else:
            number = tail.rstrip("*")
            held = sections.setdefault(name, {})
            index = int(number) if number.isdecimal() and number.isascii() and len(number) < 4 else 0
            if index in held:
                repeated.add(name)
            held.setdefault(index, (content, tail.endswith("*") or not tail))
    for name, pieces in sections.items():
        if name in plain:
            repeated.add(name)
        plain[name] = _joined(pieces)
    return Value(word.strip().lower(), plain, frozenset(repeated))


def _joined(pieces: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 continuations put together; the first extended piece names the charset."""
    charset, out = "", b""
    for index, number in enumerate(sorted(pieces)):
        if index != number:
            break
        content, extended = pieces[number]
        if index == 0 and extended and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw = content.encode("utf-8", "surrogatepass")
        out += unquote_to_bytes(raw) if extended else raw
    return text.decode(out, charset)[0]


def content_type(value: Value) -> str:
    """The media type, "" when it cannot be read."""
    word = value.word.split()[0] if value.word else ""
    return word if _TYPE.fullmatch(word) else ""


def file_name(disposition: Value, kind: Value) -> str:
    """The file name for people: no path, one line, at most 200 characters."""
    name = disposition.parameters.get("filename") or kind.parameters.get("name") or ""
    return text.line(text.unwords(name)).replace("\\", "/").rpartition("/")[2].strip(". ")[:200]


def write(word: str, parameters: dict[str, str]) -> str:
    """A value in ASCII: parameters quoted, others than ASCII after RFC 2231 (percent encoded UTF-8)."""
    out = word if _TYPE.fullmatch(word) or re.fullmatch(r"[a-z0-9-]{1,40}", word) else "application/octet-stream"
    for name, content in parameters.items():
        content = text.line(content)
        if not re.fullmatch(r"[a-z0-9_.-]{1,80}", name):
            continue
        if content.isascii():
            out += f'; {name}="' + content.replace("\\", "\\\\").replace('"', '\\"') + '"'
        else:
            out += f"; {name}*=utf-8''" + quote(content, safe="")
    return out
