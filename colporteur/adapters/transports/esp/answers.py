"""What a service answers, and whose trouble it is: the copy's, the sender's, the account's, or nobody's that can be known.

Texts of refusals begin with an enhanced status (RFC 3463) where the service's words allow one, as SMTP replies do. Sources: error pages of
the Mailjet, SparkPost and Mandrill interfaces; the others by HTTP status alone.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NameResolutionError, NewConnectionError, SSLError

from colporteur.adapters.transports import Outgoing, Result, Stage, Trouble
from colporteur.domain.services import Account


class Answer(NamedTuple):
    """What became of a copy. ``trouble``: not the copy's; ``wait``: seconds the service asks for before more is sent."""

    result: Result
    code: int = 0
    text: str = ""
    trouble: Trouble | None = None
    wait: float = 0.0


_SENDER = re.compile(r"(?i)(?:sending|sender|from)[ _-]*(?:domain|address|email|signature).{0,80}(?:not |un|invalid|inactive|must)|(?:un(?:configured|verified|authorized|validated)|not (?:been )?(?:configured|verified|authorized|validated|activated)).{0,60}(?:send|from|domain)|invalid domain|\bunsigned\b|invalid-sender|is not an authorized sender|sender .{0,60}(?:not|invalid)")
_QUOTA = re.compile(r"(?i)quota|sending limit|limit (?:exceeded|reached)|exceeds? .{0,30}limit|(?:insufficient|no more|not enough) .{0,20}credit|payment ?required|daily limit|monthly limit|test-mode-limit|account .{0,20}(?:suspended|paused|on hold)")
_SUPPRESSED = re.compile(r"(?i)suppress|hard-bounce|soft-bounce|reject(?:ion)? ?list|blocklist|blacklist|inactive recipient|\bspam\b|\bunsub\b|\bcustom\b|\brule\b|global-block")
_RECIPIENT = re.compile(r"(?i)(?:recipient|to\[?\d*\]?\.?|\bto\b|address|email).{0,40}(?:invalid|malformed|not (?:a )?valid)|invalid.{0,30}(?:recipient|address|email|\bto\b)|mj-0013|at least one valid recipient")
_TOO_LARGE = re.compile(r"(?i)too large|exceeds? .{0,20}(?:size|\bMB\b|bytes)|maximum (?:message )?size|message size")

NO_WAIT = 60.0
"""Longer waits are a trouble of the service."""


def of_refusal(account: Account, copy: Outgoing, said: str) -> Answer:
    """The service took the request and refuses this recipient, or the message."""
    text = _line(account, said)
    if _SENDER.search(said):
        return Answer(Result.UNSENT, 550, text, Trouble(Stage.SENDER, 550, text, key=copy.key))
    if _QUOTA.search(said):
        return Answer(Result.UNSENT, 452, text, Trouble(Stage.GREETING, 452, text, temporary=True))
    if _RECIPIENT.search(said) or said == "invalid":
        return Answer(Result.FAILED, 550, f"5.1.3 {text}")
    if _SUPPRESSED.search(said):  # 5.2: of one mailbox, however many follow each other (domain.trouble)
        return Answer(Result.FAILED, 550, f"5.2.1 {account.service.title} writes no more to this recipient (its suppression list): {said}"[:500])
    if _TOO_LARGE.search(said):
        return Answer(Result.FAILED, 552, f"5.3.4 {text}")
    return Answer(Result.FAILED, 554, text)


def of_error(account: Account, copy: Outgoing, response: requests.Response | None, cause: BaseException | None) -> Answer:
    """The request itself did not succeed: an HTTP error, or no answer at all (``cause``)."""
    if response is None:
        return _no_answer(account, cause)
    status, said = response.status_code, words(response)
    text = _line(account, f"HTTP {status} {said}")
    if status in (408, 429):
        wait = _retry_after(response)
        return Answer(Result.UNSENT, 451, text, Trouble(Stage.GREETING, 451, text, temporary=True) if wait > NO_WAIT or _QUOTA.search(said) else None, wait)
    if status in (402, 420) or (status in (400, 403, 500) and _QUOTA.search(said)):
        return Answer(Result.UNSENT, 452, text, Trouble(Stage.GREETING, 452, text, temporary=True))
    if status in (400, 403, 422, 500) and _SENDER.search(said):
        return Answer(Result.UNSENT, 550, text, Trouble(Stage.SENDER, 550, text, key=copy.key))
    if status in (401, 403) or (status == 500 and re.search(r"Invalid_Key|Unknown_Subaccount", said)):
        return Answer(Result.UNSENT, 535, text, Trouble(Stage.AUTH, 535, text, temporary=False))
    if status in (502, 504) or status // 100 == 2:  # a machine in between, or an answer nobody can read: the message may have been taken
        return Answer(Result.UNKNOWN, 0, text, Trouble(Stage.CONNECT, 451, text, temporary=True))
    if status >= 500 and "ValidationError" not in said:
        return Answer(Result.UNSENT, 451, text, Trouble(Stage.CONNECT, 451, text, temporary=True))
    if status < 400 or status in (404, 405, 410):  # moved away, or no such interface
        return Answer(Result.UNSENT, 550, text, Trouble(Stage.CONNECT, 550, text, temporary=False))
    return of_refusal(account, copy, f"HTTP {status} {said}")


def _no_answer(account: Account, cause: BaseException | None) -> Answer:
    text = _line(account, "" if cause is None else _system_words(cause))
    inner = cause.args[0] if cause is not None and cause.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    if isinstance(cause, requests.exceptions.SSLError) or isinstance(reason, SSLError):
        return Answer(Result.UNSENT, 0, text, Trouble(Stage.TLS, 0, text))
    if isinstance(cause, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | NameResolutionError | ConnectTimeoutError):
        return Answer(Result.UNSENT, 0, text, Trouble(Stage.CONNECT, 0, text))
    return Answer(Result.UNKNOWN, 0, text, Trouble(Stage.CONNECT, 0, text))


def _system_words(cause: BaseException) -> str:
    inner = cause.args[0] if cause.args else cause
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    return str(reason).rpartition(": ")[2] or type(cause).__name__


def _retry_after(response: requests.Response) -> float:
    """Seconds the service asks for; 0.0 when it says nothing (a date counts as nothing)."""
    value = response.headers.get("Retry-After", "").strip()
    return min(float(value), 86400.0) if value.isascii() and value.isdigit() and len(value) < 10 else 0.0


def words(response: requests.Response) -> str:
    """The error in the service's own words, one line: what its JSON says under the usual names, else its text."""
    try:
        found = [*_said(json.loads(response.content), 0)]
    except (ValueError, RecursionError):
        found = [response.text]
    return " ".join(" ".join(dict.fromkeys(found)).split())[:400]


def _said(value: Any, depth: int) -> list[str]:
    if depth > 4:
        return []
    if isinstance(value, list):
        return [text for one in value[:5] for text in _said(one, depth + 1)]
    if not isinstance(value, dict):
        return []
    names = ("name", "code", "ErrorCode", "error_code", "message", "Message", "ErrorMessage", "description", "reject_reason", "detail", "error", "warning")
    texts = [str(value[name]) for name in names if isinstance(value.get(name), str | int) and str(value[name])]
    texts += [kind] if isinstance(kind := value.get("type"), str) and kind.endswith("_SUPPRESSED") else []  # MailerSend's warnings
    return texts + [text for inner in value.values() if isinstance(inner, dict | list) for text in _said(inner, depth + 1)]


def _line(account: Account, text: str) -> str:
    """One printable line without our keys, beginning with the service's name."""
    for key in account.keys:
        text = text.replace(key, "***")
    line = "".join(one if one.isprintable() else " " for one in text)
    return f"{account.service.title}: {' '.join(line.split())}"[:500]
