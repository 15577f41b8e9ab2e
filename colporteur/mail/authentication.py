"""Reading Authentication-Results (RFC 8601 section 2.2): comments and quoted strings are what a sender may have written
into a trusted server's field, so they are taken apart before anything is looked for. Linear and bounded."""

from __future__ import annotations

import re

from colporteur.domain.authentication import Result
from colporteur.mail import headers, text

_MOST_FIELDS, _MOST_BYTES, _MOST_RESULTS = 20, 8 * 1024, 40
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"|([;=])|([^\s;="]++)|\s++|.', re.DOTALL)
_QUOTED = re.compile(r"\\(.)", re.DOTALL)


def results(raw: bytes) -> tuple[Result, ...]:
    """Every result the message's own Authentication-Results fields state, topmost field first. Never raises."""
    data = headers.canonical(raw[: headers.MAX_BYTES + 1024])
    values = [headers.unfolded(data, field) for field in headers.block(data)[0] if field.name == b"authentication-results"]
    return tuple(found for position, value in enumerate(values[:_MOST_FIELDS]) for found in _read(text.decode(value[:_MOST_BYTES])[0].lower(), position))


def _read(value: str, position: int) -> list[Result]:
    server, *statements = _statements(value)
    found = []
    for words in statements[:_MOST_RESULTS]:
        # method [/ version] = result, then names and values each joined by "="
        if len(words) < 3 or words[1] != "=":
            continue
        properties: dict[str, str] = {}
        for index in range(3, len(words) - 2):
            if words[index + 1] == "=":
                properties.setdefault(words[index], words[index + 2])
        found.append(Result(server[0] if server else "", position, words[0].partition("/")[0], words[2], properties))
    return found


def _statements(value: str) -> list[list[str]]:
    """Words between semicolons, without comments; a comment that is not closed hides the rest."""
    statements: list[list[str]] = [[]]
    for piece in _TOKEN.finditer(_without_comments(value)):
        quoted, mark, word = piece.groups()
        if mark == ";":
            statements.append([])
        elif mark == "=" or word is not None:
            statements[-1].append(mark or word)
        elif quoted is not None:
            statements[-1].append(_QUOTED.sub(r"\1", quoted))
    return statements


def _without_comments(value: str) -> str:
    kept, depth, quoted, position = [], 0, False, 0
    while position < len(value):
        character = value[position]
        if character == "\\" and (depth or quoted):
            kept.append("" if depth else value[position : position + 2])
            position += 2
            continue
        if character == '"' and not depth:
            quoted = not quoted
        elif character == "(" and not quoted:
            depth += 1
        elif character == ")" and depth and not quoted:
            depth -= 1
            position += 1
            kept.append(" ")
            continue
        if not depth:
            kept.append(character)
        position += 1
    return "".join(kept)
