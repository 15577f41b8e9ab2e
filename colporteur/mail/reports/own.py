"""A report's own words: its text without the message it returns."""

from __future__ import annotations

import html
import re

from colporteur.mail import text
from colporteur.mail.structure import Part, Structure

LARGEST, LINES, WIDEST, MOST = 64 * 1024, 400, 1000, 40_000
"""Bytes of a part, lines of a report, characters of a line, and characters in all that are read."""

_RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/partial", "text/rfc822")
# Where the returned message begins, in the words of those who put it below their own.
_BELOW = re.compile(
    r"""(?ix)^[\s>*=_#|.-]* (?:
      .{0,60}\bbelow\ (?:this|the\ next|that)\ line | (?!.*\breceiv).{0,70}\bcopy\ of\ (?:the|your|my|this)\ (?:original\ |returned\ |first\ |undelivered\ )*(?:message|mail|e-?mail|part)
    | (?:the\ |your\ )?(?:original|returned|unsent|undelivered|forwarded)\ (?:e-?mail\ |mail\ )?(?:message|mail|e-?mail)s?
        (?:\ (?:text|headers?|body|details|content)s?)?\ *(?:follows?|as\ received|is\ attached|attached|below|reads|headers?|starts|removed|information|details)?[\s:.=*_#|-]*$
    | (?:the\ )?(?:header|first\ \d+\ lines|text|top\ \d+\ lines|body|header\ and\ top\ .{1,20})s?\ of\ (?:the|your)\ (?:original|message|mail|returned)
    | (?:message|mail)\ (?:headers?|text|body|contents?)\ (?:follows?|is\ following|suppressed|removed|attached)
    | start\ of\ returned | your\ (?:original\ )?message\ (?:reads|follows|was|text)\b(?!\ (?:not|auto|rej|del)) | .{0,30}headers?\ (?:of|from)\ (?:the\ )?(?:original|source)
    | (?:mensaje|mensagem|messaggio)\ original[ei]? | message\ (?:d['’]origine|initial|original)\b | (?:ihre\ )?(?:ursprüngliche|urspruengliche|original)[a-z-]*\ ?(?:nachricht|mail|message)
    | oorspronkelijk\ bericht | en-t[êe]tes\ (?:de\ message\ )?d['’]origine | urspr(?:ü|ue)ngliche\ nachrichtenkopf | encabezados\ (?:de\ mensajes?\ )?origin | intestazioni\ (?:del\ )?messagg
    | attachment\ is\ a\ copy | included\ (?:is|below) | content\ of\ (?:the|your)\ (?:original\ )?(?:message|mail)
    )"""
)
_FIELDS = re.compile(r"(?i)(?:>\s?)?(?:received: (?:from|by)\b|return-path: |dkim-signature: |mime-version: 1|x-mailman-version: )")
_BREAKS = re.compile(r"(?i)<(?:br|/p|/div|/tr|/li|/h\d|/table|p|hr|tr|li|/td)\b[^<>]*>")
_DROPPED = re.compile(r"(?is)<(style|script|head|title)\b.*?</\1\s*>|<!--.*?-->")
_TAG = re.compile(r"<(?![^<>\s@]+@[^<>\s]+>)/?[a-zA-Z!][^<>]*>")


def lines(found: Structure) -> list[str]:
    """The lines a reporter wrote, cleaned; empty ones are kept, they part paragraphs."""
    out: list[str] = []
    for part in found.leaves():
        if part.content_type in _RETURNED_TYPES:
            continue
        if not _readable(part):
            continue
        words = text.clean(text.decode(found.content(part, LARGEST), part.charset)[0])
        if part.content_type == "text/html" or words[:200].lstrip().lower().startswith(("<html", "<!doctype html")):
            if any(line.strip() for line in out):
                continue  # the same once more, for the eyes
            words = plain(words)
        kept, cut = _cut(words.replace("\r\n", "\n").split("\n"))
        out += [*kept, ""]
        if cut or len(out) > LINES:
            break
    room = MOST
    for number, line in enumerate(out):
        if (room := room - len(line)) < 0:
            return out[: min(number, LINES)]
    return out[:LINES]


def _readable(part: Part) -> bool:
    if part.content_type in ("text/plain", "text/html", "message/delivery-status"):
        return part.content_type != "message/delivery-status"
    return part.content_type.startswith(("multipart/", "text/")) and part.content_type not in ("text/calendar", "text/css", "text/x-vcard", "text/vcard")


def _cut(found: list[str]) -> tuple[list[str], bool]:
    """The lines before the returned message, and whether there is one."""
    kept: list[str] = []
    told = False
    for line in found[: LINES * 2]:
        line = line[:WIDEST].rstrip()
        if told and len(line) < 160 and (_BELOW.match(line) or _FIELDS.match(line)):
            return kept, True
        told |= bool(line.strip(" -=*_#\t"))
        kept.append(line)
    return kept, False


def plain(words: str) -> str:
    """HTML as lines of text: enough to find addresses and codes, never shown to anybody."""
    words = _DROPPED.sub(" ", words[:LARGEST])
    words = _BREAKS.sub("\n", words.replace("\r\n", " ").replace("\n", " "))
    return "\n".join(" ".join(html.unescape(_TAG.sub(" ", line)).replace("\xa0", " ").split()) for line in words.split("\n"))
