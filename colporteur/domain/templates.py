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
    """A preset: its id, title, one sentence, what it is for and what it sets in words, and the policy values it sets.

    It sets what makes the kind and nothing else: what it sets, site, organisation and domain no longer reach. ``None`` as a
    value means "none chosen": a footer of the site does not reach the lists of that kind.
    """

    id: str
    title: str
    sentence: str
    explanation: str
    policy: dict[str, Any] = field(default_factory=dict)


TEMPLATES: dict[str, Template] = {
    template.id: template
    for template in (
        Template(
            "discussion", _("Discussion"), _("Members write to each other; replies go to the list."),
            _("For a group that talks by mail. What members write leaves at once; what others write waits for a moderator. Members come and go freely."),
            {"posting": "members", "reply_to": "list", "joining": "confirm"},
        ),
        Template(
            "distribution", _("Distribution group"), _("One address that reaches a group; replies go to the author."),
            _("As a mail server’s distribution group: only internal senders write, others are refused with a word; replies go to the author, nothing is added to messages, owners add the members, and an undecided message expires after 5 days."),
            {"senders": "internal", "posting": "known", "stranger": "reject", "reports_to": "sender", "reply_to": "sender", "prefix": None, "footer": None, "expire_days": 5, "tell_distributed": False},
        ),
        Template(
            "mailbox", _("Group mailbox"), _("A list run from an ordinary IMAP or POP3 mailbox."),
            _("For an address on any mail provider: messages are collected from its mailbox and distributed to the members. Strangers’ messages wait; only owners add and remove members."),
            {"posting": "members", "leaving": "closed"},
        ),
        Template(
            "announce", _("Announcements"), _("A few people write, everybody reads."),
            _("For news to all: messages of free senders and moderators leave at once, those of members wait, strangers are refused. Replies go to the author."),
            {"posting": "nobody", "stranger": "reject", "expire_days": 15, "joining": "confirm", "urgency": "patient", "on_complaint": "leave"},
        ),
        Template(
            "newsletter", _("Newsletter"), _("Messages to subscribers who can always leave."),
            _("For a public of subscribers: only free senders and moderators write, the list stands as the sender, and every copy says how to leave."),
            {"posting": "nobody", "stranger": "reject", "expire_days": 15, "joining": "confirm", "leaving": "confirm", "from_form": "list", "urgency": "patient", "on_complaint": "leave"},
        ),
        Template(
            "working-group", _("Private working group"), _("Members write to each other; others wait for a moderator."),
            _("For a small group that works together: replies go to the list, what comes from outside waits up to 15 days for a moderator."),
            {"posting": "members", "reply_to": "list", "expire_days": 15, "joining": "approval"},
        ),
        Template(
            "confidential", _("Confidential"), _("Members only; messages of strangers disappear without a word."),
            _("For matters that stay among its members: nobody outside learns that the list exists, and only owners add and remove members."),
            {"posting": "members", "stranger": "discard", "reply_to": "list", "leaving": "closed"},
        ),
        Template(
            "hotline", _("Hotline"), _("Anybody writes, a team reads and answers."),
            _("For an address like contact@ or help@: what anybody writes reaches the whole team at once, and a reply goes to whoever asked."),
            {"posting": "world", "reply_to": "sender"},
        ),
    )
}  # fmt: skip
