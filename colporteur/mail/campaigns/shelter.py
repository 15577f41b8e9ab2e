"""Fields taken out of what somebody wrote, while it is made into HTML, and put back where they stood.

Markdown, MJML, the sanitiser and the CSS inliner know nothing of ``{{ name }}``: they would escape it, move it out of a table
or refuse it as an address. Each field becomes a word no writer uses; between the tags of HTML a comment, which no parser moves.
What looks like a field and is none must not become one later: content.py writes every brace that is left as ``&#123;``.
"""

from __future__ import annotations

import itertools
import re

_QUOTED = r"\"[^\"]{0,500}+\"|'[^']{0,500}+'"
FIELD = re.compile(
    r"\{\{(?:[^{}\"']|" + _QUOTED + r"){1,500}+\}\}|\{%(?:[^%\"'{}]|" + _QUOTED + r"|%(?!\})){1,500}+%\}|\{\#(?:[^#]|\#(?!\})){0,500}+\#\}"
    r"|@@?[A-Za-z_][A-Za-z0-9_]{0,40}+@@?|\#ENV\*{0,2}\{[^{}\r\n]{1,260}+\}"
)
"""What is a field, a condition or a loop: Jinja's, and SPIP's ``@name@``, ``@@name@@`` and ``#ENV{name}``."""
TAG = re.compile(r"<!--\w{0,60}-->|</?[a-zA-Z](?:[^<>\"']|\"[^\"]{0,20000}+\"|'[^']{0,20000}+')*+>")
"""A tag, or a comment of ours."""


class Shelter:
    """Fields of several texts that become one document. ``texts``: all of them, so that no word of ours is a word of theirs."""

    def __init__(self, *texts: str) -> None:
        lowered = "\n".join(texts).lower()
        self.word = next(word for number in itertools.count() if (word := f"champ{number}n") not in lowered)
        self.fields: list[str] = []
        self._told: set[int] = set()
        self.token = re.compile(rf"{self.word}(\d{{1,6}})x")
        self._back = re.compile(rf"<!--{self.word}(\d{{1,6}})x-->|{self.word}(\d{{1,6}})x")

    def take(self, text: str) -> str:
        """``text`` with words in place of its fields. Linear."""
        return FIELD.sub(self._taken, text)

    def _taken(self, found: re.Match[str]) -> str:
        self.fields.append(found[0])
        return f"{self.word}{len(self.fields) - 1}x"

    def back(self, text: str) -> str:
        """``text`` with its fields as they were written."""
        return self._back.sub(lambda found: self.fields[int(found[1] or found[2])], text)

    def tell(self, text: str) -> str:
        """``back``, of something that was left out and is spoken of: its fields are not lost besides."""
        self._told |= {int(number) for number in self.token.findall(text)}
        return self.back(text)

    def lost(self, text: str) -> list[str]:
        """The fields that are no longer in ``text``, and that nobody spoke of."""
        present = self._told | {int(number) for number in self.token.findall(text)}
        return list(dict.fromkeys(field for number, field in enumerate(self.fields) if number not in present and not field.startswith("{#")))


def between_tags(html: str, word: str) -> str:
    """HTML whose words between tags are comments; those inside a tag stay as they are."""
    token = re.compile(rf"{word}\d{{1,6}}x")
    pieces, end = [], 0
    for tag in TAG.finditer(html):
        pieces += [token.sub(r"<!--\g<0>-->", html[end : tag.start()]), tag[0]]
        end = tag.end()
    return "".join([*pieces, token.sub(r"<!--\g<0>-->", html[end:])])
