"""Mail to ``name-moderate+TOKEN``: a moderator decides by reply, with one word in the first line."""

from __future__ import annotations

import itertools
import logging
import re
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext_lazy

from colporteur.domain.addresses import Service
from colporteur.domain.posts import Decision, PostState
from colporteur.flow import letters
from colporteur.flow.errands.message import Message
from colporteur.flow.moderation.deciding import Decided, ModerationLink, decide, may_decide, read_moderation_token
from colporteur.flow.moderation.telling import about
from colporteur.mail.compose import first_lines
from colporteur.store.people import Address

mail = logging.getLogger("colporteur.mail")

_VERBS = {
    Decision.RELEASE: "distribute distribuer distribuez approve approved approuver approuvé accept accepter accepté release",
    Decision.REJECT: "reject rejected rejeter rejeté rejetez refuse refuser refusé",
    Decision.DISCARD: "discard jeter jetez ignore ignorer drop spam",
}
VERBS = {word: decision for decision, words in _VERBS.items() for word in words.split()}
ALONE = {"oui": Decision.RELEASE, "yes": Decision.RELEASE, "ok": Decision.RELEASE}
"""Words that decide only when nothing else stands in their line: "yes, but ..." is no decision."""

_FIRST_WORD = re.compile(r"[\W_]*(\w+)[\W_]*(.*)", re.DOTALL)

STATES = {
    PostState.ACCEPTED: gettext_lazy("The message was distributed"),
    PostState.REJECTED: gettext_lazy("The message was rejected"),
    PostState.DISCARDED: gettext_lazy("The message was rejected silently"),
    PostState.EXPIRED: gettext_lazy("Nobody decided in time"),
    PostState.HELD: gettext_lazy("The message waits"),
    PostState.RECEIVED: gettext_lazy("The message is processed again"),
    PostState.QUARANTINED: gettext_lazy("The message could not be processed"),
}


class Command(NamedTuple):
    """What a reply asks for; ``reason`` are words to the author."""

    decision: Decision
    reason: str


def command(lines: list[str]) -> Command | None:
    """The decision in the first line that is not empty; None when there is none, or a question."""
    text = list(lines)
    while text and not text[0].strip():
        text.pop(0)
    found = _FIRST_WORD.fullmatch(text[0]) if text else None
    if found is None or "?" in text[0]:
        return None
    word, rest = found[1].casefold(), found[2].strip()
    decision = VERBS.get(word) or (ALONE.get(word) if not rest else None)
    if decision is None:
        return None
    words = itertools.takewhile(lambda line: line.strip() != "--", [rest, *text[1:]])  # without the signature
    return Command(decision, "\n".join(words).strip() if decision is Decision.REJECT else "")


def moderate(message: Message) -> None:
    """Decide as the reply says. A program's reply, a token that is not ours or a moderator who no longer is one changes nothing."""
    link = read_moderation_token(message.token, message.now)
    if not message.by_a_person or link is None or link.post.list_id != message.errand.list_id or _leaked(message, link):
        mail.info("moderation-ignored errand=%s recipient=%s automatic=%s", message.errand.pk, message.errand.recipient, message.automatic.value)
        return
    asked = command(first_lines(message.raw))
    if asked is None:
        _answer("unclear", message, link, reply=letters.service_address(link.post.list, Service.MODERATE, message.token))
        return
    outcome = decide(link.post.pk, asked.decision, message.now, address=link.address.email, reason=asked.reason)
    if outcome.won:
        _answer("decided", message, link, state=STATES[outcome.state])
    else:
        _late(message, link, outcome)


def _leaked(message: Message, link: ModerationLink) -> bool:
    """Whether the token stands in the subject, where answering and passing on spreads it, and the author may not decide."""
    if message.skim.sender is None or message.token not in message.skim.subject.lower():
        return False
    author = Address.objects.select_related("person").filter(email=message.skim.sender.email).first()
    return author is None or not may_decide(link.post.list, author)


def _late(message: Message, link: ModerationLink, outcome: Decided) -> None:
    at: datetime | None = outcome.at or link.post.expires_at
    _answer("late", message, link, state=STATES[outcome.state], by=outcome.by or gettext_lazy("nobody"), at=at or "")


def _answer(letter: str, message: Message, link: ModerationLink, *, reply: tuple[str, str] = ("", ""), **fields: object) -> None:
    """Tell the moderator, at the address the notice went to."""
    address, tag = reply
    shown = about(link.post) | fields | ({"reply": address} if address else {})
    letters.send(letter, link.address, message.now, list_=link.post.list, fields=shown, reply_to=address, tag=tag, in_reply_to=message.skim.message_id)
