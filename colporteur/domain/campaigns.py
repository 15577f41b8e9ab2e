"""Campaigns: newsletters being written and sent."""

from __future__ import annotations

from enum import StrEnum


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
