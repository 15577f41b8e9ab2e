"""Reading a report: what kind it is, about whom, why; and which of our copies it returns.

Machines' own formats first, then the habits of programs that have none. A message that fits nothing is said to be
unrecognised, and counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from colporteur.domain import bounces
from colporteur.domain.bounces import Kind
from colporteur.mail import headers, parse, structure, text
from colporteur.mail.parse import Skim
from colporteur.mail.reports import library, own, structured
from colporteur.mail.reports.automatic import Automatic, automatic
from colporteur.mail.reports.readers import READERS, Found, Words
from colporteur.mail.reports.told import Action, Told, address, told
from colporteur.mail.structure import Structure

__all__ = ["Report", "Told", "read"]

LARGEST = 2 * 1024 * 1024
"""Bytes of a report that are read; what returns a larger message says why before it."""

_DELAY = re.compile(
    r"""(?ix) \b(?:delay(?:ed)?\b(?!\ (?:reason|code)) | not\ yet\ been\ delivered | not\ yet\ delivered | warning\ message\ only | will\ (?:continue|be\ retried|keep|try\ again|retry|still)
    | still\ (?:being\ )?(?:try|attempt|queued) | (?:has\ been\ |been\ )?(?:postponed|deferred)\b | do\ not\ need\ to\ resend | attempts\ will\ continue | continue\ to\ (?:be\ )?(?:attempt|try|made) | could\ not\ send\ message\ for\ past
    | retard[ée]e?\b | n'a\ pas\ encore | verz(?:ö|oe)ger | noch\ nicht\ zugestellt | retrasad | demorad | ritard | vertraagd | atrasad | temporary\ warning)"""
)
_FINAL = re.compile(
    r"(?i)permanent(?:ly)?\b|giv(?:en|ing) up|returned to sender|returning message|has been removed|could not be delivered for|will not be (?:retried|attempted)|failed permanently|fatal error|not going to try|no further"
)
_GONE = re.compile(
    r"""(?ix) (?: (?:i\ am|i'm|i\ will\ be|we\ are)\ (?:currently\ |now\ )?(?:out|away|on\ (?:vacation|leave|holiday)|absent|not\ (?:in|at)\b) | out\ of\ (?:the\ )?office | will\ (?:be\ back|return|reply|respond)\ (?:on|in|when|upon|as)
    | thank\ you\ for\ (?:your|contacting) | je\ (?:suis|serai)\ (?:actuellement\ )?(?:absent|en\ (?:congé|vacances|déplacement)) | de\ retour\ le | votre\ (?:message|demande)\ a\ bien\ été | nous\ avons\ bien\ reçu
    | (?:ich\ bin|bin\ ich|wir\ sind)\ .{0,40}(?:nicht|abwesend|urlaub|wieder) | estoy\ .{0,30}(?:vacaciones|ausente|fuera) | estar[ée]\ .{0,30}(?:ausente|fuera) | sono\ .{0,30}(?:assente|ferie|fuori) | ik\ ben\ .{0,40}(?:afwezig|vakantie)
    | estou\ .{0,30}(?:aus[êe]nte|f[ée]rias|fora) | no\ longer\ (?:check|monitor|us)\w* (?:this|the)? )"""
)
_CHALLENGE = re.compile(
    r"(?i)boxtrapper|mailinblack|spam ?arrest|tmda|(?:confirm|verif|authentif|valider?)\w*.{0,40}(?:your (?:message|e-?mail|address|identity)|sender|exp[ée]diteur|vous êtes)|challenge[ -]response|please (?:click|reply) .{0,60}(?:deliver|confirm)|demande d['’]authentification"
)
_FAILED_SUBJECT = re.compile(r"(?i)user unknown|not (?:been )?deliver|non[ -]?delivery|(?:mail|message) (?:could not|warning)|warning: (?:message|could)|delivery (?:status|warning|notification|problem)|undeliver|non remis|returned|failure|fail(?:ed)?\b|unzustellbar|nicht zugestellt|rejected|bounce|error|no entregado|puede entregar|entregar|entrega\b|(?:non|mancato) recapit|non distribu|mancato|onbestelbaar|problem|не доставлен|échec|refus[ée]")
# What every report of a program says, whatever happened.
_FRAME = re.compile(
    r"(?i)created automatically|one or more|of your message|following (?:address|recipient)|permanent error|attempts?\b|please|contact|verify|check|assistance|sorry|failed recipient|this (?:is|mail|message) (?:is )?an? auto|do not reply|mailer-daemon|undisclosed|mail system error"
)
_FAILS = re.compile(
    r"(?i)\s*(?:\W*)(?:undeliver|non-?delivery|returned mail|(?:mail|message|delivery|e-?mail)\b.{0,12}\b(?:could not|not (?:be )?deliver|fail|status notif|error|problem|return)|delivery (?:fail|status|notif|report)|failure notice|unzustellbar|non remis)"
)
_RETURNED_ID = re.compile(rb"(?im)^[> \t]{0,8}Message-ID:[ \t]*(?:\r\n[ \t]+)?(<[^<>\r\n]{1,900}>)")
_REFERRED = re.compile(rb"(?im)^(?:X-Original-Message-ID|Original-Message-ID|In-Reply-To|References)[ \t]*:[ \t]*(?:\r\n[ \t]+)?(<[^<>\r\n]{1,900}>)")


@dataclass(frozen=True, slots=True)
class Report:
    """What a message says. ``told``: one entry for each recipient, one with an empty address when nobody can tell whom; empty
    for what is no report. ``reader``: who understood it. ``tokens``: unverified. ``message_ids``: of the returned message."""

    automatic: Automatic
    told: tuple[Told, ...]
    reader: str
    subject: str = ""
    tokens: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """What the whole of it is: the gravest of what it tells."""
        order = (Kind.DEAD, Kind.MAILBOX_STATE, Kind.OURS, Kind.COMPLAINT, Kind.TEMPORARY, Kind.UNKNOWN, Kind.AUTOMATIC, Kind.SUCCESS)
        return min((one.verdict.kind for one in self.told), key=order.index, default=Kind.UNKNOWN)


def read(raw: bytes, mail_from: str | None = None) -> Report:
    """Read a message that may be a report. ``mail_from``: envelope sender, None when the door could not tell. Never raises; linear
    but for what is bounded."""
    raw = raw[:LARGEST]
    found = structure.scan(raw)
    skim = parse.skim_structure(found, len(raw))
    if mail_from is None and skim.fields.get("return-path", ("",))[0] == "<>":
        mail_from = ""  # whoever put it into a mailbox wrote the envelope sender down
    kind, _evidence = automatic(skim, mail_from)
    tells, reader = _told(raw, found, skim, kind)
    return Report(kind, tuple(tells), reader, skim.subject, headers.returned_tokens(found.data), _returned_ids(found, skim))


def _told(raw: bytes, found: Structure, skim: Skim, kind: Automatic) -> tuple[list[Told], str]:
    if tells := structured.complaint(found):
        return _whom_else(tells, found), "complaint"
    lines = own.lines(found)
    receipt = structured.receipt(found)
    if not receipt and (tells := structured.delivery(found)):
        return [_clearer(one, lines) for one in tells], "delivery report"
    said = " ".join(" ".join(lines).split())[:4000]
    if receipt and not re.search(r"(?i)automatically rejected|was rejected", skim.subject + " " + said):
        return receipt, "receipt"
    if kind is Automatic.NONE and _says_failure(skim, lines):
        kind = Automatic.REPORT
    if kind is Automatic.NONE or (kind in (Automatic.AUTO_REPLY, Automatic.GENERATED, Automatic.BULK, Automatic.LIST) and not _of_a_failure(skim, said)):
        return _answered(skim, kind, said)
    if _GONE.search(said) and not _FAILED_SUBJECT.search(skim.subject) and not _of_a_daemon(skim):
        return _answered(skim, Automatic.AUTO_REPLY, said)
    return _read_words(raw, skim, lines, said)


def _clearer(one: Told, lines: list[str]) -> Told:
    """A recipient of a delivery report whose fields say too little, with what the text above them says about it."""
    if one.verdict.reason not in ("unclear", "later", "policy", "format", "their_trouble") or (one.text and one.verdict.reason != "unclear"):
        return one
    said = _telling(lines)
    if not one.text and (better := bounces.classify(one.status, one.code, said)).reason != "unclear":
        return Told(one.recipient, better, one.status, one.code, text.line(said)[:500], one.final)
    if one.verdict.reason == "unclear" and (better := bounces.classify(one.status, one.code, f"{one.text} {said}")).reason != "unclear":
        return Told(one.recipient, better, one.status, one.code, one.text, one.final)
    return one


def _says_failure(skim: Skim, lines: list[str]) -> bool:
    """Whether a message without any mark of a machine says itself to be a report: its subject does, it answers nothing, and an
    address stands in it the way reports write them."""
    if not _FAILED_SUBJECT.search(skim.subject) or {"in-reply-to", "references"} & skim.fields.keys() or re.match(r"(?i)\s*(?:re|aw|sv|tr|fwd?)\s*:", skim.subject):
        return bool(re.search(r"(?i): non remis\b", skim.subject))
    words = Words(lines, skim.subject, _not_these(skim))
    return any(reader(words) for reader in READERS[:5])


def _of_a_failure(skim: Skim, said: str) -> bool:
    return bool(_FAILS.match(skim.subject)) or (_of_a_daemon(skim) and bool(_FAILED_SUBJECT.search(skim.subject) or _FAILED_SUBJECT.search(said[:600])))


def _of_a_daemon(skim: Skim) -> bool:
    senders = [box.email + " " + box.name for box in skim.authors] + list(skim.fields.get("from", ()))
    return any(re.search(r"(?i)daemon|postmaster|microsoftexchange[0-9a-f]{20}|mail(?:er)?[ -]?delivery|delivery (?:sub)?system|bounce|mail ?system", sender) for sender in senders)


def _answered(skim: Skim, kind: Automatic, said: str) -> tuple[list[Told], str]:
    if kind is Automatic.NONE:
        return [], ""
    reason = "challenge" if _CHALLENGE.search(skim.subject + " " + said[:1500]) else "absence"
    whom = skim.sender.email if skim.sender else ""
    return [Told(whom, bounces.verdict_of(reason), text=text.line(skim.subject)[:500])], "automatic reply"


def _read_words(raw: bytes, skim: Skim, lines: list[str], said: str) -> tuple[list[Told], str]:
    words = Words(lines, skim.subject, _not_these(skim))
    whom, reader = _found(raw, skim, words)
    late = _DELAY.search(skim.subject + " " + said) and not _FINAL.search(skim.subject + " " + said)
    action = Action.DELAYED if late else Action.FAILED
    if not whom:
        unnamed = told("", action, "", 0, _telling([*lines, skim.subject]))
        return ([unnamed], "text") if unnamed.verdict.reason != "unclear" or _FAILED_SUBJECT.search(skim.subject) else ([], "")
    tells = [told(one.address, action, "", 0, one.text) for one in whom]
    return [_sure(one, words, len(tells)) for one in tells], reader


def _sure(one: Told, words: Words, several: int) -> Told:
    """What stands about an address says nothing: the whole says it, when it is about nobody else."""
    if one.verdict.reason != "unclear" or several > 3:
        return one
    better = bounces.classify(one.status, one.code, _telling([*words.lines, words.subject]))
    return Told(one.recipient, better, one.status, one.code, one.text, one.final)


def _telling(lines: Sequence[str]) -> str:
    """The lines that may say why: without those that stand in every report of a program."""
    return " ".join(line.strip() for line in lines if line.strip() and not _FRAME.search(line))[:1200]


def _found(raw: bytes, skim: Skim, words: Words) -> tuple[list[Found], str]:
    """Addresses, and who found them."""
    said = " ".join(line.strip() for line in words.lines)
    if named := [one for value in skim.fields.get("x-failed-recipients", ()) for name in value.split(",") if (one := address(name))]:
        about = {found.address: found.text for reader in READERS[:4] for found in reader(words)}
        return [Found(one, about.get(one, said[:1500])) for one in dict.fromkeys(named)], "X-Failed-Recipients"
    for some, those in ((READERS[:5], words), (READERS[:3], Words(words.lines, words.subject, _senders(skim)))):
        for reader in some:
            if whom := reader(those):
                return whom, reader.__name__
    if names := [one for one in library.failures(raw) if one not in words.not_these]:
        return [Found(one, said[:1500]) for one in names], "flufl-bounce"
    for reader in READERS[5:]:
        if whom := reader(words):
            return whom, reader.__name__
    return [], ""


def _not_these(skim: Skim) -> frozenset[str]:
    everybody = [*skim.authors, *skim.to, *skim.cc, *skim.reply_to]
    named = {box.email for box in everybody}
    for field in ("return-path", "delivered-to", "x-original-to", "sender", "envelope-to", "errors-to"):
        named |= {address(value) for value in skim.fields.get(field, ())}
    return frozenset(named - {""})


def _senders(skim: Skim) -> frozenset[str]:
    return frozenset(box.email for box in (*skim.authors, *skim.to))


def _whom_else(tells: list[Told], found: Structure) -> list[Told]:
    """A complaint that hides its recipient: the one the returned message was for, where it says so in a field only one copy has."""
    if any(one.recipient for one in tells):
        return tells
    match = re.search(rb"(?im)^(?:X-Original-To|Delivered-To|X-HmXmrOriginalRecipient|X-Original-Recipient)[ \t]*:[ \t]*([^\r\n]{3,320})", found.data)
    whom = address(text.header(match[1])) if match else ""
    return [Told(whom, one.verdict, one.status, one.code, one.text) for one in tells]


def _returned_ids(found: Structure, skim: Skim) -> tuple[str, ...]:
    """Message-IDs a report speaks of: below its own head those of the returned message, else those it refers to."""
    ids = [headers.identifier(match[1]) for match in _RETURNED_ID.finditer(found.data, found.root.body)][:5] or [headers.identifier(match[1]) for match in _REFERRED.finditer(found.data)][:5]
    return tuple(dict.fromkeys(one for one in ids if one and one != skim.message_id))
