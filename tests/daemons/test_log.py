"""One line an event, whatever is in it, and a mail journal that can be read apart."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colporteur.daemons import log


def line(message: str, *args: object, name: str = "colporteur.mail", error: BaseException | None = None) -> str:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, args, (type(error), error, error.__traceback__) if error else None)
    record.created, record.msecs = 1_795_000_000.123, 123.0
    return log.LineFormatter("worker").format(record)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Loggers as they were."""
    loggers = [logging.getLogger(), logging.getLogger("colporteur"), logging.getLogger("colporteur.mail")]
    before = [(logger, logger.level, [*logger.handlers]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        for handler in [*logger.handlers]:
            if handler not in handlers:
                logger.removeHandler(handler)
                handler.close()
        logger.setLevel(level)


def test_an_event_is_logfmt() -> None:
    assert line("accepted post=%s list=%s ms=%d", 12, "news@example.org", 3) == (
        "at=2026-11-18T11:06:40.123Z level=info part=worker log=mail event=accepted post=12 list=news@example.org ms=3"
    )


def test_a_state_may_be_the_event_and_every_value_is_quoted_the_same_way() -> None:
    assert line("%s mailing=%d reply=%r error=%s", "failed", 7, "550 5.1.1 No such user", "").endswith('event=failed mailing=7 reply="550 5.1.1 No such user" error=""')


def test_a_sentence_becomes_one_value() -> None:
    assert line("could not look up %s", "example.org", name="django.request").endswith('log=django.request msg="could not look up example.org"')


@pytest.mark.parametrize("hostile", ["a\nlevel=error", "a\r\nb", "x list=forged", 'x" list=forged', "\x1b[31mred", "a\u2028b", "\x00", "lone \udcff"])
def test_foreign_text_neither_ends_a_line_nor_forges_a_pair(hostile: str) -> None:
    told = line("held subject=%s list=%s", hostile, "right@example.org")
    assert len(told.splitlines()) == 1 and told.isprintable()
    told.encode()
    outside = "".join(told.replace('\\"', "").split('"')[::2])  # what is not quoted
    assert "forged" not in outside and "level=error" not in outside and "list=right@example.org" in outside


def test_a_trace_is_on_the_same_line() -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError as error:
        told = line("failed", name="colporteur.parts", error=error)
    assert 'event=failed error="ValueError: no such thing"' in told
    assert "test_log.py:" in told and "\n" not in told


def test_a_wrong_number_of_arguments_is_still_a_line() -> None:
    assert "log=mail" in line("accepted post=%s list=%s", 1)


def test_a_long_value_keeps_its_beginning_and_its_end() -> None:
    told = line("failed reply=%s", "begin " + "x" * 10_000 + " end")
    assert "begin" in told and "end" in told and len(told) < 2200


def test_the_mail_journal_has_a_file_of_its_own(tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str], quiet: None) -> None:
    settings.MAIL_LOG = tmp_path / "log" / "mail.log"
    settings.LOG_LEVEL = "INFO"
    log.set_up("worker")
    logging.getLogger("colporteur.mail").info("accepted post=%s", 7)
    logging.getLogger("colporteur.smtp").info("connected host=%s", "mx.example")
    logging.getLogger("colporteur.smtp").debug("never seen")
    journal = settings.MAIL_LOG.read_text().splitlines()
    assert len(journal) == 1 and journal[0].endswith("log=mail event=accepted post=7")
    told = capsys.readouterr().err.splitlines()
    assert [entry.partition("event=")[2] for entry in told] == ["accepted post=7", "connected host=mx.example"]


def test_a_command_says_warnings_only_but_the_journal_hears_everything(tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str], quiet: None) -> None:
    settings.MAIL_LOG = tmp_path / "mail.log"
    log.set_up("command")
    logging.getLogger("colporteur.mail").info("released post=%s", 7)
    assert "released" in settings.MAIL_LOG.read_text() and capsys.readouterr().err == ""


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str], quiet: None) -> None:
    (tmp_path / "file").write_text("")
    settings.MAIL_LOG = tmp_path / "file" / "mail.log"
    log.set_up("worker")
    logging.getLogger("colporteur.mail").info("accepted post=%s", 7)
    told = capsys.readouterr().err
    assert "mail journal cannot be written" in told and "accepted post=7" in told
