"""Messages larger than the list's limit."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _


def size(facts: Facts) -> tuple[Finding, ...]:
    """Larger than the policy's ``max_size``, attachments included: it waits, whoever wrote it."""
    if facts.size <= facts.policy.max_size:
        return ()
    return (Finding("size", Action.HOLD, _("The message is {size} large\nThe limit of the list is {limit}."), {"size": facts.size, "limit": facts.policy.max_size}),)
