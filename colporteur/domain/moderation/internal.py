"""Lists for senders of the organisation: who counts as one is a fact, that the message is theirs must be proven.

Source: RequireSenderAuthenticationEnabled of Exchange; as there, an outside sender who is allowed by name stays outside.
"""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.policy import Senders, Stranger, Unproven
from colporteur.domain.words import gettext_noop as _

_OUTSIDE = {Stranger.HOLD: Action.HOLD, Stranger.REJECT: Action.REJECT, Stranger.DISCARD: Action.DISCARD}
_UNPROVEN = {Unproven.HOLD: Action.HOLD, Unproven.REJECT: Action.REJECT}


def internal(facts: Facts) -> tuple[Finding, ...]:
    """An outside sender gets what strangers get; an internal one without proof waits or is refused, as the policy says."""
    policy = facts.policy
    if policy.senders is not Senders.INTERNAL or not facts.sender:
        return ()  # rule "unreadable" holds a message without one author
    values = {"name": facts.name}
    if not facts.internal:
        reason = _("{name} writes from outside the organisation\nOnly internal senders may write to this list.")
        return (Finding("internal", _OUTSIDE[policy.stranger], reason, values, facts.sender),)
    if facts.proof:
        return (Finding("internal", Action.NONE, _("{name} belongs to the organisation, and the message is proven"), values, facts.proof),)
    reason = _("Nothing proves that the message is by {name}\nOnly internal senders whose mail server vouches for them may write to this list.")
    evidence = facts.sender if policy.trusted_servers else "no server is named whose Authentication-Results count"
    return (Finding("internal", _UNPROVEN[policy.unproven], reason, values, evidence),)
