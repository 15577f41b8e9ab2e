"""The directories there are. Lists of our own are read from their rows and stand here no more than members by hand."""

from __future__ import annotations

from colporteur.adapters.directories import SECONDS, Asked, Fetch, csv, file, ldap, sql
from colporteur.domain.sources import Setting, Table

KINDS: dict[str, Fetch] = {"csv": csv.fetch, "sql": sql.fetch, "ldap": ldap.fetch, "file": file.fetch}


def fetch(setting: Setting, seconds: float = SECONDS, *, networks: tuple[str, ...] = ()) -> Table:
    """What a source answers now; it may lie in these networks of our own, too. Raises ``Trouble``."""
    return KINDS[setting.kind](Asked(setting.url, setting.secret, setting.options, setting.mapping, setting.internal, seconds, networks))
