"""Sending again, a message of a list or a newsletter: to whom is asked the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import click

from colporteur.cli.output import BY, now
from colporteur.flow import resending
from colporteur.flow.resending import Preview, Resent, Whom
from colporteur.store.mailings import Mailing


class Again(NamedTuple):
    """To whom, what was counted, and what was made; None for a dry run."""

    whom: Whom
    preview: Preview
    resent: Resent | None


def to_whom(command: Callable[..., None]) -> Callable[..., None]:
    """The options of ``again``."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say how many there are."),
        click.option("--new", is_flag=True, help="To those who joined since."),
        click.option("--unknown", is_flag=True, help="With --failed: also to those whom a copy may have reached."),
        click.option("--failed", is_flag=True, help="To those whose copies failed."),
    ):
        command = option(command)
    return command


def again(mailing: Mailing, *, failed: bool, unknown: bool, new: bool, dry_run: bool) -> Again:
    """Count, and unless it is a dry run send. Raises ``ValueError`` with a sentence."""
    if failed == new or (unknown and not failed):
        raise ValueError("say to whom: --failed (with --unknown if wanted) or --new")
    whom = Whom.NEW if new else Whom.UNKNOWN if unknown else Whom.FAILED
    preview = resending.preview(mailing, whom, now())
    return Again(whom, preview, None if dry_run else resending.resend(mailing, whom, now(), by=BY))
