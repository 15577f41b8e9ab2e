"""A newsletter from its source: HTML with its styles inlined and its fields in their places, and the text part.

source -> fields sheltered -> HTML -> made harmless -> set in its frame -> styles inlined -> fields back.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Mapping
from typing import NamedTuple

import css_inline

from colporteur.domain.campaigns import Editor
from colporteur.domain.words import Sentence
from colporteur.domain.words import gettext_noop as _
from colporteur.mail.campaigns import frames, html, markdown, mjml, omitted, plain, text
from colporteur.mail.campaigns.frames import Look
from colporteur.mail.campaigns.shelter import Shelter

MOST_SOURCE = 512 * 1024
"""Characters of a source; mail programs cut what is a fifth of it."""
_COLOURED = re.compile(r"(?i)bgcolor|color\s*=|color:")
_PICTURE = re.compile(r"<p>(<img [^<>]*>)</p>")
_BUTTON = re.compile(r"<p><strong>(<a [^<>]*>[^<>]*</a>)</strong></p>")
_IMAGE = re.compile(r"<img src=\"([^\"<>]*)\"")
_TABLE = re.compile(r"<table>")
_WIDEST = 528
_inliner = css_inline.CSSInliner(inline_style_tags=True, keep_style_tags=False, keep_at_rules=False, load_remote_stylesheets=False, base_url=None, extra_css=None)


class Draft(NamedTuple):
    """What somebody wrote. ``text``: a text part of their own, None for one made from the source."""

    editor: Editor
    source: str
    template: str = ""
    subject: str = ""
    preheader: str = ""
    text: str | None = None


class Problem(NamedTuple):
    """Something to mend; ``grave``: it cannot be sent so."""

    sentence: Sentence
    grave: bool = False


class Made(NamedTuple):
    """Both parts, with fields in them, and what is wrong."""

    html: str
    text: str
    problems: tuple[Problem, ...]


def made(draft: Draft, look: Look, *, own: str = "", sizes: Mapping[str, tuple[int, int]] | None = None) -> Made:
    """Both parts of a newsletter. ``own``: what our own pictures' addresses begin with; ``sizes``: address of a picture -> its pixels.

    What cannot be made is said in ``problems``; the parts are then what could be had. Never raises on what somebody wrote.
    """
    if len(draft.source) > MOST_SOURCE:
        return Made("", draft.text or "", (Problem(Sentence(_("the newsletter is too large: %(size)s KB, %(most)s KB are taken"), size=len(draft.source) // 1024, most=MOST_SOURCE // 1024), True),))
    held = Shelter(draft.source, draft.subject, draft.preheader, look.title, look.identity)
    source = held.take(draft.source.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        raw = _html(draft.editor, source, held, sizes or {})
    except mjml.MjmlError as error:
        return Made("", draft.text or "", (Problem(error.sentence, True),))
    clean = html.clean(raw, held, own)
    problems = [Problem(sentence) for sentence in (*clean.problems, *_omitted(draft.editor, source, clean))]
    written = _text(draft, look, held, source, clean.body)
    whole, lost = _framed(draft, look, held, clean)
    if lost:
        problems.append(Problem(Sentence(_("these fields stand where HTML cannot hold them, as in a style, a remark or between attributes: %(fields)s"), fields=", ".join(lost)[:200]), True))
    return Made(whole, written, tuple(problems))


def _html(editor: Editor, source: str, held: Shelter, sizes: Mapping[str, tuple[int, int]]) -> str:
    if editor is Editor.HTML:
        return source
    if editor is Editor.MJML:
        return mjml.to_html(source, held.word) if source.strip() else ""
    if editor is Editor.TEXT:
        return plain.to_html(source)
    return _dressed(markdown.to_html(source, held), sizes)


def _omitted(editor: Editor, source: str, clean: html.Clean) -> list[Sentence]:
    """What of HTML is left out, said to who wrote it; what a compiler wrote is its own affair, and the other languages show tags as text."""
    if editor not in (Editor.HTML, Editor.MJML):
        return []
    return omitted.elements(source, html.KEPT) + (omitted.of_styles(clean.dropped) if editor is Editor.HTML else [])


def _dressed(body: str, sizes: Mapping[str, tuple[int, int]]) -> str:
    """Markdown's HTML with what frames know: pictures of their size, a picture alone, a bold link alone as a button, tables."""

    def sized(found: re.Match[str]) -> str:
        width = min(sizes.get(entities.unescape(found[1]), (0, 0))[0], _WIDEST)
        return f'{found[0]} width="{width}"' if width else found[0]

    body = _PICTURE.sub(r'<p class="cp-picture">\1</p>', _IMAGE.sub(sized, body))
    body = _TABLE.sub('<table class="cp-table" cellpadding="0" cellspacing="0">', body)
    return _BUTTON.sub(r'<table role="presentation" class="cp-button" cellpadding="0" cellspacing="0"><tr><td>\1</td></tr></table>', body)


def _framed(draft: Draft, look: Look, held: Shelter, clean: html.Clean) -> tuple[str, list[str]]:
    dark = draft.editor in (Editor.MARKDOWN, Editor.TEXT) or "prefers-color-scheme" in clean.sheet.special or not _COLOURED.search(clean.body + clean.sheet.rules)
    foot = frames.foot_of(look)
    if draft.template:
        foot = foot._replace(because=held.take(foot.because), links=tuple((words, held.take(address)) for words, address in foot.links))
    whole = frames.document(draft.template, look, foot, subject=held.take(draft.subject), preheader=held.take(draft.preheader), body=clean.body, dark=dark and bool(draft.template))
    rules = f"<style>{frames.rules(draft.template, look)}{clean.sheet.rules}</style></head>"
    whole = _inliner.inline(whole.replace("</head>", rules, 1)).replace("{", "&#123;")
    special = frames.special(draft.template, look, dark) + clean.sheet.special
    if special:
        whole = whole.replace("</head>", f"<style>{special}</style></head>", 1)
    return held.back(whole), held.lost(whole)


def _text(draft: Draft, look: Look, held: Shelter, source: str, body: str) -> str:
    if draft.text is not None:
        written = draft.text.replace("\r\n", "\n").strip()
    elif draft.editor is Editor.TEXT:
        written = held.back(source).strip()
    else:
        written = held.back(text.of_html(body, held.word))
    if not draft.template or "url_unsubscribe" in written:
        return written + "\n"
    return f"{written}\n\n{frames.text_foot(look)}\n"
