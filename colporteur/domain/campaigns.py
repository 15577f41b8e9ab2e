"""Campaigns: newsletters being written and sent."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from colporteur.domain.words import gettext_noop as _


class Editor(StrEnum):
    """What a campaign is written in."""

    MARKDOWN = "markdown"
    HTML = "html"
    MJML = "mjml"
    TEXT = "text"


class CampaignState(StrEnum):
    """Where a campaign stands before it is a mailing; from then on the mailing's state is its own."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"  # starts by itself at ``send_at``
    STARTED = "started"


class Tracking(StrEnum):
    """What is learned of opens and clicks."""

    OFF = "off"
    TOTALS = "totals"  # counted, nobody named
    PEOPLE = "people"  # named where the person agreed to it, the others counted


class Lane(StrEnum):
    """How the copies of a campaign are made."""

    FAST = "fast"  # values are spliced into prepared bytes
    SLOW = "slow"  # each person's copy is rendered


class FileUse(StrEnum):
    """What a file of a campaign is for."""

    SERVED = "served"  # an image the message points to
    EMBEDDED = "embedded"  # an image inside the message (RFC 2392)
    ATTACHED = "attached"


FAILED_LEAST = 10
"""Fewer failures than these stop nothing."""


def at_fault(settled: int, failed: int, *, percent: int, least: int) -> bool:
    """Whether so many failures among so many settled copies say that the sender is at fault, not the recipients. ``percent`` 0: never."""
    return bool(percent) and settled >= least and failed >= FAILED_LEAST and failed * 100 >= settled * percent


class Skipped(IntEnum):
    """Why somebody of the audience gets no copy; 0 stands for those who do."""

    PAUSED = 1  # the membership, or everything for a while
    LEFT_OUT = 2
    HAS_IT = 3  # the same newsletter, by another list or an earlier mailing
    IN_TROUBLE = 4  # mail does not reach the address
    OTHER_ADDRESS = 5  # the person gets it at another one


SKIPPED_WORDS: dict[Skipped, str] = {
    Skipped.PAUSED: _("paused, or read elsewhere"),
    Skipped.LEFT_OUT: _("left out"),
    Skipped.HAS_IT: _("have it already"),
    Skipped.IN_TROUBLE: _("mail does not reach the address"),
    Skipped.OTHER_ADDRESS: _("get it at another address of theirs"),
}
