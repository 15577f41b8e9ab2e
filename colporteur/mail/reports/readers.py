"""Reports without structure, read the way people read them: whose address stands where.

Each reader knows one habit of writing, shared by many programs; the first that finds somebody is believed, and the vaguest
come last. None of them reads the message that is returned, nor takes the addresses of whoever sent or received the report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from colporteur.mail.reports.told import MOST, address

_ATOM = r"[A-Za-z0-9\u00a1-\uffff!#$%&*+/=?^_{|}~-]"
_LOCAL = rf"{_ATOM}(?:{_ATOM}|'){{0,63}}(?:\.(?:{_ATOM}|'){{1,64}}){{0,12}}"
_HOST = r"[A-Za-z0-9\u00a1-\uffff_-]{1,63}(?:\.[A-Za-z0-9\u00a1-\uffff_-]{1,63}){1,12}"
ADDRESS = rf"(?<![\w.@+!#$%&*/?^{{|}}~-])(?:{_LOCAL})@(?:{_HOST})(?![\w@-])"
_ANY = re.compile(ADDRESS)
_ROLES = re.compile(r"(?i)(?:postmaster|mailer-?daemon|abuse|help ?desk|support|webmaster|administrator|hostmaster|noreply|no-reply|info-?mail|tosa|antispam|spam)@")


@dataclass(frozen=True, slots=True)
class Found:
    """An address and what stands about it."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """A report's own lines, and addresses that are never the answer: those of who sent or received the report."""

    lines: Sequence[str]
    subject: str
    not_these: frozenset[str]


Reader = Callable[[Words], list[Found]]

_LABEL = re.compile(
    rf"""(?ix)^[\s>*#"'-]* (?:
      error-for | failed\ (?:recipient|address)(?:\ address)?s? | undeliverable(?:\ (?:address|to|mail\ to))? | undelivered\ to | intended\ recipients? | invalid\ (?:final\ delivery\ userid|recipient|address)
    | unknown\ (?:user|recipient|address) | recipients?(?:\ (?:address|name))? | rejected\ (?:recipient|address) | (?:final|original)-recipient | addressee | the\ following\ address(?:es)?\ failed
    | delivery\ failed\ \d+\ attempts | user\ not\ found | (?:user's\ )?mailbox\ (?:is\ )?full | no\ such\ user | not\ delivered\ to | unable\ to\ deliver\ (?:your\ |this\ )?(?:message\ |mail\ )?to | destinataires? | empf(?:ä|ae)nger(?:adresse)?
    | destinatarios? | destinatari(?:o)? | ontvangers? | adresse(?:\ e-?mail)?(?:\ du\ destinataire)? | failed\ to\ deliver\ to | mail\ to | could\ not\ deliver\ (?:message\ |mail\ )?to | email\ address | to\ address
    ) (?:\ ?\(e?s\))? \s*(?:[:=]|\ ) [\s"'<\[(]* (?:rfc822\s*;\s*|smtp:|mailto:)? (?P<who>{ADDRESS})"""
)
_LEADING = re.compile(rf"(?i)^[\s>*#-]*(?:\[?smtp:)?(?:\*\s*)?(?:[\"']?[^<>\"@]{{0,60}}[\"']?\s)?[<\[]+(?:smtp:|mailto:)?(?P<who>{ADDRESS})[>\]]+\s*(?:\([^()]*\)\s*)?(?P<colon>:|;|\.\.\.|-)?")
_COLON = re.compile(rf"^\s*[\"']?(?P<who>{ADDRESS})[\"']?\s*(?::(?!\w)|\.\.\.)")
_ALONE = re.compile(
    rf"""(?ix)^[\s>*#•·"'([{{<-]* (?:\d{{1,3}}[.)]\s+)? (?:(?:(?:recipient|to|address|e-?mail|smtp|rfc822|user|dda)\s*[:=;]\s*[\["'(<]*\s*){{0,2}})? (?:smtp[:=]|mailto:|[^@]{{0,90}}?dda:smtp=)?
    (?P<who>{ADDRESS}) [\s>"')\]}}]*(?P<rest>.*)$"""
)
# What comes next is a list of addresses.
_INTRODUCED = re.compile(
    r"""(?ix)
      (?:following|these|those|below|listed|affected|undelivered|intended)\b.{0,40}\b(?:recipient|address|user|mailbox|destination|addressee|distribution)
    | (?:recipient|address|user|addressee|destination)(?:s|es|\(s\)|\(es\))?\b.{0,60}\b(?:failed|fail|follow|rejected|had|not|errors?|listed|delayed|affected|undeliver|could|unknown|problem|reached|below)
    | (?:not|n't|never|unable|failed|failure|cannot|could|unsuccessful|impossible|undeliverable|delay|postponed|deferred|rejected)\b.{0,80}\b(?:deliver\w*|reach\w*|sent|send|receive\w*|address\w*|to|recipient\w*|mailbox|user)\b[^.]{0,50}[:;]?\s*$
    | did\ not\ reach | deliver(?:y|ed|able)\b.{0,60}\b(?:failed|fails|delayed|aborted|not|unsuccessful|postponed|rejected)
    | (?:failed|rejected|undelivered|undeliverable|unsent|invalid|unknown|bad)\ (?:recipient|address|user|addressee)e?s?
    | failed\ addresses | message\ not\ delivered\ to | message\ to\ :?\s*$ | your\ message\ to:?\s*$ | deliver(?:y|ed|ing)?\b.{0,40}\bto\b\s*:?\s*$ | delivery\ of\ .{0,30}\baddress
    | (?:remis|distribu[ée]|délivré|delivre|achemin[ée]|parvenu|livr[ée])\b | destinataires?\b.{0,60} | n'a\ pas\ pu | n'ont\ pas | échec\ de\ la\ remise
    | (?:nicht|konnte|unzustellbar|fehlgeschlagen|fehler)\b.{0,60}(?:zugestellt|zustell\w*|empf(?:ä|ae)nger\w*|erreich\w*|adress\w*|übermittelt)? | empf(?:ä|ae)nger\b | zustellung
    | (?:no\ (?:se\ )?(?:ha|han|pudo|pudieron|puede)\b | entregad[oa] | destinatario | direcci[óo]n | consegn\w+ | recapit\w+ | niet\ (?:worden\ )?(?:afgeleverd|bezorgd) | bezorg\w+ | aflever\w+ | ontvanger | n[ãa]o\ (?:p[ôo]de|foi) | entregue )
    | не\ может\ быть\ доставлен | не\ доставлен | 以下 | 無法 | 无法 | 送信 | 配信 | 宛先"""
)
_INLINE = re.compile(
    rf"""(?ix) (?:
      (?:message|mail|e-?mail|delivery|delivered|deliver|sent|reach|addressed|recipient|user|mailbox|address|account|gateway|remis|adress[ée]e?|parvenir|destinataire|an|für|empfänger|para|entreg\w+|destinatario|usuario|utente|buzón|casella|voor|aan)
      (?:\ (?:to|for|of|at|à|au|the|your|this|sent|addressed|intended|addresses?|user|recipients?|following|mailbox|account|local|named?|,|was|is|a|al|el|la|le|der|die|den|het|il|lo)){{0,6}}
      | following\ message,\ addressed\ to | expanded\ from | generated\ from | originally\ (?:addressed\ )?to | (?:not\ find|sent\ to|unable\ to\ deliver\ to|rcpt\ to)
      ) [\s:,]* [<\["'(‘“«*]{{0,3}}\s? (?:smtp:|mailto:)? (?P<who>{ADDRESS})"""
)
_REFUSED = re.compile(r"(?i)\b[45]\d\d[ -]|\b[45]\.\d{1,3}\.\d{1,3}\b|unknown|reject|refus|denied|no such|invalid|not found|does not exist|quota|full|disabled|unavailable|fail|error|not listed|wrong|no longer|undeliver|unrouteable|closed|could ?n[o']t|can ?not|not be\b|(?:pas|nicht|non|niet|n[ãa]o) ")
_STRUCK = re.compile(r"(?i)^\s*(?:from|sender|reply-to|return-path|de|von|da|van|message-id|date|subject|objet|betreff|received|contact|system contact|for (?:further )?(?:assistance|help|information)|please contact|if you)\b.{0,20}[:<]|envelope[- ]?sender|message-?id|postmaster|please contact|contact the|in-reply-to|references:|https?://\S+@")


def _usable(found: str, words: Words) -> str:
    one = address(found)
    return "" if not one or one in words.not_these else one


def _about(lines: Sequence[str], start: int, end: int) -> str:
    """What stands at and after a line: its paragraph, and the next where the paragraph is the address alone."""
    out: list[str] = []
    blank = 0
    for line in lines[start : min(end, start + 14)]:
        if not line.strip(" \t=*-_"):
            blank += 1
            if blank > 1 or (len(out) > 1 and _REFUSED.search(" ".join(out))):
                break
            continue
        out.append(line.strip())
    return " ".join(out)[:1500]


def _gathered(words: Words, spots: Iterator[tuple[int, str]]) -> list[Found]:
    """Addresses at lines, each with the text up to the next one."""
    named = [(number, one) for number, who in spots if (one := _usable(who, words))][: MOST * 4]
    first: dict[str, str] = {}
    for place, (number, one) in enumerate(named):
        later = next((line for line, other in named[place + 1 :] if other != one and line > number), len(words.lines))
        said = _about(words.lines, number, later)
        if one not in first or (not _REFUSED.search(first[one]) and _REFUSED.search(said)):
            first[one] = said
    return [Found(one, said) for one, said in first.items()][:MOST]


def labelled(words: Words) -> list[Found]:
    """``Failed Recipient: anna@example.org``."""
    spots = ((number, match["who"]) for number, line in enumerate(words.lines) if "@" in line and (match := _LABEL.match(line)) and not _STRUCK.search(line))
    return _gathered(words, spots)


def leading(words: Words) -> list[Found]:
    """``<anna@example.org>: why``, as qmail, Postfix and Yahoo write it; ``[anna@example.org]: why``."""

    def spots() -> Iterator[tuple[int, str]]:
        for number, line in enumerate(words.lines):
            if "@" not in line or _STRUCK.search(line):
                continue
            match = _LEADING.match(line)
            if (match and match["colon"] in (":", "...")) or (match := _COLON.match(line)):
                yield number, match["who"]

    return _gathered(words, spots())


def introduced(words: Words) -> list[Found]:
    """A sentence such as "could not be delivered to the following recipients:", and addresses below it, each on its line."""

    def spots() -> Iterator[tuple[int, str]]:
        open_for = 0
        for number, line in enumerate(words.lines):
            bare = line.strip(" \t=*-_#")
            if not bare:
                continue
            match = _ALONE.match(line) if "@" in line and open_for else None
            if match and not _STRUCK.search(line[: match.start("who")]) and not _sentence(match["rest"]):
                yield number, match["who"]
                open_for = 12
                continue
            open_for = 8 if _INTRODUCED.search(bare) and not _STRUCK.search(bare) else max(0, open_for - 1)

    return [*(found := _gathered(words, spots())), *_expanded(words, {one.address: one.text for one in found})]


def _expanded(words: Words, found: dict[str, str]) -> list[Found]:
    """``(expanded from: anna@example.org)``, as sendmail says to whom we wrote."""
    named = (match[1] for line in words.lines if found and (match := re.search(rf"(?i)\((?:expanded|generated) from:? <?({ADDRESS})", line)))
    return [Found(one, next(iter(found.values()))) for who in named if (one := _usable(who, words)) and one not in found]


def _sentence(rest: str) -> bool:
    """Whether an address only begins a sentence of advice."""
    return bool(re.match(r"(?i)\s*(?:if|for|or call|to (?:report|ask)|with|wrote)\b", rest))


def inline(words: Words) -> list[Found]:
    """``your message to anna@example.org could not be delivered``, in the subject too."""

    def spots() -> Iterator[tuple[int, str]]:
        for number, line in enumerate(words.lines):
            if "@" not in line or _STRUCK.search(line):
                continue
            near = " ".join(words.lines[max(0, number - 1) : number + 4])
            if _REFUSED.search(near) or _INTRODUCED.search(near):
                for match in _INLINE.finditer(line):
                    yield number, match["who"]

    return _gathered(words, spots()) or [Found(one, words.subject + " " + _about(words.lines, 0, 12)) for match in _INLINE.finditer(words.subject) if (one := _usable(match["who"], words))]


def transcript(words: Words) -> list[Found]:
    """The dialogue: ``RCPT TO:<anna@example.org>`` and the refusal after it; ``550 5.1.1 <anna@example.org>... User unknown``."""

    def spots() -> Iterator[tuple[int, str]]:
        for number, line in enumerate(words.lines):
            match = re.search(rf"(?i)rcpt to:?\s*<?({ADDRESS})", line) or re.search(rf"(?:^|\s)[45]\d\d[ -].{{0,60}}?<?({ADDRESS})", line)
            if match and _REFUSED.search(" ".join(words.lines[number : number + 3])):
                yield number, match[1]

    return _gathered(words, spots())


def near(words: Words) -> list[Found]:
    """An address on a line with a status or a word of refusal, or on the line before it; nobody's role."""

    def spots() -> Iterator[tuple[int, str]]:
        for number, line in enumerate(words.lines):
            if "@" in line and not _STRUCK.search(line) and _REFUSED.search(" ".join(words.lines[number : number + 2])):
                for match in _ANY.finditer(line):
                    if not _ROLES.match(match[0]):
                        yield number, match[0]

    return _gathered(words, spots())


def only(words: Words) -> list[Found]:
    """The one address there is, in a report that says that something failed."""
    said = " ".join(words.lines)[:4000]
    everybody = {one for match in _ANY.finditer(words.subject + " " + said) if not _ROLES.match(match[0]) and (one := _usable(match[0], words))}
    return [Found(everybody.pop(), said)] if len(everybody) == 1 and (_REFUSED.search(said) or _REFUSED.search(words.subject)) else []


READERS: tuple[Reader, ...] = (leading, labelled, introduced, transcript, inline, near, only)
