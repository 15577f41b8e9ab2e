"""Reading the table."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from colporteur.domain.bounces.kinds import Kind, Verdict
from colporteur.domain.bounces.reasons import verdict_of
from colporteur.domain.bounces.table import TABLE, Row

LONGEST = 2000
"""Characters of a text that are looked at."""

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_CODE = re.compile(r"(?<![\d.])([245]\d\d)(?=[ -]|$)")
# Names of machines and addresses say nothing: "spamfilter.example.org said: user unknown".
_NAMES = re.compile(r"(?i)\bhost [\w-]+(?:\.[\w-]+)+ ?(?:\[[^\]\s]*\])?|<?[^\s<>()\"]+@[^\s<>()\",;]+>?|\b[\w.-]+\[[0-9a-f.:]+\](?::\d+)?|\b(?:dns|smtp|rfc822|x-\w+) ?;")


class Decision(NamedTuple):
    """A verdict, and the row it comes from (None: nothing fitted)."""

    verdict: Verdict
    row: Row | None


def classify(status: str, code: int, text: str) -> Verdict:
    """Whose fault a failure is. ``status``: enhanced status or ""; ``code``: SMTP reply code or 0; ``text``: the reply."""
    return decide(status, code, text).verdict


@cache
def _compiled(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


def decide(status: str, code: int, text: str) -> Decision:
    """``classify``, with the row that decided."""
    said = " ".join(text[:LONGEST].split())
    status, code = numbers(status, code, said)
    said = " ".join(_NAMES.sub(" ", said).split())
    row = next((row for row in TABLE if _fits(row, status, code, said)), None)
    temporary = status.startswith("4") or (not status and code // 100 == 4)
    if row is None:
        return Decision(verdict_of("later" if temporary else "unclear"), None)
    verdict = verdict_of(row.reason)
    if temporary and verdict.kind is Kind.DEAD:
        return Decision(verdict_of("later"), row)  # a server that is not sure yet
    if temporary and verdict.kind is Kind.OURS:
        return Decision(replace(verdict, kind=Kind.TEMPORARY), row)
    return Decision(verdict, row)


def numbers(status: str, code: int, text: str) -> tuple[str, int]:
    """Status and code, each from the text where the field says nothing of its own (none, or X.0.0)."""
    found = _STATUS.search(text)
    if (not status or status.endswith(".0.0")) and found:
        status = ".".join(found.groups())
    if not code and (reply := _CODE.search(text)):
        code = int(reply[1])
    return status, code


def _fits(row: Row, status: str, code: int, text: str) -> bool:
    if row.status and not _alike(row.status.split("."), status.split(".")):
        return False
    if row.code and not _alike(list(row.code), list(f"{code:03d}")):
        return False
    return not row.words or _compiled(row.words).search(text) is not None


def _alike(pattern: list[str], value: list[str]) -> bool:
    return len(pattern) == len(value) and all(ours in ("x", theirs) for ours, theirs in zip(pattern, value, strict=True))


