"""MJML as HTML (mjml.io; compiled by mrml). Nothing is read from files or the network: ``mj-include`` is refused."""

from __future__ import annotations

import re

from mjml import mjml2html

from colporteur.domain.words import Sentence
from colporteur.domain.words import gettext_noop as _
from colporteur.mail.html import too_deep

_KNOWN = frozenset(
    "mjml mj-head mj-body mj-attributes mj-all mj-class mj-breakpoint mj-font mj-html-attributes mj-selector mj-html-attribute mj-preview mj-style mj-title mj-accordion mj-accordion-element mj-accordion-text mj-accordion-title mj-button mj-carousel "
    "mj-carousel-image mj-column mj-divider mj-group mj-hero mj-image mj-navbar mj-navbar-link mj-raw mj-section mj-social mj-social-element mj-spacer mj-table mj-text mj-wrapper".split()
)  # fmt: skip
_TAG = re.compile(r"<(/?)(mj[\w-]*)((?:[^<>\"']|\"[^\"]{0,20000}+\"|'[^']{0,20000}+')*+)>")
_HOLDS = frozenset("mj-text mj-button mj-table mj-raw mj-navbar-link mj-social-element mj-accordion-text mj-accordion-title mj-style mj-title mj-preview".split())
"""Elements whose content is HTML or text."""
_REMARK = re.compile(r"<!--(?:[^-]|-(?!->))*+-->")

_TOLD = (("unexpected element", _("an element stands where it does not belong")), ("unexpected end", _("an element is not ended")))
_OTHER = _("it begins with <mjml>, values of attributes stand between quotation marks, and a text has no bare < or &")


class MjmlError(ValueError):
    """It cannot be compiled; ``sentence`` says why, with the line where that is known."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        super().__init__(sentence)


def to_html(source: str, word: str) -> str:
    """A whole document; ``word``: what words that stand for fields begin with. Raises ``MjmlError``."""
    source = _REMARK.sub(lambda found: "\n" * found[0].count("\n"), source)
    if too_deep(source):
        raise MjmlError(Sentence(_("the MJML nests deeper than any mail program reads")))
    _check(source)
    try:
        return str(mjml2html(_between_elements(source, word), fonts={}, include_loader=None))
    except ValueError as error:
        raise MjmlError(_sentence(source, str(error))) from error


def _check(source: str) -> None:
    """Elements known and closed, so that what is wrong is said with its line; the compiler gives the place of some things only."""
    open_: list[tuple[str, int]] = []
    line, at = 1, 0
    for tag in _TAG.finditer(source):
        line, at = line + source.count("\n", at, tag.start()), tag.start()
        name = tag[2]
        if name == "mj-include":
            raise MjmlError(Sentence(_("line %(line)s: mj-include is not taken; put what it names in its place"), line=line))
        if name not in _KNOWN:
            raise MjmlError(Sentence(_("line %(line)s: MJML has no element %(name)s"), line=line, name=name[:40]))
        if not tag[1] and not tag[3].rstrip().endswith("/"):
            open_.append((name, line))
        elif tag[1]:
            began, where = open_.pop() if open_ else ("", line)
            if began != name:
                raise MjmlError(_unclosed(began, where) if began else Sentence(_("line %(line)s: </%(name)s> ends what did not begin"), line=line, name=name))
    if open_:
        raise MjmlError(_unclosed(*open_[-1]))


def _between_elements(source: str, word: str) -> str:
    """With words between elements as comments: conditions around sections. The compiler keeps text only where text belongs."""
    token = re.compile(rf"{word}\d{{1,6}}x")
    pieces, end, holder = [], 0, ""
    for tag in _TAG.finditer(source):
        before = source[end : tag.start()]
        pieces += [before if holder else token.sub(r"<!--\g<0>-->", before), tag[0]]
        end = tag.end()
        if not holder and not tag[1] and tag[2] in _HOLDS and not tag[3].endswith("/"):
            holder = tag[2]
        elif tag[1] and tag[2] == holder:
            holder = ""
    return "".join([*pieces, source[end:]])


def _unclosed(name: str, line: int) -> Sentence:
    return Sentence(_("line %(line)s: <%(name)s> is not ended by </%(name)s>"), line=line, name=name)


def _sentence(source: str, words: str) -> Sentence:
    why = Sentence(next((told for said, told in _TOLD if said in words), _OTHER))
    if found := re.search(r"at position (\d+)", words):
        return Sentence(_("line %(line)s: the MJML cannot be read: %(words)s"), line=source.count("\n", 0, int(found[1])) + 1, words=why)
    return Sentence(_("the MJML cannot be read: %(words)s"), words=why)
