"""Judging received posts, and deciding about those that wait.

In order: ``facts`` gathers, ``domain.moderation.judge`` decides, ``judging`` records and acts; ``deciding`` is the
moderator's turn; ``telling`` writes the letters; ``sentences`` finds the words.
"""

from colporteur.flow.moderation.deciding import Decided, ModerationLink, decide, decided_by, expire_due, read_moderation_token
from colporteur.flow.moderation.explaining import Explanation, explain
from colporteur.flow.moderation.judging import MOST, judge_due, quarantine, retry
from colporteur.flow.moderation.sentences import parts, reasons, sentence
from colporteur.flow.moderation.telling import moderation_token

__all__ = [
    "MOST", "Decided", "Explanation", "ModerationLink", "decide", "decided_by", "expire_due", "explain", "judge_due", "moderation_token", "parts", "quarantine",
    "read_moderation_token", "reasons", "retry", "sentence",
]  # fmt: skip
