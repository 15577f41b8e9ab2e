"""Whether a newsletter is ready to be sent: what is wrong with it, what to do about each, and a verdict.

Grave is what readers would get broken, or not at all; everything else is a remark, and the sender decides.
Sources: WCAG 2.2 1.1.1 (text for pictures), RFC 8058 and the senders' rules of Gmail and Yahoo (2024: signed, a visible way out),
RFC 7489 (alignment), French law no. 2004-575 article 20 (who sends).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from colporteur.domain.words import Sentence
from colporteur.domain.words import gettext_noop as _

CLIPPED = 102 * 1024
"""Bytes of HTML after which Gmail cuts a message and hides the rest, the way out with it."""
HEAVY = 3 * 1024 * 1024
"""Bytes of attachments each copy can well carry."""
_LONG_SUBJECT = 90
_NAMED = 5


class Finding(NamedTuple):
    """``code`` names it for programs; ``mend``: what to do."""

    code: str
    grave: bool
    words: Sentence
    mend: Sentence


class Silence(StrEnum):
    """Why the address of a link gave no answer."""

    NO_ADDRESS = "no-address"
    UNKNOWN = "unknown"
    INSIDE = "inside"
    SLOW = "slow"
    ROUND = "round"
    CERTIFICATE = "certificate"
    REFUSED = "refused"


SILENCES: dict[str, str] = {
    Silence.NO_ADDRESS: _("this is no address of the web"), Silence.UNKNOWN: _("no such site is found"), Silence.INSIDE: _("this lies inside a private network"),
    Silence.SLOW: _("it takes too long to answer"), Silence.ROUND: _("it leads from one address to the next without end"),
    Silence.CERTIFICATE: _("browsers do not trust its certificate"), Silence.REFUSED: _("no connection to it"),
}  # fmt: skip


class Answer(NamedTuple):
    """What the address of a link answered: status of HTTP, 0 for none; ``detail``: then a ``Silence``."""

    url: str
    status: int
    detail: str


@dataclass(frozen=True)
class Facts:
    """What is known of a newsletter. Sizes in bytes; ``failing`` of ``tried`` copies could not be made; ``links``: None when nobody looked
    yet; ``strict``: the sender's domain tells receivers to refuse what is not signed by it; ``trouble``: the sending service's last error."""

    subject: str
    text: str
    html_size: int
    recipients: int
    failing: int = 0
    without_alt: tuple[str, ...] = ()
    unsubscribe: bool = True
    identity: bool = True
    links: tuple[Answer, ...] = ()
    waiting: int = 0
    attachments: int = 0
    size: int = 0  # of one copy
    max_size: int = 10**9
    sender: str = ""
    own_domain: bool = True
    signed: bool = True
    strict: bool = False
    transport: str = ""
    trouble: str = ""
    kept_here: bool = False  # the sending service is a folder


def findings(facts: Facts) -> tuple[Finding, ...]:
    """What there is to mend, grave things first."""
    found = [*_content(facts), *_pictures_and_links(facts), *_lawful(facts), *_sender(facts), *_way_out(facts)]
    return tuple(sorted(found, key=lambda one: not one.grave))


def broken(answer: Answer) -> bool:
    """Whether a link leads nowhere. A server that refuses programs (401, 403, 429) says nothing about readers."""
    return answer.status == 0 or (answer.status >= 400 and answer.status not in (401, 403, 405, 406, 429, 999))


def _content(facts: Facts) -> list[Finding]:
    found = []
    if not facts.subject.strip():
        found.append(Finding("subject", True, Sentence(_("there is no subject")), Sentence(_("write one: it decides whether the newsletter is opened"))))
    elif len(facts.subject) > _LONG_SUBJECT:
        found.append(Finding("subject-long", False, Sentence(_("the subject has %(n)s characters"), n=len(facts.subject)), Sentence(_("telephones show the first 40: say the main thing there"))))
    if not facts.text.strip():
        found.append(Finding("text", not facts.html_size, Sentence(_("there is no text part")), Sentence(_("write the newsletter, or a text of its own: some readers see nothing else"))))
    if not facts.recipients:
        found.append(Finding("recipients", True, Sentence(_("nobody would receive it")), Sentence(_("look at the audience: who is included, who is left out"))))
    if facts.failing:
        found.append(Finding("failing", True, Sentence(_("the newsletter cannot be made for some recipients (%(n)s)"), n=facts.failing), Sentence(_("the list below says for whom and why: give the field a value to fall back on, as in {{ name|default(\"you\") }}, or mend the attribute"))))
    if facts.html_size > CLIPPED:
        found.append(Finding("clipped", False, Sentence(_("the HTML has %(size)s KB: Gmail cuts after 102 and hides the rest, the link for unsubscribing with it"), size=facts.html_size // 1024), Sentence(_("shorten it, and link to the whole text"))))
    return found


def _pictures_and_links(facts: Facts) -> list[Finding]:
    found = []
    if facts.without_alt:
        found.append(Finding("alt", False, Sentence(_("pictures without a text in their place (%(n)s): %(some)s"), n=len(facts.without_alt), some=_some(facts.without_alt)), Sentence(_("say in a few words what each shows: many programs load no pictures, and some readers do not see"))))
    if dead := [answer for answer in facts.links if broken(answer)]:
        found.append(Finding("links", False, Sentence(_("links that lead nowhere (%(n)s): %(some)s"), n=len(dead), some=_answers(dead)), Sentence(_("open each, and correct or remove it"))))
    if plain := [answer.url for answer in facts.links if answer.url.startswith("http:")]:
        found.append(Finding("links-http", False, Sentence(_("links that are not encrypted (%(n)s): %(some)s"), n=len(plain), some=_some(plain)), Sentence(_("write https:// where the site has it"))))
    return found


def _lawful(facts: Facts) -> list[Finding]:
    found = []
    if not facts.unsubscribe:
        found.append(Finding("unsubscribe", False, Sentence(_("there is no link for unsubscribing in the text")), Sentence(_("choose a frame, or write {{ url_unsubscribe }} where the link belongs: the law and the large providers demand it"))))
    if not facts.identity:
        found.append(Finding("identity", False, Sentence(_("it does not say who sends it")), Sentence(_("enter name and postal address as “Who sends” in the list's settings, and choose a frame"))))
    return found


def _sender(facts: Facts) -> list[Finding]:
    found = []
    domain = facts.sender.rpartition("@")[2]
    if facts.strict and not facts.own_domain:
        found.append(Finding("from", False, Sentence(_("%(domain)s tells receivers to refuse mail that does not leave from its own servers"), domain=domain), Sentence(_("send by that provider's own sending service, or from an address at a domain of your own"))))
    elif not facts.signed:
        found.append(Finding("unsigned", False, Sentence(_("mail from %(domain)s is not signed (DKIM)"), domain=domain), Sentence(_("put a key in use on the page of the domain: large providers want newsletters signed"))))
    return found


def _way_out(facts: Facts) -> list[Finding]:
    found = []
    if facts.size > facts.max_size:
        found.append(Finding("size", True, Sentence(_("each copy has %(size)s KB, the list allows %(most)s"), size=facts.size // 1024, most=facts.max_size // 1024), Sentence(_("take files away, or serve pictures instead of embedding them"))))
    elif facts.attachments > HEAVY:
        found.append(Finding("attachments", False, Sentence(_("attachments and embedded pictures have %(size)s MB in each copy"), size=round(facts.attachments / 1024**2, 1)), Sentence(_("put large files on a site, and link to them: heavy mail is filtered"))))
    if facts.trouble:
        found.append(Finding("transport", False, Sentence(_("the sending service %(name)s is in trouble: %(error)s"), name=facts.transport, error=facts.trouble[:200]), Sentence(_("have it looked after; copies wait until it works"))))
    if facts.kept_here:
        found.append(Finding("folder", False, Sentence(_("the sending service %(name)s only writes files: nobody receives them"), name=facts.transport), Sentence(_("choose another one for the list before it counts"))))
    return found


def _answers(dead: list[Answer]) -> Sentence:
    """Links with what came of each."""
    named = [Sentence("%(url)s (%(why)s)", url=one.url[:100], why=one.status or Sentence(SILENCES.get(one.detail, SILENCES[Silence.REFUSED]))) for one in dead[:_NAMED]]
    return Sentence.joined(named, " …" if len(dead) > _NAMED else "")


def _some(words: tuple[str, ...] | list[str]) -> str:
    named = ", ".join(word[:100] for word in words[:_NAMED])
    return f"{named} …" if len(words) > _NAMED else named
