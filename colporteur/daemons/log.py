"""Logging of every part: one line an event in logfmt, on standard error, and the mail journal in a file of its own.

``at=2026-11-21T11:20:00.123Z level=info part=worker log=mail event=accepted post=12 list=news@example.org``

Loggers are named ``colporteur.<noun>``; a message is a word (``%s`` where a state is the event) followed by
``key=%s`` pairs, or a sentence (``msg="..."``).
Values are quoted when they hold a space, a quote or ``=``, and control characters never pass: foreign text can neither
end a line nor forge a pair.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from django.conf import settings

_EVENT = re.compile(r"(?:%s|[a-z][\w.-]*)(?: [\w.]+=.*)?", re.DOTALL)
_PLACE = re.compile(r"%[ra]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r'[\s"=\\]')
_LONGEST = 2000  # characters of one value; of a longer one the middle is left out


class LineFormatter(logging.Formatter):
    """A record as one line of logfmt."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def format(self, record: logging.LogRecord) -> str:
        at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"
        noun = record.name.removeprefix("colporteur.")
        line = f"at={at} level={record.levelname.lower()} part={self.part} log={noun} {_message(record)}"
        if record.exc_info and record.exc_info[1] is not None:
            line += f" {_trace(record.exc_info[1])}"
        return _CONTROL.sub(" ", line)


def quoted(value: Any) -> Any:
    """A value as logfmt writes it; numbers as they are."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    text = _CONTROL.sub(" ", text)
    if text and not _NEEDS_QUOTES.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _message(record: logging.LogRecord) -> str:
    template = str(record.msg)
    try:
        if _EVENT.fullmatch(template):
            args = record.args
            filled = _PLACE.sub("%s", template) % tuple(quoted(arg) for arg in args) if isinstance(args, tuple) and args else template % args if args else template
            return f"event={filled}"
        return f"msg={quoted(record.getMessage())}"
    except (TypeError, ValueError):
        return f"msg={quoted(template)} args={quoted(record.args)}"


def _trace(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in reversed(frames))
    return f"error={quoted(f'{type(error).__name__}: {error}')} trace={quoted(where)}"


def set_up(part: str) -> None:
    """Set up logging for the process ``part``; a short ``command`` says only warnings aloud, the journal gets everything."""
    formatter = LineFormatter(part)
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(formatter)
    stderr.setLevel(logging.WARNING if part == "command" else settings.LOG_LEVEL)
    root = logging.getLogger()
    for handler in [*root.handlers]:
        if getattr(handler, "of_colporteur", False):
            root.removeHandler(handler)
    stderr.of_colporteur = True  # type: ignore[attr-defined]
    root.addHandler(stderr)
    root.setLevel(logging.WARNING)
    logging.getLogger("colporteur").setLevel(settings.LOG_LEVEL)
    _open_mail_journal(formatter)


def _open_mail_journal(formatter: logging.Formatter) -> None:
    journal = logging.getLogger("colporteur.mail")
    journal.setLevel(min(logging.INFO, logging.getLogger("colporteur").level))
    for handler in [*journal.handlers]:
        journal.removeHandler(handler)
        handler.close()
    if settings.MAIL_LOG is None:
        return
    try:
        settings.MAIL_LOG.parent.mkdir(parents=True, exist_ok=True)
        file = WatchedFileHandler(settings.MAIL_LOG, encoding="utf-8", errors="replace")
    except OSError as error:
        logging.getLogger("colporteur.log").warning("mail journal cannot be written, it goes to standard error only: %s", error)
        return
    file.setFormatter(formatter)
    journal.addHandler(file)
