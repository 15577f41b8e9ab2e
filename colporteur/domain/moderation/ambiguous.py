"""Messages that two programs may read differently: what a filter or a moderator saw need not be what members see.

Source: the class of Amavis CVE-2024-28054 (two boundary parameters).
"""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _


def ambiguous(facts: Facts) -> tuple[Finding, ...]:
    """Its structure can be read in two ways: it waits, whoever wrote it."""
    if not facts.ambiguous:
        return ()
    reason = _("The message is built so that mail programs may show different things\nWhat you see need not be what the members see.")
    return (Finding("ambiguous", Action.HOLD, reason, evidence=", ".join(facts.ambiguous)),)
