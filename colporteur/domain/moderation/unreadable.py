"""A sender who cannot be read unambiguously. Source: RFC 5322 section 3.6.2 (one From field; several authors need a Sender)."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _


def unreadable(facts: Facts) -> tuple[Finding, ...]:
    """No author, several, or one that cannot be read: whose rights would count? It waits."""
    if facts.sender:
        return ()
    if len(facts.authors) > 1:
        reason = _("The message names several authors\nOnly a message with one author goes out without waiting.")
        return (Finding("unreadable", Action.HOLD, reason, evidence=", ".join(facts.authors[:5])),)
    reason = _("The message does not clearly say who wrote it\nOnly a message with one author goes out without waiting.")
    return (Finding("unreadable", Action.HOLD, reason, evidence=", ".join(facts.authors)),)
