"""Lists that take messages of chosen senders only. Nobody is excepted: owners and moderators write when they are allowed too."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _


def allowed(facts: Facts) -> tuple[Finding, ...]:
    """Where the list names allowed senders, everybody else is refused; being allowed is a remark."""
    if not facts.restricted or not facts.sender:
        return ()  # rule "unreadable" holds a message without one author
    if facts.allowed_sender:
        return (Finding("allowed", Action.NONE, _("{name} is an allowed sender of the list"), {"name": facts.name}, facts.sender),)
    reason = _("{name} is not among the allowed senders of the list\nOnly allowed senders may write to it.")
    return (Finding("allowed", Action.REJECT, reason, {"name": facts.name}, facts.sender),)
