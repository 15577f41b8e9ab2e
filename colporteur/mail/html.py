"""HTML of others, made harmless for our pages and letters; and as plain text.

``nh3`` does the work. Nothing of the result loads anything from outside, runs, submits or covers the page around it.
"""

from __future__ import annotations

import html
import re

import nh3

_MAX_DEPTH = 300  # the sanitiser takes quadratic time in nesting
TAGS = set(
    "a abbr b blockquote br caption center cite code col colgroup dd del dfn div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp "
    "small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var".split()
)
DROPPED = set("script style head title template noscript iframe object embed applet svg math form select textarea button input audio video canvas".split())
_LOOK = {"style", "align", "valign", "dir", "lang"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": _LOOK, "a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "font": {"color", "face", "size"}, "ol": {"start", "type"},
    "table": {"width", "border", "cellpadding", "cellspacing", "bgcolor"}, "td": {"width", "colspan", "rowspan", "bgcolor"},
    "th": {"width", "colspan", "rowspan", "bgcolor"}, "tr": {"bgcolor"}, "col": {"width", "span"}, "abbr": {"title"},
}  # fmt: skip
_STYLES = set(
    "color background-color font-family font-size font-style font-weight line-height letter-spacing text-align text-decoration text-indent text-transform "
    "vertical-align white-space width max-width padding padding-top padding-right padding-bottom padding-left margin-top margin-bottom "
    "border border-top border-right border-bottom border-left border-color border-style border-width border-collapse border-spacing border-radius list-style-type".split()
)
_OPENED = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)")
_FLAT = frozenset("area base br col dd dt embed hr img input li link meta option p param source tbody td tfoot th thead tr track wbr".split())
_BREAK = re.compile(r"(?i)<(?:br|/p|/div|/tr|/li|/h[1-6]|/table|/blockquote|hr)\b[^>]{0,500}>")
_INLINE_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*+")


def _filter(_tag: str, name: str, value: str) -> str | None:
    if name == "style" and re.search(r"(?i)url|expression|\\|@|image", value):
        return None
    if name == "src":
        return value if _INLINE_IMAGE.fullmatch(value) else None
    if name == "href":
        return value if re.match(r"(?i)\s*(https?:|mailto:|tel:)", value) else None
    if name in ("width", "height", "border", "cellpadding", "cellspacing", "colspan", "rowspan", "span", "start", "size"):
        return value if re.fullmatch(r"[+-]?\d{1,4}%?", value.strip()) else None
    return value


def too_deep(source: str) -> bool:
    """Whether elements nest deeper than any honest mail; a cheap estimate from the tags, linear."""
    level = deepest = 0
    for tag in _OPENED.finditer(source):
        if tag[2].lower() not in _FLAT:
            level = max(0, level - 1) if tag[1] else level + 1
            deepest = max(deepest, level)
    return deepest > _MAX_DEPTH


def sanitise(source: str) -> str:
    """HTML without scripts, forms, remote images and styles that reach outside their box; links open apart and tell nobody
    where they were clicked. Deeper nested than 300 elements: the text alone, escaped."""
    source = source.replace("\x00", "")
    if too_deep(source):
        return f"<pre>{html.escape(to_text(source))}</pre>"
    return nh3.clean(
        source,
        tags=TAGS,
        clean_content_tags=DROPPED,
        attributes=_ATTRIBUTES,
        attribute_filter=_filter,
        filter_style_properties=_STYLES,
        url_schemes={"http", "https", "mailto", "tel", "data"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def to_text(source: str) -> str:
    """The text of an HTML document, with line breaks where blocks end. Linear."""
    broken = _BREAK.sub("\n", re.sub(r"[ \t\r\n]+", " ", source.replace("\x00", "")))
    stripped = re.sub(r"<[^<>]*+>?", "", broken) if too_deep(broken) else nh3.clean(broken, tags=set(), clean_content_tags=DROPPED, attributes={})
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in html.unescape(stripped).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
