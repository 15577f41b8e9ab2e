"""Commands by mail: what a subject or a line of a message asks of a list.

Words of Mailman and Sympa, their short forms and the French ones. A line that is not surely a command is none: people
write "List of questions" and "Info: the bus is late" to these addresses, too.

Source of the vocabulary: Sympa's command reference (``HELp``: the capitals are the short form), Mailman 3's ``-request``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from colporteur.domain.addresses import is_address, normal


class Verb(StrEnum):
    """What can be asked."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    WHICH = "which"
    LISTS = "lists"
    INFO = "info"
    REVIEW = "review"
    SET = "set"
    SUSPEND = "suspend"
    RESUME = "resume"
    CONFIRM = "confirm"
    HELP = "help"
    ADD = "add"
    DEL = "del"
    INVITE = "invite"
    REMIND = "remind"
    UNKNOWN = "unknown"  # a word of Sympa we do not offer: index, get, last, verify, stats ...


class Reception(StrEnum):
    """What ``set`` can ask for."""

    MAIL = "mail"
    DIGEST = "digest"
    DIGEST_PLAIN = "digestplain"
    WEEKLY = "weekly"
    WEEKLY_PLAIN = "weeklyplain"
    SUMMARY = "summary"
    NOMAIL = "nomail"
    NOT_ME = "notme"
    ME_TOO = "metoo"
    OTHER = "other"  # known to Sympa, not to us: txt, urlize, conceal ...


EVERY = "*"
"""Stands for every list the sender is on."""
MOST = 10
"""Commands taken from one message."""

CHANGING = frozenset({Verb.SUBSCRIBE, Verb.UNSUBSCRIBE, Verb.SET, Verb.SUSPEND, Verb.RESUME, Verb.ADD, Verb.DEL, Verb.INVITE, Verb.REMIND})
"""What changes something, and is therefore confirmed where the sender is not proven."""
OWNERS = frozenset({Verb.ADD, Verb.DEL, Verb.INVITE, Verb.REMIND})
_WITH_ADDRESS = frozenset({Verb.ADD, Verb.DEL, Verb.INVITE})


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``list``: "" the list the message went to, ``EVERY``, or what was written (a name or an address, lower
    case, not checked). ``email`` in normal form, "" when none is given; ``name``: of the person; ``word``: what ``set``
    asks for, or the token of ``confirm``. ``first``, ``last``: days a pause begins and ends with."""

    verb: Verb
    list: str = ""
    email: str = ""
    name: str = ""
    word: str = ""
    first: date | None = None
    last: date | None = None


_WORDS = {
    Verb.SUBSCRIBE: "subscribe sub join abonner abonnement abonne abonnez s'abonner m'abonner inscrire inscription s'inscrire m'inscrire",
    Verb.UNSUBSCRIBE: "unsubscribe unsub uns signoff sig leave désabonner désabonnement désabonne désabonnez désinscrire désinscription"
    " se-désabonner me-désabonner quitter resilier résilier",
    Verb.WHICH: "which status abonnements mes-abonnements mes-listes",
    Verb.LISTS: "lists lis list listes",
    Verb.INFO: "info inf infos information informations",
    Verb.REVIEW: "review rev who membres abonnés",
    Verb.SET: "set régler réglage réception",
    Verb.SUSPEND: "suspend susp suspendre suspendez pause vacation",
    Verb.RESUME: "resume reprendre reprise reprenez",
    Verb.CONFIRM: "confirm con confirmer auth",
    Verb.HELP: "help hel aide ?",
    Verb.ADD: "add ajouter ajout",
    Verb.DEL: "del delete remove supprimer retirer enlever",
    Verb.INVITE: "invite inv inviter",
    Verb.REMIND: "remind rem rappeler rappel",
    Verb.UNKNOWN: "index ind get last verify ver stats distribute reject modindex index",
}
_RECEPTION = {
    Reception.MAIL: "mail each normal messages chaque tout tous",
    Reception.DIGEST: "digest mime résumé résumés condensé",
    Reception.DIGEST_PLAIN: "digestplain digest-plain plain résumé-texte",
    Reception.WEEKLY: "weekly hebdomadaire hebdo",
    Reception.WEEKLY_PLAIN: "weeklyplain weekly-plain hebdomadaire-texte",
    Reception.SUMMARY: "summary notice subjects sommaire sujets",
    Reception.NOMAIL: "nomail aucun rien sans",
    Reception.NOT_ME: "notme not_me not-me",
    Reception.ME_TOO: "metoo me_too me-too",
    Reception.OTHER: "txt html urlize conceal noconceal",
}
_PLAIN = str.maketrans("éèêëàâîïôùûç", "eeeeaaiiouuc")


def _folded(word: str) -> str:
    return word.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").translate(_PLAIN)


VERBS = {_folded(word): verb for verb, words in _WORDS.items() for word in words.split()}
RECEPTION = {_folded(word): reception for reception, words in _RECEPTION.items() for word in words.split()}

_REPLY = re.compile(r"(?:\s*(?:re|tr|fw|fwd|aw|sv|rép|rep)\s*:|\s*\[[^\]\s]{1,40}\])+\s*", re.IGNORECASE)
_TWO_WORDS = re.compile(r"(?i)^(me|se|mes)\s+(?=d[eé]sabonner|listes|abonnements)")
_DATE = re.compile(r"(?<!\d)(?:(\d{4})-(\d\d?)-(\d\d?)|(\d\d?)[./-](\d\d?)[./-](\d{4}))(?!\d)")
_BEGINS = frozenset({"from", "since", "du", "des", "depuis", "partir"})
_BETWEEN = _BEGINS | frozenset({"to", "until", "till", "au", "jusqu'au", "-", "a", "le", "..", "jusque", "the"})
_ENDS = frozenset({"quit", "end", "stop", "fin", "-", "--", "---"})
_GREETINGS = frozenset("hello hi hey dear bonjour bonsoir salut madame monsieur mesdames messieurs good cher chere chers cheres".split())
_WRITTEN = "*_`\"“”«»<>.,;:!()[] \t\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
_JUNK = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")


def read(subject: str, lines: Sequence[str], own: Collection[str] = ()) -> list[Command]:
    """The commands of one message, at most ``MOST``: that of the subject, else those at the beginning of the text.

    ``own``: names and addresses of the list the message went to, in lower case; empty for addresses of a whole domain.
    What follows the first line that is no command is not read.
    """
    if found := parse(_REPLY.sub("", subject, count=1), own):
        return [found]
    commands: list[Command] = []
    for line in lines:
        if line.strip().casefold() in _ENDS or len(commands) == MOST:
            break
        if not line.strip() or (not commands and _greets(line)):
            continue
        command = parse(line, own)
        if command is None:
            break
        if command not in commands:
            commands.append(command)
    return commands


def parse(line: str, own: Collection[str] = ()) -> Command | None:
    """The command in one line, None when it is not surely one."""
    if "?" in line.strip("? ") or len(line) > 300:
        return None
    words = _TWO_WORDS.sub(r"\1-", _JUNK.sub(" ", line).strip()).split()
    if words and _folded(words[0].strip(_WRITTEN)) in ("quiet", "please", "merci-de"):
        words = words[1:]
    if not words:
        return None
    verb = VERBS.get(_folded(words[0].strip(_WRITTEN) or words[0]))
    rest = [stripped for word in words[1:] if (stripped := word.strip(_WRITTEN.replace("*", "")))]
    if verb is None:
        return None
    return _READERS.get(verb, _about_list)(verb, rest, frozenset(name.lower() for name in own))


def _alone(verb: Verb, rest: list[str], _own: frozenset[str]) -> Command | None:
    """``help subscribe`` is help, ``Lists of things`` is not a command."""
    return Command(verb) if not rest or (verb is Verb.HELP and len(rest) == 1) else None


def _about_list(verb: Verb, rest: list[str], own: frozenset[str]) -> Command | None:
    """``info``, ``info chess``; with more words it is a sentence."""
    list_, rest = _list(rest, own)
    return Command(verb, list_) if not rest and (list_ or own) else None


def _joining(verb: Verb, rest: list[str], own: frozenset[str]) -> Command | None:
    """``subscribe``, ``subscribe chess Anna Rivoire``, ``unsubscribe * anna@example.org``; an address among the words is the one meant."""
    list_, rest = _list(rest, own)
    if not (list_ or own) or (list_ == EVERY and verb is Verb.SUBSCRIBE):
        return None
    email = next((normal(word) for word in rest if is_address(word)), "")
    name = " ".join(word for word in rest if not is_address(word) and "=" not in word)
    return Command(verb, list_, email, name[:100] if verb is Verb.SUBSCRIBE else "")


def _owning(verb: Verb, rest: list[str], own: frozenset[str]) -> Command | None:
    """``add chess anna@example.org Anna Rivoire``."""
    list_, rest = _list(rest, own) if rest and not (own and is_address(rest[0]) and rest[0].lower() not in own) else ("", rest)
    if not (list_ or own) or not rest or not is_address(rest[0]):
        return None
    return Command(verb, list_, normal(rest[0]), " ".join(rest[1:])[:100])


def _setting(verb: Verb, rest: list[str], own: frozenset[str]) -> Command | None:
    """``set chess nomail``, ``set * mail``, ``set nomail``."""
    if own and len(rest) == 1:
        rest = ["", *rest]
    if len(rest) != 2 or _folded(rest[1]) not in RECEPTION:
        return None
    list_ = "" if rest[0].lower() in own else rest[0].lower()
    return Command(verb, list_, word=RECEPTION[_folded(rest[1])])


def _pausing(verb: Verb, rest: list[str], own: frozenset[str]) -> Command | None:
    """``suspend``, ``suspend chess``, ``suspend *``; with days: ``suspend chess 2026-12-01..2026-12-15``, ``from 1/12/2026 to
    15/12/2026``, ``jusqu'au 15/12/2026``. A single day is the last one, unless "from" stands before it."""
    list_, rest = _list(rest, own)
    if not (list_ or own):
        return None
    text = _folded(" ".join(rest))
    days = [_day(found) for found in _DATE.finditer(text)]
    between = _DATE.split(text)[:: _DATE.groups + 1]  # what stands around the days
    if None in days or len(days) > 2 or any(set(words.replace("..", " ").split()) - _BETWEEN for words in between) or (rest and not days) or (days and verb is Verb.RESUME):
        return None
    first, last = days if len(days) == 2 else (days[0], None) if days and set(between[0].split()) & _BEGINS else (None, days[0] if days else None)
    return Command(verb, list_, first=first, last=last) if not (first and last) or first <= last else None


def _day(found: re.Match[str]) -> date | None:
    year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _confirming(verb: Verb, rest: list[str], _own: frozenset[str]) -> Command | None:
    """``confirm TOKEN``."""
    return Command(verb, word=rest[0].lower()) if len(rest) == 1 and re.fullmatch(r"[A-Za-z2-7]{24}", rest[0]) else None


def _list(rest: list[str], own: frozenset[str]) -> tuple[str, list[str]]:
    """The list at the beginning of the words, and the others. Where the message went to one list only that one, its
    address or ``*`` are taken for a list: what else stands there is somebody's name."""
    if not rest:
        return "", rest
    first = rest[0].lower()
    if first in own:
        return "", rest[1:]
    if first == EVERY or (not own and re.fullmatch(r"[a-z0-9][a-z0-9._-]*(?:@[a-z0-9.-]+)?", first)):
        return first, rest[1:]
    return "", rest


def _greets(line: str) -> bool:
    words = _folded(line).split()
    return bool(words) and len(words) <= 5 and words[0].strip(_WRITTEN) in _GREETINGS


_READERS = {
    Verb.HELP: _alone, Verb.LISTS: _alone, Verb.WHICH: _alone, Verb.SUBSCRIBE: _joining, Verb.UNSUBSCRIBE: _joining, Verb.SET: _setting,
    Verb.SUSPEND: _pausing, Verb.RESUME: _pausing, Verb.CONFIRM: _confirming, Verb.ADD: _owning, Verb.DEL: _owning, Verb.INVITE: _owning,
}  # fmt: skip
