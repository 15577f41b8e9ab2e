"""The letters we send: one folder each, with subject, text and HTML in every language.

``NOTICES`` says which fields a letter may use; own texts (store.wordings) use the same. A template is checked when it is
read: fields, ``if`` and a few filters, nothing that counts, calls or looks inside a value, so that somebody's own text can
neither stop a worker nor read what it was not given. Values are put in as they are and never read as a template.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from colporteur.domain import look

log = logging.getLogger("colporteur.letters")

LANGUAGES = ("en", "fr")

NOTICES: dict[str, tuple[str, ...]] = {
    # to moderators
    "held": ("list", "title", "subject", "sender", "name", "received", "size", "reasons", "excerpt", "attached", "expires", "audience", "web", "link", "distribute", "reject", "discard", "reply"),
    "late": ("list", "title", "subject", "by", "at", "state"),
    "decided": ("list", "title", "subject", "state"),
    "unclear": ("list", "title", "subject", "reply"),
    # to the author
    "waiting": ("list", "title", "subject", "reasons", "expires"),
    "rejected": ("list", "title", "subject", "reason", "owner"),
    "distributed": ("list", "title", "subject"),
    "sent": ("list", "title", "subject"),
    "expired": ("list", "title", "subject", "received", "owner"),
    "undelivered": ("list", "title", "subject", "failed", "total", "addresses", "owner"),  # to owners, too
    # to owners and administrators
    "quarantined": ("list", "title", "subject", "sender", "received", "error", "link"),
    "trouble": ("thing", "error", "since", "link"),
    "recovered": ("thing", "link"),
    "newsletter": ("list", "title", "subject", "reason", "unsent", "link"),
    "archive": ("thing", "full", "percent", "days", "link"),
    "removals": ("list", "title", "thing", "removed", "before", "some", "link"),
    # about a list that is asked for or new
    "asked": ("list", "title", "template", "who", "email", "purpose", "owners", "link", "activate", "refuse"),
    "activated": ("list", "title", "reason", "link"),
    "refused": ("list", "title", "reason"),
    "created": ("list", "title", "who", "link", "days", "page"),
    "addresses": ("lists", "many", "days"),
    # to anybody
    "probe": ("list", "title", "email", "reason", "link", "owner"),
    "complained": ("list", "title", "email", "left", "link", "owner"),
    "signin": ("link", "minutes"),
    "mine": ("link", "days"),
    "address": ("email", "link", "hours"),
    "moving": ("organisation", "old", "email", "link", "hours"),
    "moved": ("organisation", "old", "email", "lists", "owner"),
    "signup": ("email", "link", "hours"),
    "security": ("what", "link"),
    "connect": ("provider", "email", "link", "minutes"),
    "merge": ("email", "link", "hours"),
    "help": ("list", "title", "owner", "unsubscribe", "request"),
    "commands": ("list", "title", "email", "wanted", "link", "reply"),
    "answer": ("list", "title", "results"),
    # about joining
    "joining": ("list", "title", "email", "owner", "link", "reply"),
    "invited": ("list", "title", "email", "owner", "link", "reply"),
    "joined": ("list", "title", "email", "owner", "leave"),
    "declined": ("list", "title", "email", "reason", "owner"),
    "admit": ("list", "title", "email", "name", "accept", "refuse", "reply"),
    "reminder": ("list", "title", "email", "owner", "leave"),
    "leaving": ("list", "title", "email", "decides", "link", "reply"),
    "left": ("list", "title", "email", "owner"),
    "parting": ("list", "title", "email", "name", "proven", "accept", "refuse", "reply"),
    "stays": ("list", "title", "email", "reason", "owner"),
}
"""Letter -> the fields it is given, all of them texts ready to show."""

OF_SITE = frozenset({"archive", "trouble", "recovered", "signin", "mine", "address", "signup", "security", "connect", "merge", "asked", "refused"})
"""Letters that are about no list, or about one that is not there yet: rewritten for the site only."""
NEEDED = {"signin": "link", "mine": "link", "address": "link", "signup": "link", "connect": "link", "merge": "link", "moving": "link"}
"""Fields without which a letter is of no use."""

_HERE = Path(__file__).parent
_OWN = {"cover": "#C6D4DC", "filet": "#134A72", "dark_cover": "#20323F", "dark_filet": "#5B8FB5"}
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If, nodes.Const,
    nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Filter,
)  # fmt: skip
_FILTERS = frozenset({"lines", "default"})
_ADDRESS = re.compile(r"(https?://[^\s<>\"'(){}\[\]]+[^\s<>\"'(){}\[\].,;:!?])")


class WordingError(ValueError):
    """An own text cannot be used; the message says why."""


class Head(NamedTuple):
    """What stands over the HTML part: the organisation's name, its colour (``rrggbb``) and the Content-ID of its logo, each "" for
    none, and how large the logo is shown (pixels). Without colour it is the product's own."""

    organisation: str = ""
    colour: str = ""
    logo: str = ""
    width: int = 0
    height: int = 0


OF_THE_SITE = Head()


class Texts(NamedTuple):
    """Sources of one letter: templates, or what came out of them. ``html`` empty: it is made from the text."""

    subject: str
    text: str
    html: str


def _lines(value: str) -> Markup:
    """A text of several lines as HTML."""
    return Markup("<br>").join(escape(line) for line in value.splitlines())


def _environment(escaping: bool) -> SandboxedEnvironment:
    made = SandboxedEnvironment(autoescape=escaping, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["lines"] = _lines if escaping else str
    return made


_PLAIN, _HTML = _environment(False), _environment(True)


@cache
def shipped(name: str, language: str) -> Texts:
    """The letter's own texts as they ship; English where the language is not one of ours."""
    folder = _HERE / name / (language if language in LANGUAGES else "en")
    return Texts(*((folder / part).read_text(encoding="utf-8") for part in Texts._fields))


@cache
def _frame() -> str:
    return (_HERE / "frame").read_text(encoding="utf-8")


def check(name: str, texts: Texts) -> None:
    """Raises ``WordingError`` with a sentence when one of the texts uses what a letter may not, or a field it has not."""
    used: set[str] = set()
    for source in texts:
        try:
            tree = _PLAIN.parse(source)
        except (TemplateError, RecursionError) as error:
            raise WordingError(f"line {getattr(error, 'lineno', 1)}: {error}") from error
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, _ALLOWED) or (isinstance(node, nodes.Filter) and node.name not in _FILTERS):
                raise WordingError(f"line {node.lineno}: only fields and conditions may be used here")
            if isinstance(node, nodes.Name) and node.name not in NOTICES[name]:
                raise WordingError(f"line {node.lineno}: there is no field {node.name!r} in this letter; known: {', '.join(NOTICES[name])}")
        used |= {node.name for node in tree.find_all(nodes.Name)}
    if (needed := NEEDED.get(name)) and needed not in used:
        raise WordingError(f"this letter is of no use without {{{{ {needed} }}}}")


def render(name: str, language: str, fields: Mapping[str, str], own: Texts | None = None, head: Head = OF_THE_SITE) -> Texts:
    """The letter filled in; ``own`` replaces the shipped texts where it is usable, and is reported where it is not.
    ``head``: of the organisation it is about; without one the letter is the site's.

    Raises ``KeyError`` for an unknown letter and ``ValueError`` when ``fields`` are not exactly the letter's.
    """
    if set(fields) != set(NOTICES[name]):
        raise ValueError(f"letter {name}: fields are {sorted(fields)}, not {sorted(NOTICES[name])}")
    if own is not None:
        try:
            check(name, own)
            return _filled(own, language, fields, head)
        except (WordingError, TemplateError) as error:
            log.warning("own text unusable letter=%s language=%s error=%s", name, language, error)
    return _filled(shipped(name, language), language, fields, head)


def subject(name: str, language: str, fields: Mapping[str, str]) -> str:
    """The shipped letter's subject filled in, without the rest of it; ``fields`` may be more than the letter's. Raises ``KeyError`` for an unknown letter."""
    if name not in NOTICES:
        raise KeyError(name)
    return _line(shipped(name, language).subject, fields)


def _as_html(text: str) -> Markup:
    """An own text as HTML: paragraphs, with web addresses to click. Nothing in it is read as markup."""
    return Markup("").join(Markup('<p style="margin:0 0 14px;">{}</p>\n').format(_clickable(part)) for part in re.split(r"\n{2,}", text.strip()))


def _clickable(text: str) -> Markup:
    pieces = _ADDRESS.split(text)
    shown = [Markup('<a href="{0}">{0}</a>').format(piece) if number % 2 else Markup("<br>").join(escape(line) for line in piece.split("\n")) for number, piece in enumerate(pieces)]
    return Markup("").join(shown)


@lru_cache(maxsize=300)
def _compiled(source: str, escaping: bool) -> Template:
    return (_HTML if escaping else _PLAIN).from_string(source)


@lru_cache(maxsize=1000)
def _tones(colour: str) -> dict[str, str]:
    if not colour:
        return _OWN
    light, dark = look.light(colour), look.dark(colour)
    return {"cover": light.cover, "filet": light.filet, "dark_cover": dark.cover, "dark_filet": dark.filet}


def _line(source: str, fields: Mapping[str, str]) -> str:
    return " ".join(_compiled(source, False).render(fields).split())


def _filled(texts: Texts, language: str, fields: Mapping[str, str], head: Head) -> Texts:
    subject = _line(texts.subject, fields)
    text = _compiled(texts.text, False).render(fields).strip() + "\n"
    content = Markup(_compiled(texts.html, True).render(fields)) if texts.html else _as_html(text)
    title = fields.get("title", "") or head.organisation or "Colporteur"
    return Texts(subject, text, _compiled(_frame(), True).render(content=content, language=language, subject=subject, title=title, head=head, **_tones(head.colour)))
