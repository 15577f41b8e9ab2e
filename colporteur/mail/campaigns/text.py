"""The text part of a newsletter, made from its HTML: headings, lists, quotes, what pictures are of, and where links lead.

An address stands right after its words, in pointed brackets (RFC 3986, appendix C): inside a loop or a condition a list of
footnotes would name what the reader does not see.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from html.parser import HTMLParser

_BLOCKS = frozenset("p div h1 h2 h3 h4 h5 h6 ul ol dl table tr blockquote pre address article section header footer main center figure figcaption hr".split())
_APART = frozenset("p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre hr figure".split())
_HIDDEN = re.compile(r"display:\s*none", re.IGNORECASE)
_WIDTH = 76


class _Writer(HTMLParser):
    """Reads sanitised HTML, whose tags are balanced, and writes lines. ``word``: what stands for fields begins so."""

    def __init__(self, word: str) -> None:
        super().__init__(convert_charrefs=True)
        self._word = word
        self.lines: list[str] = []
        self._line = ""
        self._lists: list[int] = []  # of each open list the next number, 0 without numbers
        self._quotes = 0
        self._links: list[tuple[str, int]] = []
        self._hidden: list[str] = []
        self._heading = 0
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._hidden or _HIDDEN.search(given.get("style", "")):
            if tag not in ("img", "br", "hr", "wbr", "col"):
                self._hidden.append(tag)
            return
        if tag in _BLOCKS:
            self._end(apart=tag in _APART and not (tag in ("ul", "ol") and self._lists))
        match tag:
            case "br":
                self._end()
            case "hr":
                self.lines += ["-" * 40, ""]
            case "ul" | "ol":
                start = given.get("start", "1")
                self._lists.append(int(start) if tag == "ol" and start.isascii() and start.isdigit() else int(tag == "ol"))
            case "li":
                self._item()
            case "td" | "th" if self._line.strip():
                self._line += "  "
            case "blockquote":
                self._quotes += 1
            case "pre":
                self._pre += 1
            case "a":
                self._links.append((given.get("href", ""), len(self._line)))
            case "img" if given.get("alt", "").strip():
                self._line += f"[{' '.join(given['alt'].split())}]"
            case "h1" | "h2":
                self._heading = 1 if tag == "h1" else 2

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        if tag == "a" and self._links:
            self._link(*self._links.pop())
        if tag in ("h1", "h2"):
            self._underlined()
        if tag in _BLOCKS or tag == "li":
            self._end(apart=tag in _APART and not (tag in ("ul", "ol") and len(self._lists) > 1))
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag == "blockquote":
            self._quotes = max(0, self._quotes - 1)
        if tag == "pre":
            self._pre = max(0, self._pre - 1)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._pre:
            *whole, rest = data.split("\n")
            for line in whole:
                self._line += line
                self._end(wrapped=False)
            self._line += rest
            return
        words = re.sub(r"[ \t\r\n]+", " ", data)
        self._line += words.lstrip() if not self._line or self._line.endswith((" ", "- ")) else words

    def handle_comment(self, data: str) -> None:
        if not self._hidden and data.startswith(self._word) and re.fullmatch(r"\d+x", data[len(self._word) :]):
            self._line += data

    def _item(self) -> None:
        self._end()
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        self._line = "  " * max(0, len(self._lists) - 1) + (f"{number}. " if number else "- ")

    def _link(self, href: str, began: int) -> None:
        words = self._line[began:].strip() if began <= len(self._line) else ""
        if href and not href.startswith("#") and href.removeprefix("mailto:").rstrip("/") != words.rstrip("/"):
            self._line += f" <{href}>" if words else f"<{href}>"

    def _underlined(self) -> None:
        """A line as long as the longest line of the title; none below a field, whose value is of another length for every reader."""
        title, began = self._line, len(self.lines)
        self._end()
        quote = "> " * self._quotes
        widest = max((_width(line.removeprefix(quote)) for line in self.lines[began:]), default=0)
        if widest and self._word not in title and not title.rstrip().endswith(">"):
            self.lines.append(quote + ("=" if self._heading == 1 else "-") * widest)
        self._heading = 0

    def _end(self, *, apart: bool = False, wrapped: bool = True) -> None:
        quote = "> " * self._quotes
        line, self._line = (self._line.rstrip() if wrapped else self._line), ""
        if line.strip():
            marked = re.match(r"\s*(?:- |\d+\. )", line)
            indent = " " * marked.end() if marked else ""
            self.lines += textwrap.wrap(line, _WIDTH, initial_indent=quote, subsequent_indent=quote + indent, break_long_words=False, break_on_hyphens=False) if wrapped else [quote + line]
        elif not wrapped:
            self.lines.append(quote.rstrip())
        if apart and self.lines and self.lines[-1]:
            self.lines.append("")


def _width(line: str) -> int:
    """Columns a line takes where letters have one width: wide signs two, those set on another none (UAX 11)."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 0 if unicodedata.combining(sign) or sign in "\u200b\u200d\ufe0f" else 1 for sign in line)


def of_html(body: str, word: str) -> str:
    """The text of a sanitised body whose fields are words that begin with ``word``, in lines of 76 characters where they can be broken."""
    writer = _Writer(word)
    writer.feed(body)
    writer.close()
    writer.handle_endtag("div")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in writer.lines)).strip()
