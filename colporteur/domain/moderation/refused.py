"""Senders the list refuses: a role given to a person, an address, a domain or the members of a list. Stronger than being allowed."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _


def refused(facts: Facts) -> tuple[Finding, ...]:
    """An author is among the refused senders."""
    if not facts.refused_sender:
        return ()
    name = facts.name if facts.refused_sender == facts.sender else facts.refused_sender
    reason = _("{name} is a refused sender of the list\nMessages of refused senders are not taken.")
    return (Finding("refused", Action.REJECT, reason, {"name": name}, facts.refused_sender),)
