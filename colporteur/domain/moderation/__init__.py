"""Judging a post: the ordered rules, each in its own file, and the verdict with its findings.

The order of a post's judgement is the tuple ``RULES``, readable top to bottom. A rule says what it saw; what to do about
it is the list's policy wherever the reference systems leave a choice.
"""

from __future__ import annotations

from collections.abc import Callable

from colporteur.domain.moderation.allowed import allowed
from colporteur.domain.moderation.ambiguous import ambiguous
from colporteur.domain.moderation.automatic import automatic
from colporteur.domain.moderation.blocked import blocked
from colporteur.domain.moderation.facts import Action, Facts, Finding, Value, Verdict
from colporteur.domain.moderation.internal import internal
from colporteur.domain.moderation.loop import loop
from colporteur.domain.moderation.posting import posting
from colporteur.domain.moderation.refused import refused
from colporteur.domain.moderation.size import size
from colporteur.domain.moderation.unreadable import unreadable

Rule = Callable[[Facts], tuple[Finding, ...]]

RULES: tuple[Rule, ...] = (loop, automatic, blocked, refused, internal, allowed, unreadable, ambiguous, size, posting)

_STRENGTH = list(Action)


def judge(facts: Facts) -> Verdict:
    """The verdict: every finding of every rule is kept, the strongest action wins; nothing found accepts."""
    findings = tuple(finding for rule in RULES for finding in rule(facts))
    strongest = max((finding.action for finding in findings), key=_STRENGTH.index, default=Action.NONE)
    return Verdict(Action.ACCEPT if strongest is Action.NONE else strongest, findings)


__all__ = ["RULES", "Action", "Facts", "Finding", "Rule", "Value", "Verdict", "judge"]
