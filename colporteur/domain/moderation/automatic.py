"""Mail written by a program: never distributed. Detection is ``mail.reports``; source: RFC 3834."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _

PASSED_ON = frozenset({"bulk", "list"})
"""Kinds that may be meant for people (a mass mailing, another list): they wait, the others disappear."""


def automatic(facts: Facts) -> tuple[Finding, ...]:
    """Replies, reports and receipts of programs disappear; mass mailings and posts of other lists wait for a moderator."""
    if not facts.automatic:
        return ()
    if facts.automatic in PASSED_ON:
        reason = _("The message comes from another list or a mass mailing\nSuch messages wait for a moderator.")
        return (Finding("automatic", Action.HOLD, reason, evidence=facts.automatic_evidence),)
    reason = _("The message was written by a program, not by a person\nAutomatic replies and reports are never distributed.")
    return (Finding("automatic", Action.DISCARD, reason, evidence=facts.automatic_evidence),)
