"""Who may write to the list without waiting. Source: the posting modes of the reference systems."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.policy import Posting, Senders, Stranger
from colporteur.domain.words import gettext_noop as _

_MODE = {
    Posting.NOBODY: _("{name} may not write without approval\nEvery message waits for a moderator."),
    Posting.MEMBERS: _("{name} is not a member of the list\nOnly members write without waiting."),
    Posting.KNOWN: _("We do not know {name}\nOnly members and people we know write without waiting."),
}
_REFUSED = {
    Posting.NOBODY: _("We do not know {name}\nMessages of strangers are not taken."),
    Posting.MEMBERS: _("{name} is not a member of the list\nMessages of strangers are not taken."),
    Posting.KNOWN: _("We do not know {name}\nMessages of strangers are not taken."),
}
_STRANGER = {Stranger.HOLD: Action.HOLD, Stranger.REJECT: Action.REJECT, Stranger.DISCARD: Action.DISCARD}


def posting(facts: Facts) -> tuple[Finding, ...]:
    """Moderators, owners and free senders pass; then the list's mode decides; strangers get what the policy says.

    Somebody known without permission waits: only an unknown sender is refused or thrown away unseen.
    """
    if not facts.sender:
        return ()  # rule "unreadable" holds it
    if decided := _decided(facts):
        return (decided,)
    if remark := _pass(facts):
        return (Finding("posting", Action.NONE, remark, {"name": facts.name}, facts.sender),)
    mode = facts.policy.posting
    # An internal sender without proof is the business of rule "internal" where only internal ones may write.
    if facts.known or facts.member or (facts.internal and (facts.proof or facts.policy.senders is Senders.INTERNAL)):
        return (Finding("posting", Action.HOLD, _MODE[mode], {"name": facts.name}, facts.sender),)
    action = _STRANGER[facts.policy.stranger]
    return (Finding("posting", action, (_MODE if action is Action.HOLD else _REFUSED)[mode], {"name": facts.name}, facts.sender),)


def _decided(facts: Facts) -> Finding | None:
    """What was decided for this member, unless a role on the list lets them write."""
    if facts.moderator or facts.owner:
        return None
    if facts.member_posting == "never":
        return Finding("posting", Action.REJECT, _("{name} may not write to this list\nThe owners decided so for this member."), {"name": facts.name}, facts.sender)
    if facts.member_posting == "moderated":
        return Finding("posting", Action.HOLD, _("{name} writes with approval only\nThe owners decided so for this member."), {"name": facts.name}, facts.sender)
    return None


def _pass(facts: Facts) -> str:
    """Why the author may write without waiting; empty when they may not."""
    mode = facts.policy.posting
    reasons = (
        (facts.moderator and not facts.policy.moderate_all, _("{name} is a moderator")),
        (facts.owner and not facts.policy.moderate_all, _("{name} looks after the list")),
        (facts.free_sender or facts.member_posting == "free", _("{name} writes without waiting")),
        (mode is not Posting.NOBODY and facts.allowed_sender, _("{name} is an allowed sender of the list")),
        (mode is not Posting.NOBODY and facts.member, _("{name} is a member of the list")),
        (mode is Posting.KNOWN and (facts.known or (facts.internal and bool(facts.proof))), _("We know {name}")),
        (mode is Posting.WORLD, _("Anybody may write to this list")),
    )
    return next((reason for holds, reason in reasons if holds), "")
