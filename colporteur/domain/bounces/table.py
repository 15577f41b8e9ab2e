"""From status, reply code and text to a verdict: one table, read from the top, the first row that fits decides.

Texts come before statuses: providers say in words what their numbers only hint at (Microsoft answers 5.4.1 for an address that
does not exist, many answer 5.1.1 for what their spam filter did). What is our own fault stands before what is the mailbox's, so
that a doubt never blames a subscriber. Sources: RFC 3463 and 5248 (statuses), RFC 5321 section 4.2.2 (codes), RFC 7372
(authentication), RFC 7505 (null MX); the postmaster pages of the providers named.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from colporteur.domain.bounces.kinds import Fault, Kind, Reason, Severity, Verdict
from colporteur.domain.words import gettext_noop as _

REASONS: dict[str, Reason] = {
    one.key: one
    for one in (
        Reason("no_mailbox", Kind.DEAD, Severity.HARD, Fault.MAILBOX, _("this address does not exist")),
        Reason("no_domain", Kind.DEAD, Severity.HARD, Fault.MAILBOX, _("the part after @ does not exist or takes no mail")),
        Reason("moved", Kind.DEAD, Severity.HARD, Fault.MAILBOX, _("the person has moved to another address")),
        Reason("full", Kind.MAILBOX_STATE, Severity.SOFT, Fault.MAILBOX, _("the mailbox is full")),
        Reason("disabled", Kind.MAILBOX_STATE, Severity.HARD, Fault.MAILBOX, _("the mailbox is switched off")),
        Reason("reputation", Kind.OURS, Severity.SOFT, Fault.SENDER, _("the provider refuses mail of our server: its reputation or a block list")),
        Reason("authentication", Kind.OURS, Severity.SOFT, Fault.SENDER, _("the provider wants our mail authenticated better (SPF, DKIM, DMARC, reverse DNS)")),
        Reason("policy", Kind.OURS, Severity.SOFT, Fault.SENDER, _("the provider or recipient refuses this sender by a rule")),
        Reason("rate", Kind.OURS, Severity.SOFT, Fault.SENDER, _("too much mail at once for the provider")),
        Reason("sender_address", Kind.OURS, Severity.SOFT, Fault.SENDER, _("the provider refuses the sender's address")),
        Reason("content", Kind.OURS, Severity.SOFT, Fault.CONTENT, _("the message was taken for spam or its content is not wanted")),
        Reason("virus", Kind.OURS, Severity.SOFT, Fault.CONTENT, _("the message or an attachment was taken for dangerous")),
        Reason("size", Kind.OURS, Severity.SOFT, Fault.CONTENT, _("the message is too large for the recipient's provider")),
        Reason("format", Kind.OURS, Severity.SOFT, Fault.CONTENT, _("the recipient's server cannot take a message of this form")),
        Reason("greylisted", Kind.TEMPORARY, Severity.SOFT, Fault.UNKNOWN, _("the provider asks to try again later")),
        Reason("unreachable", Kind.TEMPORARY, Severity.SOFT, Fault.UNKNOWN, _("the recipient's server could not be reached")),
        Reason("their_trouble", Kind.TEMPORARY, Severity.SOFT, Fault.UNKNOWN, _("the recipient's server has a trouble of its own")),
        Reason("expired", Kind.TEMPORARY, Severity.SOFT, Fault.UNKNOWN, _("it was tried for days without success")),
        Reason("later", Kind.TEMPORARY, Severity.SOFT, Fault.UNKNOWN, _("a temporary refusal")),
        Reason("delayed", Kind.TEMPORARY, Severity.NONE, Fault.UNKNOWN, _("not delivered yet, it is still being tried")),
        Reason("complaint", Kind.COMPLAINT, Severity.NONE, Fault.SENDER, _("the recipient reported the message as spam")),
        Reason("absence", Kind.AUTOMATIC, Severity.NONE, Fault.UNKNOWN, _("an automatic reply")),
        Reason("challenge", Kind.AUTOMATIC, Severity.NONE, Fault.UNKNOWN, _("the recipient's filter asks the sender to prove that he is a person")),
        Reason("receipt", Kind.AUTOMATIC, Severity.NONE, Fault.UNKNOWN, _("a reading receipt")),
        Reason("delivered", Kind.SUCCESS, Severity.NONE, Fault.UNKNOWN, _("it was delivered")),
        Reason("relayed", Kind.SUCCESS, Severity.NONE, Fault.UNKNOWN, _("it was handed on to a server that reports nothing more")),
        Reason("unclear", Kind.UNKNOWN, Severity.SOFT, Fault.UNKNOWN, _("it came back for a reason we do not understand")),
    )
}


class Row(NamedTuple):
    """A row fits when each of its columns that is not empty does. ``status``: digits with ``x`` for any; ``code``: alike;
    ``words``: regular expression over the text, capitals alike; ``who``: whose text it is, "" for everybody's."""

    reason: str
    status: str = ""
    code: str = ""
    words: str = ""
    who: str = ""


TABLE: tuple[Row, ...] = (
    Row("full", "x.2.2"),
    Row("no_mailbox", "5.1.1"),
)


def verdict_of(reason: str) -> Verdict:
    """The verdict of a reason. Raises ``KeyError``."""
    one = REASONS[reason]
    return Verdict(one.kind, one.severity, one.fault, reason)


def classify(status: str, code: int, text: str) -> Verdict:
    """Whose fault a failure is. ``status``: enhanced status or ""; ``code``: SMTP reply code or 0; ``text``: the reply."""
    return verdict_of(_reason(status, code, text))


def _reason(status: str, code: int, text: str) -> str:
    for row in TABLE:
        if _fits(row, status, code, text):
            return row.reason
    return "later" if status.startswith("4") or code // 100 == 4 else "unclear"


def _fits(row: Row, status: str, code: int, text: str) -> bool:
    return _alike(row.status, status) and _alike(row.code, str(code)) and (not row.words or _compiled(row.words).search(text) is not None)


def _alike(pattern: str, value: str) -> bool:
    return not pattern or (len(pattern.split(".")) == len(value.split(".")) and all(ours in ("x", theirs) for ours, theirs in zip(pattern.split("."), value.split("."), strict=True)))


@lru_cache(maxsize=None)
def _compiled(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)
