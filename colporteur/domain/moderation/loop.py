"""A message that has been here before. Sources: RFC 2919 section 8, RFC 5321 section 6.3."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _

HOPS = 50
"""Received fields from which on a message is taken to go in circles; Postfix's own limit is 50 too."""


def loop(facts: Facts) -> tuple[Finding, ...]:
    """Our own message coming back disappears; one that went through very many servers waits, because only a person can tell."""
    if facts.list_id in facts.list_ids:
        return (Finding("loop", Action.DISCARD, _("This list has already sent this message\nA message that comes back is not sent again."), evidence=f"List-Id: <{facts.list_id}>"),)
    if facts.returned:
        return (Finding("loop", Action.DISCARD, _("This list has already sent this message\nA message that comes back is not sent again."), evidence="X-Colporteur-Trace"),)
    if facts.hops >= HOPS:
        reason = _("The message went through {hops} servers\nIt probably goes in circles between two addresses.")
        return (Finding("loop", Action.HOLD, reason, {"hops": facts.hops}, f"Received: {facts.hops}"),)
    return ()
