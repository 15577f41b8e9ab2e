"""The directories there are. Lists of our own are read from their rows and stand here no more than members by hand."""

from __future__ import annotations

from colporteur.adapters.directories import Fetch, csv, file, ldap, sql

KINDS: dict[str, Fetch] = {"csv": csv.fetch, "sql": sql.fetch, "ldap": ldap.fetch, "file": file.fetch}
