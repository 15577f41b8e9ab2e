"""Fields of a campaign: what a writer says for every reader, made ready once and filled in for each copy.

A template of nothing but fields (and filters) takes the fast lane: its values are put between prepared pieces. Conditions, loops
and calculations take the slow lane: each copy is worked out by the sandbox. Both give the same pieces in the same order. In HTML
values are escaped; inside an address of the web they are percent-encoded; in a style only plain words pass.
"""

from __future__ import annotations

import html as markup
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinja2 import meta, nodes
from markupsafe import escape

from colporteur.domain.campaigns import Lane
from colporteur.domain.words import Invalid, Sentence
from colporteur.domain.words import gettext_noop as _
from colporteur.mail import text as words
from colporteur.mail.campaigns import faults, filters, spip
from colporteur.mail.campaigns.places import places
from colporteur.mail.campaigns.sandbox import HTML, TEXT, Meter, Program, Unreadable, parsed
from colporteur.mail.campaigns.shelter import FIELD

FIELDS = ("email", "name", "first_name", "lists", "lang", "status", "url_unsubscribe", "url_preferences", "url_web")
"""What every campaign knows of a reader; the attributes of its lists come to it."""
COPY_TOKEN = "copy_token"
"""The field our own addresses name a copy by."""
READER_MARK = "reader_mark"
"""What stands behind a counted address: ``-`` and the token of the copy for whoever agreed to be named, nothing for everybody else."""

_LINES = frozenset({"email", "name", "first_name", "lang", "status", COPY_TOKEN})
_LONGEST_LINE = 300
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")


class Slot(NamedTuple):
    """A value in the fast lane. ``key``: equal ones always write the same."""

    key: str
    write: Callable[[Mapping[str, Any]], str]


class Written(NamedTuple):
    """What an author wrote, from which HTML and text were made: the lines faults are told by."""

    html: str
    text: str


class Part:
    """A subject, a text or an HTML part. ``pieces``: literal text and slots in turn; None where only the sandbox can tell."""

    def __init__(self, source: str, *, html: bool, known: Collection[str]) -> None:
        source = spip.translated(words.clean(re.sub(r"\r\n?", "\n", source)), known)
        sandbox = HTML if html else TEXT
        tree = parsed(_unescaped(source) if html else source, sandbox)
        names = meta.find_undeclared_variables(tree)
        if unknown := sorted(names - set(known)):
            raise Invalid.all_of(Invalid(_("there is no field called “%(name)s”; there are: %(known)s"), name=name, known=", ".join(one for one in known if one not in (COPY_TOKEN, READER_MARK))) for name in unknown)
        self.fields: frozenset[str] = frozenset(names)
        self.why = _why(tree)
        self.literals = places(tree, html=html)
        self.pieces: list[str | Slot] | None = None if self.why else _pieces(tree, html=html)
        self._program = Program(tree, sandbox) if self.why else None

    def chunks(self, values: Mapping[str, Any], meter: Meter) -> Iterator[str]:
        """The pieces of one copy in order. ``values``: as ``held`` gives them. Raises ``Invalid``."""
        if self._program:
            return self._program.chunks(dict(values), meter)
        return (piece if isinstance(piece, str) else piece.write(values) for piece in self.pieces or ())

    def read(self, values: Mapping[str, Any]) -> str:
        """What one reader reads. Raises ``Invalid``."""
        return "".join(self.chunks(values, Meter()))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A campaign's texts, checked and ready. ``why``: what needs the slow lane; ``fields``: what is used of a reader."""

    subject: Part
    html: Part
    text: Part
    lane: Lane
    why: tuple[Sentence, ...]
    fields: frozenset[str]

    def render(self, values: Mapping[str, Any]) -> tuple[str, str, str]:
        """Subject, HTML and text for one reader; fields nobody knows of this reader are empty. Raises ``Invalid`` with what went wrong."""
        known = held(values, self.fields)
        return words.line(self.subject.read(known)), self.html.read(known), self.text.read(known)


def compile(subject: str, preheader: str, html: str, text: str, attributes: Iterable[str] = (), written: Written | None = None) -> Compiled:
    """Check and prepare. ``attributes``: keys of the lists' own. ``html`` has been made harmless, with its fields and the preheader
    in it; the preheader is only checked. Raises ``Invalid`` with everything that is wrong, by the lines of ``written``."""
    known = tuple(dict.fromkeys((*FIELDS, COPY_TOKEN, READER_MARK, *(key for key in attributes if _NAME.fullmatch(key)))))
    parts, wrong = list[Part](), list[Invalid]()
    own_text = written is not None and written.text != written.html
    for source, rich, author, place in (
        (subject, False, None, _("in the subject: %(fault)s")), (html, True, written and written.html, ""),
        (text, False, written and written.text, _("in the text part: %(fault)s") if own_text else ""), (preheader, False, None, _("in the first line: %(fault)s")),
    ):  # fmt: skip
        try:
            parts.append(Part(source, html=rich, known=known))
        except Invalid as error:
            told = _by_its_author(author, known, html=rich or not own_text) if author is not None and isinstance(error, Unreadable) else error
            if place:
                told = Invalid.all_of(Invalid(place, fault=sentence) for sentence in told.sentences)
            if str(told) not in map(str, wrong):  # the text part says the same
                wrong.append(told)
    if wrong:
        raise Invalid.all_of(wrong)
    why = tuple(dict.fromkeys(sentence for part in parts for sentence in part.why))
    used = frozenset[str]().union(*(part.fields for part in parts))
    return Compiled(parts[0], parts[1], parts[2], Lane.SLOW if why else Lane.FAST, why, used | ({"email"} if used & {"name", "first_name"} else set()))


def _by_its_author(source: str, known: Collection[str], *, html: bool) -> Invalid:
    """The fault of a page, found again in what it was made from. Linear."""
    pieces, end = [], 0
    for field in FIELD.finditer(source):
        between = source[end : field.start()]
        if opened := re.search(r"\{[{%]", between):
            return Invalid(_("line %(line)d: %(reason)s"), line=source.count("\n", 0, end + opened.start()) + 1, reason=Sentence(faults.UNENDED))
        pieces += ["\n" * between.count("\n"), field[0]]
        end = field.end()
    if opened := re.search(r"\{[{%#]", source[end:]):
        return Invalid(_("line %(line)d: %(reason)s"), line=source.count("\n", 0, end + opened.start()) + 1, reason=Sentence(faults.UNENDED))
    try:
        Part("".join(pieces), html=html, known=known)
    except Unreadable as error:
        return error
    except Invalid:
        pass
    return Invalid(_("conditions or loops do not fit the elements they stand in: what begins inside a paragraph, a cell or a link has to end inside it"))


def held(values: Mapping[str, Any], used: Iterable[str]) -> dict[str, Any]:
    """The values that are used, made plain; what is one line by its nature in one line. A first name is taken from the name."""
    known: dict[str, Any] = {}
    for field in used:
        value = values.get(field)
        if field == "first_name" and not value:
            value = filters.first_name(values.get("name") or "")
        known[field] = words.line(filters.shown(value))[:_LONGEST_LINE] if field in _LINES else filters.plain(value)
    return known


def _unescaped(source: str) -> str:
    """HTML whose fields and conditions say ``<`` and ``"`` as they are, not as references. Linear."""
    out, position = [], 0
    for opening in re.finditer(r"\{[{%]", source):
        if opening.start() < position:
            continue
        closing = source.find("}}" if opening[0] == "{{" else "%}", opening.end())
        if closing < 0:
            break
        out += [source[position : opening.start()], markup.unescape(source[opening.start() : closing]).replace("\xa0", " ")]
        position = closing
    return "".join([*out, source[position:]])


# --- the fast lane -------------------------------------------------------------------------------------------------


def _why(tree: nodes.Template) -> tuple[Sentence, ...]:
    """What of a template cannot be put between prepared pieces, each once, in words."""
    found: dict[Sentence, None] = {}
    for kind, sentence in _SLOW.items():
        if next(tree.find_all(kind), None) is not None:
            found[Sentence(sentence)] = None
    if not found and not all(_simple(child) for output in tree.find_all(nodes.Output) for child in output.nodes):
        found[Sentence(_("a calculation"))] = None
    return tuple(found)


_SLOW: dict[type[nodes.Node], str] = {
    nodes.If: _("a condition ({%% if %%})"), nodes.CondExpr: _("a condition ({{ … if … else … }})"), nodes.For: _("a loop ({%% for %%})"), nodes.Assign: _("a value of its own ({%% set %%})"),
}  # fmt: skip


def _simple(node: nodes.Node) -> bool:
    """A field through filters, or literal text."""
    while isinstance(node, nodes.Filter):
        if not all(isinstance(argument, nodes.Const | nodes.Name) for argument in node.args) or node.node is None:
            return False
        node = node.node
    return isinstance(node, nodes.Name | nodes.TemplateData | nodes.Const)


def _pieces(tree: nodes.Template, *, html: bool) -> list[str | Slot]:
    """The template cut at its fields."""
    pieces: list[str | Slot] = []
    for child in (child for output in tree.find_all(nodes.Output) for child in output.nodes):
        if isinstance(child, nodes.TemplateData):
            if pieces and isinstance(pieces[-1], str):
                pieces[-1] += child.data
            else:
                pieces.append(child.data)
        else:
            pieces.append(Slot(repr(child), _writer(_value(child), html)))
    return pieces


def _writer(value: Callable[[Mapping[str, Any]], Any], html: bool) -> Callable[[Mapping[str, Any]], str]:
    if html:
        return lambda values: str(escape(filters.shown(value(values))))
    return lambda values: filters.shown(value(values))


def _value(node: nodes.Node) -> Callable[[Mapping[str, Any]], Any]:
    """How a simple expression is worked out: the same functions in the same order as in the sandbox."""
    if isinstance(node, nodes.Const):
        fixed = node.value
        return lambda _values: fixed
    if isinstance(node, nodes.Name):
        field = node.name
        return lambda values: values.get(field)
    assert isinstance(node, nodes.Filter) and node.node
    change, inner, arguments = TEXT.filters[node.name], _value(node.node), [_value(argument) for argument in node.args]
    if not arguments:
        return lambda values: change(inner(values))
    return lambda values: change(inner(values), *[argument(values) for argument in arguments])
