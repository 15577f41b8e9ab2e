"""HTML of a newsletter made harmless: what mail programs show stays, whatever runs, submits, covers or loads goes.

Tables, their attributes, classes and styles stay; pictures come from https, from the message itself or from our own addresses.
Remarks of mail programs (``<!--[if mso]>``) stay where nothing but tables stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import nh3

from colporteur.domain.words import Sentence
from colporteur.domain.words import gettext_noop as _
from colporteur.mail.campaigns import styles
from colporteur.mail.campaigns.shelter import Shelter, between_tags
from colporteur.mail.html import DROPPED, TAGS, to_text, too_deep

KEPT = TAGS | set("address article aside big bdi bdo figcaption figure footer header main mark nav section time wbr".split())
"""Elements that stay."""
_SIZED = {"width", "height", "align", "valign", "bgcolor"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "class", "id", "align", "dir", "lang", "title", "role", "aria-label", "aria-hidden", "aria-roledescription"},
    "a": {"href", "name"}, "img": {"src", "alt", "width", "height", "border"}, "font": {"color", "face", "size"}, "ol": {"start", "type"}, "ul": {"type"},
    "li": {"value"}, "hr": {"width", "size", "color"}, "table": {"border", "cellpadding", "cellspacing", "summary"} | _SIZED, "tr": _SIZED, "tbody": {"valign"},
    "thead": {"valign"}, "td": {"colspan", "rowspan", "nowrap", "headers"} | _SIZED, "th": {"colspan", "rowspan", "nowrap", "scope"} | _SIZED,
    "col": {"span", "width"}, "colgroup": {"span", "width"}, "blockquote": {"type"}, "time": {"datetime"},
}  # fmt: skip
_NUMBERS = frozenset("width height border cellpadding cellspacing colspan rowspan span start size value".split())
_STYLE = re.compile(r"(?is)<style\b([^>]{0,500})>(.*?)(?:</style\s*>|\Z)|<!--.*?(?:-->|\Z)")
_MEDIA = re.compile(r"(?i)\bmedia\s*=\s*[\"']([\w\s():,.-]{1,200})[\"']")
_BODY = re.compile(r"(?i)<(/?)body\b")
_REMARK = re.compile(r"(?i)<!--\[if ([\w\s|&!()]{1,40})\]>((?:\s|<[^<>]{1,1000}>){0,200}?)<!\[endif\]-->")
_REMARK_TAG = re.compile(
    r"(?i)<(?:/(?:table|tbody|tr|td|div|p|center)|(?:table|tbody|tr|td|div|p|br|center)(?:\s++(?:align|valign|border|cellpadding|cellspacing|role|style|width|height|class|bgcolor|dir|lang)=\"[\w\s:;.#%,()'/-]{0,500}+\")*+\s*/?)>"
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SCHEMES = ("http", "https", "mailto", "tel", "sms")
_STARTS = re.compile(r"(?i)\s*(?:https?://|mailto:|tel:|sms:|#)")
_OUR_NAMES = "url_(?:unsubscribe|preferences|web|desinscription|desabonnement|en_ligne)"
_OURS = re.compile(rf"\{{\{{\s*{_OUR_NAMES}\s*\}}\}}|@@?{_OUR_NAMES}@@?|#ENV\*{{0,2}}\{{{_OUR_NAMES}\}}")
"""Fields whose value is an address of ours; any other may hold what a reader wrote."""


class Clean(NamedTuple):
    """A body, and the stylesheets that were with it; what of it was not taken, each a sentence; ``dropped``: parts of its styles."""

    body: str
    sheet: styles.Sheet
    problems: tuple[Sentence, ...]
    dropped: tuple[str, ...]


def clean(source: str, held: Shelter, own: str) -> Clean:
    """HTML, a whole document or part of one, made harmless. ``held``: the fields of it; ``own``: what our own pictures' addresses begin with.

    Words that stand for fields stay, between tags as comments. Linear, but for tags nested deeply, which are refused.
    """
    problems: list[Sentence] = []
    sheets: list[styles.Sheet] = []
    remarks: list[str] = []
    dropped: list[str] = []

    def taken(found: re.Match[str]) -> str:
        if found[2] is None:
            return _remark(found[0], held.word, remarks)
        media, css = _MEDIA.search(found[1]), re.sub(rf"[^{{}};]*{held.word}[^{{}};]*", "", found[2])
        sheets.append(styles.sheet(f"@media {media[1]}{{{css}}}" if media else css))
        dropped.extend(sheets[-1].dropped)
        return ""

    source = _BODY.sub(r"<\1div", _STYLE.sub(taken, source.replace("\x00", "")))
    if too_deep(source):
        problems.append(Sentence(_("the HTML nests deeper than any mail program reads: only its text was taken")))
        source = f"<p>{nh3.clean_text(to_text(source))}</p>"
    body = nh3.clean(
        between_tags(source, held.word), tags=KEPT, clean_content_tags=DROPPED, attributes=_ATTRIBUTES, attribute_filter=_filter(held, own, problems, dropped),
        url_schemes={"cid", *_SCHEMES, *_branches(held)}, url_relative="pass_through", link_rel=None, strip_comments=False,
    )  # fmt: skip
    if "<tbody" not in source.lower():  # a parser puts it around rows, after the condition or loop that they stand in
        body = re.sub(rf"((?:<!--{held.word}\d{{1,6}}x-->\s*)++)<tbody>", r"<tbody>\1", body)
    body = _COMMENT.sub(lambda found: _inner(found[0], held.word, remarks), body)
    return Clean(body, styles.Sheet("".join(one.rules for one in sheets), "".join(one.special for one in sheets)), tuple(dict.fromkeys(problems)), tuple(dropped))


def _remark(comment: str, word: str, remarks: list[str]) -> str:
    """Nothing in place of a comment, or a short one in place of one for Outlook, which is kept aside."""
    if re.fullmatch(rf"<!--{word}\d{{1,6}}x-->", comment):
        return comment  # a field, as the MJML compiler kept it
    found = _REMARK.fullmatch(comment)
    if found is None or not found[2].strip() or _REMARK_TAG.sub("", found[2]).strip():
        return ""
    content = re.sub(r"(?i)\sstyle=\"([^\"]*)\"", lambda style: f' style="{styles.declarations(style[1])}"', found[2])
    remarks.append(f"<!--[if {found[1]}]>{content}<![endif]-->")
    return f"<!--{word}r{len(remarks) - 1}x-->"


def _inner(comment: str, word: str, remarks: list[str]) -> str:
    if found := re.fullmatch(rf"<!--{word}r(\d{{1,6}})x-->", comment):
        return remarks[int(found[1])]
    return comment if re.fullmatch(rf"<!--{word}\d{{1,6}}x-->", comment) else ""


def _filter(held: Shelter, own: str, problems: list[Sentence], dropped: list[str]) -> Callable[[str, str, str], str | None]:
    def kept(_tag: str, name: str, value: str) -> str | None:
        if name == "style":
            if held.word in value:
                problems.append(Sentence(_("a field stands inside a style, where none can: %(style)s"), style=held.tell(value)[:80]))
                value = ";".join(one for one in value.split(";") if held.word not in one)
            return styles.declarations(value, dropped) or None
        if name == "src":
            return _picture(value, held, own, problems)
        if name == "href":
            return _address(value, held, problems)
        if name in _NUMBERS:
            return value if re.fullmatch(r"[+-]?\d{1,4}(?:\.\d{1,3})?(?:%|px)?|auto", value.strip()) else None
        return value if len(value) <= 2000 else None

    return kept


def _picture(value: str, held: Shelter, own: str, problems: list[Sentence]) -> str | None:
    value = value.strip()
    if value.lower().startswith(("https://", "cid:")) or (own and value.startswith(own)):
        return value
    problems.append(Sentence(_("a picture was left out, pictures come from https addresses or are uploaded: %(address)s"), address=held.tell(value)[:120] or "?"))
    return None


def _address(value: str, held: Shelter, problems: list[Sentence]) -> str | None:
    """Where a link leads: the web, a mailbox, a telephone, or what a field of ours names."""
    pieces = [piece for piece in _split(value.strip(), held) if piece.strip()]
    if not value.strip() or (pieces and all(_leads(piece, held) for piece in pieces)):
        return value.strip()
    problems.append(Sentence(_("a link was left out: %(address)s does not begin with https:// (or mailto:, tel:, or a field of addresses such as {{ url_web }})"), address=held.tell(value)[:120]))
    return None


def _split(value: str, held: Shelter) -> list[str]:
    """What may come first in an address: all of it, or what stands between conditions when it begins with one."""
    first = held.token.match(value)
    if first is None or not held.fields[int(first[1])].startswith("{%"):
        return [value]
    return re.split("|".join(f"{held.word}{number}x" for number, field in enumerate(held.fields) if field.startswith("{%")), value)


def _branches(held: Shelter) -> set[str]:
    """What a parser takes for the scheme of an address that begins with a condition."""
    return {f"{held.word}{number}x{scheme}" for number, field in enumerate(held.fields) if field.startswith("{%") for scheme in _SCHEMES}


def _leads(piece: str, held: Shelter) -> bool:
    if _STARTS.match(piece):
        return True
    first = held.token.match(piece.strip())
    return bool(first and _OURS.fullmatch(held.fields[int(first[1])]))
