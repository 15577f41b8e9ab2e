"""Standing of an address, over all lists: good, shaky, paused, gone; and when it moves.

An address is judged by what became of its last messages, not by days alone, so that a list that writes once a month finds out as
well as one that writes every hour. Only failures that are the mailbox's own count (``domain.bounces``), at most one a message; a
message that reached nobody at all says nothing about anybody. Pausing costs a member little, since a probe follows soon: so it
may come early. Only probes that fail, too, make an address gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import NamedTuple

from colporteur.domain.bounces import Kind
from colporteur.domain.words import gettext_noop as _


class Standing(IntEnum):
    """Health of an address. Below ``PAUSED`` it is written to."""

    GOOD = 0
    SHAKY = 1  # something failed lately
    PAUSED = 2  # lists leave it out, probes are sent
    GONE = 3  # probes failed as well

    @property
    def word(self) -> str:
        """As commands and files say it."""
        return self.name.lower()


class Preset(StrEnum):
    """Which rule judges."""

    USUAL = "usual"
    THREE = "three"
    SCORES = "scores"
    NEVER = "never"


class Took(StrEnum):
    """What became of one message at one address."""

    THROUGH = "through"  # accepted, and nothing came back in ``SILENCE``
    STATE = "state"  # the mailbox is there and takes nothing
    DEAD = "dead"  # nobody reads it

    @property
    def failed(self) -> bool:
        """Whether it counts against the address."""
        return self is not Took.THROUGH


class Message(NamedTuple):
    """A message whose fate at the address is known."""

    at: datetime
    took: Took
    campaign: bool = False  # it was a newsletter


class Rules(NamedTuple):
    """``messages`` and ``days``: of the usual rule, for a dead address. ``campaigns``: so many newsletters in a row that came back are
    enough, however short the time and whatever else arrives how; 0: none are."""

    preset: Preset = Preset.USUAL
    messages: int = 2
    days: int = 1
    campaigns: int = 3


class Judged(NamedTuple):
    """The answer: a standing below ``GONE``, and the failures it rests on. ``score``: 0 to 100, None where the rule has none."""

    standing: Standing
    failures: int = 0
    first: datetime | None = None
    last: datetime | None = None
    score: int | None = None


WINDOW = timedelta(days=400)
"""Older failures are forgotten: a year and a month, so that even a yearly message has a neighbour."""
SILENCE = timedelta(days=5)
"""A copy that was accepted and of which nothing came back for so long has arrived (RFC 5321 section 4.5.4.1: servers give up
after four to five days)."""
PROBES = tuple(timedelta(days=days) for days in (3, 7, 14, 30))
"""Distances of probes: from the pause to the first, then from each failure to the next. When the last failed the address is gone."""
STATE_DAYS = 14
"""A mailbox that is full or switched off must have been so for so long, with twice the messages: people are away for two weeks."""
SCORE_DAYS, SCORE_FAILURES = 10, 3
"""Under so many days and failures nothing is scored."""
SHAKY_SCORE, PAUSED_SCORE = 45, 75


def took_of(kind: Kind) -> Took | None:
    """What an event says about its message; None: nothing that counts."""
    return {Kind.DEAD: Took.DEAD, Kind.MAILBOX_STATE: Took.STATE}.get(kind)


def judge(messages: Sequence[Message], rules: Rules, now: datetime) -> Judged:
    """Judge an address by its messages, the oldest first, each once."""
    known = [one for one in messages if one.at > now - WINDOW]
    row: list[Message] = []
    for one in known:
        row = [*row, one] if one.took.failed else []
    if not row and rules.preset is not Preset.SCORES:
        return Judged(Standing.GOOD)
    newsletters = rules.preset is not Preset.NEVER and 0 < rules.campaigns <= sum(one.campaign for one in row)
    if rules.preset is Preset.SCORES and not newsletters:
        return _scored(known)
    enough = newsletters or (rules.preset is Preset.THREE and len(row) >= 3) or (rules.preset is Preset.USUAL and _usual(row, rules))
    return Judged(Standing.PAUSED if enough else Standing.SHAKY, len(row), row[0].at, row[-1].at)


def _usual(row: Sequence[Message], rules: Rules) -> bool:
    dead = [one for one in row if one.took is Took.DEAD]
    if len(dead) >= rules.messages and dead[-1].at - dead[0].at >= timedelta(days=rules.days):
        return True
    return len(row) >= 2 * rules.messages and row[-1].at - row[0].at >= timedelta(days=max(rules.days, STATE_DAYS))


def _scored(known: Sequence[Message]) -> Judged:
    """Number, kind and regularity, as Sympa weighs them: 20 points a failure, half of them while the mailbox exists, times the
    share of its messages that failed since the first one."""
    failed = [one for one in known if one.took.failed]
    if not failed:
        return Judged(Standing.GOOD)
    since = [one for one in known if one.at >= failed[0].at]
    if len(failed) < SCORE_FAILURES or failed[-1].at - failed[0].at < timedelta(days=SCORE_DAYS):
        return Judged(Standing.SHAKY, len(failed), failed[0].at, failed[-1].at, 0)
    points = sum(20 if one.took is Took.DEAD else 10 for one in failed)
    score = min(100, round(points * len(failed) / len(since)))
    standing = Standing.PAUSED if score >= PAUSED_SCORE else Standing.SHAKY if score >= SHAKY_SCORE else Standing.GOOD
    return Judged(standing, len(failed), failed[0].at, failed[-1].at, score)


def next_probe(failed: int) -> timedelta | None:
    """How long to wait for the next probe when so many failed since the pause; None: the address is gone."""
    return PROBES[failed] if failed < len(PROBES) else None


RULE_WORDS: dict[Preset, str] = {
    Preset.USUAL: _("An address that does not exist is paused when %(messages)s messages in a row came back, at least %(days)s × 24 hours from the first to the last. A mailbox that is full or switched off is paused after %(twice)s messages in a row over at least %(long)s days. One message that arrives ends the row."),
    Preset.THREE: _("An address is paused when its last three messages came back."),
    Preset.SCORES: _("Each message that came back gives 20 points, or 10 when the mailbox exists and is full or switched off. The points are multiplied by the share of messages that came back since the first one. From 75 points the address is paused, from 45 it is shown as shaky. Nothing is scored under 3 messages or 10 days."),
    Preset.NEVER: _("No address is paused because of messages that come back; they are only shown."),
}  # fmt: skip
CAMPAIGN_WORDS = _("An address that refused %(campaigns)s newsletters in a row which others received is paused, too, however short the time.")
ALWAYS_WORDS = _("What came back because of us, of what was written or of a passing trouble never counts, nor does a message that reached nobody.")
PROBE_WORDS = _("A paused address gets a short letter after 3, 10, 24 and 54 days. If one arrives, or the person presses the button in it, messages come again. If all of them come back, the address is gone.")


def rule_values(rules: Rules) -> dict[str, int]:
    """What ``RULE_WORDS`` are filled with."""
    return {"campaigns": rules.campaigns, "messages": rules.messages, "days": rules.days, "twice": 2 * rules.messages, "long": max(rules.days, STATE_DAYS)}
