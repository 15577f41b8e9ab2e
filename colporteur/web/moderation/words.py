"""What became of a decision, in words."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.domain.posts import PostState
from colporteur.flow.moderation import Decided
from colporteur.web.templatetags.look import said


def outcome(state: str) -> str:
    """The decision as a past participle: distributed, rejected ..."""
    return {
        PostState.ACCEPTED: _("distributed"),
        PostState.REJECTED: _("rejected"),
        PostState.DISCARDED: _("rejected without telling"),
        PostState.EXPIRED: _("expired"),
    }.get(PostState(state), _("taken back"))


def told(decided: Decided, subject: str) -> str:
    """One sentence: your decision, or whose came before yours and when."""
    if decided.won:
        sentences = {
            PostState.ACCEPTED: _("“%(subject)s” is distributed."),
            PostState.REJECTED: _("“%(subject)s” is rejected; its author is told.") if decided.author_told else _("“%(subject)s” is rejected; its author is not told."),
            PostState.DISCARDED: _("“%(subject)s” is rejected; nobody is told."),
        }
        return sentences.get(decided.state, "%(subject)s") % {"subject": subject}
    values = {"subject": subject, "outcome": outcome(decided.state), "by": decided.by, "when": said(decided.at, timezone.now()) if decided.at else ""}
    if decided.by:
        return _("Nothing changed: “%(subject)s” was %(outcome)s by %(by)s, %(when)s.") % values
    return _("Nothing changed: “%(subject)s” is already %(outcome)s.") % values
