"""What a report tells, recipient by recipient."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from colporteur.domain import addresses, bounces
from colporteur.domain.bounces import Verdict
from colporteur.mail import text

MOST = 100
"""Recipients of one report that are read."""


class Action(StrEnum):
    """What happened to the message (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class Told:
    """One recipient of a report. ``recipient``: as we sent to it where the report says so; ``final``: as it ended, "" when
    that is the same. Both in normal form; "" when nobody can tell. ``text`` is one line of at most 500 characters."""

    recipient: str
    verdict: Verdict
    status: str = ""
    code: int = 0
    text: str = ""
    final: str = ""


_OF_ACTION = {Action.DELAYED: "delayed", Action.DELIVERED: "delivered", Action.EXPANDED: "delivered", Action.RELAYED: "relayed"}


def told(recipient: str, action: Action, status: str, code: int, said: str, final: str = "") -> Told:
    """One recipient with the verdict that follows from action and text."""
    line = text.line(said)[:500]
    status, code = bounces.numbers(status, code, line)
    verdict = bounces.classify(status, code, line) if action is Action.FAILED else bounces.verdict_of(_OF_ACTION[action])
    return Told(recipient, verdict, status, code, line, "" if final == recipient else final)


def address(value: str) -> str:
    """Normal form of an address as reports write it: brackets, quotes, ``rfc822;`` and white space around it; "" for none."""
    inner = value.rpartition(";")[2] if ";" in value else value
    if "<" in inner and ">" in inner:
        inner = inner.rpartition("<")[2].partition(">")[0]
    inner = inner.strip().strip("<>\"'()[],;").removeprefix("SMTP:").removeprefix("mailto:").strip()
    try:
        return addresses.normal(inner)
    except ValueError:
        return ""
