"""The kinds of account that can be collected from: a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable

from colporteur.adapters.sources import Source
from colporteur.adapters.sources.imap import Imap
from colporteur.adapters.sources.pop3 import Pop3
from colporteur.domain.mailboxes import Account

KINDS: dict[str, Callable[[Account, int], Source]] = {"imap": Imap, "pop3": Pop3}


def connect(account: Account, limit: int) -> Source:
    """The account, connected and authenticated. ``limit``: largest message in bytes. Raises ``Trouble``."""
    return KINDS[account.kind](account, limit)
