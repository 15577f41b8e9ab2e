"""What the rules see and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from colporteur.domain.policy import Policy


class Action(StrEnum):
    """What a finding asks for, weakest first; ``NONE`` is a remark. The strongest of a verdict's findings wins."""

    NONE = "none"
    ACCEPT = "accept"
    HOLD = "hold"
    REJECT = "reject"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a verdict about one post depends on. Sizes in bytes, addresses in normal form."""

    policy: Policy
    list_id: str  # of the list, lower case, without brackets
    size: int
    sender: str = ""  # the author; empty: none, several, or unreadable. Never the Sender field: that one gives no rights
    sender_name: str = ""
    authors: tuple[str, ...] = ()  # every readable address in From
    automatic: str = ""  # mail.reports.Automatic, empty: written by a person
    automatic_evidence: str = ""
    list_ids: tuple[str, ...] = ()  # of the message, lower case, without brackets
    returned: bool = False  # carries our signed trace of a copy that this list sent, or was already posted here and went through a list of ours
    ambiguous: tuple[str, ...] = ()  # codes of the defects that let two programs read the message differently
    hops: int = 0  # Received fields
    member: bool = False
    member_posting: str = ""  # what was decided for this member: "free", "moderated", "never"; empty: as the list says
    known: bool = False  # holds a membership or a role anywhere in the organisation
    free_sender: bool = False
    moderator: bool = False
    owner: bool = False
    internal: bool = False  # the author's address is the organisation's: of its domains, or of somebody who looks after it
    proof: str = ""  # what a named server says that proves the author; empty: nothing
    restricted: bool = False  # the list names allowed senders
    allowed_sender: bool = False
    refused_sender: str = ""  # an author whom the list refuses

    @property
    def name(self) -> str:
        """How sentences call the author."""
        return self.sender_name or self.sender


Value = str | int


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason: the sentence is ``reason`` translated, then filled with ``values``.

    ``reason`` may have two lines: what was seen, then the rule it meets. Values called ``size`` and ``limit`` are bytes.
    ``evidence`` is what the message said, for those who want to check.
    """

    rule: str
    action: Action
    reason: str
    values: Mapping[str, Value] = field(default_factory=dict)
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a post, and why. ``action`` is never ``NONE``."""

    action: Action
    findings: tuple[Finding, ...] = ()
