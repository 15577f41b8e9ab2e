"""Senders the list does not want."""

from __future__ import annotations

from colporteur.domain.moderation.facts import Action, Facts, Finding
from colporteur.domain.words import gettext_noop as _


def blocked(facts: Facts) -> tuple[Finding, ...]:
    """An author among the policy's blocked addresses or ``@domains``."""
    unwanted = {line.strip().lower() for line in facts.policy.blocked.splitlines()} - {""}
    for author in facts.authors:
        if entry := next(iter(unwanted & {author, "@" + author.rpartition("@")[2]}), ""):
            return (Finding("blocked", Action.DISCARD, _("{sender} is blocked\nMessages of blocked senders are thrown away."), {"sender": author}, entry),)
    return ()
