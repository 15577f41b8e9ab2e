"""Templates: named sets of policy values. The kind of a list is nothing but its template.

Sources for the values: Amapress "Email groupé" (mailbox), Exchange distribution groups (distribution), Sympa's list
types (discussion, announce, working-group, confidential, hotline), newsletters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from colporteur.domain.words import gettext_noop as _


@dataclass(frozen=True)
class Template:
    """A preset: its id, title, one sentence, and the policy values it sets."""

    id: str
    title: str
    sentence: str
    policy: dict[str, Any] = field(default_factory=dict)


TEMPLATES: dict[str, Template] = {
    template.id: template
    for template in (
        Template("discussion", _("Discussion"), _("Members write to each other; replies go to the list."), {"posting": "members", "reply_to": "list"}),
        Template("distribution", _("Distribution group"), _("One address that reaches a group; replies go to the author, nobody leaves by themselves."), {"posting": "known", "stranger": "reject", "leaving": "closed", "tell_distributed": False}),
        Template("mailbox", _("Group mailbox"), _("A list run from an ordinary IMAP or POP3 mailbox."), {"posting": "members", "leaving": "closed"}),
        Template("announce", _("Announcements"), _("A few people write, everybody reads."), {"posting": "nobody", "stranger": "reject"}),
        Template("newsletter", _("Newsletter"), _("Messages to subscribers who can always leave."), {"posting": "nobody", "stranger": "reject", "leaving": "free", "from_form": "list"}),
        Template("working-group", _("Private working group"), _("Members only; everybody else is refused with a word."), {"posting": "members", "stranger": "reject", "reply_to": "list"}),
        Template("confidential", _("Confidential"), _("Members only; messages of strangers disappear without a word."), {"posting": "members", "stranger": "discard", "reply_to": "list", "leaving": "closed"}),
        Template("hotline", _("Hotline"), _("Anybody writes, a team reads and answers."), {"posting": "world", "reply_to": "both", "leaving": "closed"}),
    )
}
