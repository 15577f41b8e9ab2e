"""A file on the server: CSV or one address per line."""

from __future__ import annotations

import os
import stat

from colporteur.adapters.directories import BYTES, Asked, Trouble
from colporteur.domain.sources import Table, table_of
from colporteur.domain.words import gettext_noop as _


def fetch(asked: Asked) -> Table:
    """Read it whole. Raises ``Trouble``."""
    if not asked.internal:
        raise Trouble(_("only an administrator of the site may use a file of the server"), lasting=True)
    try:
        # Not to wait for a pipe's other end.
        with os.fdopen(os.open(asked.url, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Trouble(_("{path} is not a file"), path=asked.url, lasting=True)
            raw = file.read(BYTES + 1)
    except OSError as error:
        raise Trouble(_("{path} cannot be read"), path=asked.url, detail=error.strerror or "") from error
    if len(raw) > BYTES:
        raise Trouble(_("{path} has more than {limit} MiB"), path=asked.url, limit=BYTES // 2**20, lasting=True)
    return table_of(raw, asked.columns)
