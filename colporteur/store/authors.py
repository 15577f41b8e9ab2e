"""What is asked about the authors of every post: few statements for a batch, each by keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from colporteur.store.statements import execute


class Author(NamedTuple):
    """An address; ``person``: whose it is, None while nobody's."""

    id: int
    email: str
    person: int | None


def addresses(emails: Collection[str]) -> set[Author]:
    """The addresses with these names that are known, and every other one of the people they belong to."""
    found = {Author(*row) for row in execute("SELECT id, email, person_id FROM address WHERE email = ANY (%s::text[])", [sorted(emails)]).fetchall()}
    if people := sorted({one.person for one in found if one.person}):  # asked apart: one question with "or" over both reads every address there is
        found |= {Author(*row) for row in execute("SELECT id, email, person_id FROM address WHERE person_id = ANY (%s::bigint[])", [people]).fetchall()}
    return found


_WIDE = """
SELECT list_id, kind, group_id, domain FROM role
 WHERE list_id = ANY (%s::bigint[]) AND (group_id IS NOT NULL OR domain <> '' OR kind = 'allowed_sender')
"""


def wide_roles(lists: Collection[int]) -> list[tuple[int, str, int | None, str]]:
    """(list, kind, list whose members have it, domain) of the lists' roles of whole lists and domains, and of allowed senders."""
    return [(row[0], row[1], row[2], row[3]) for row in execute(_WIDE, [sorted(lists)]).fetchall()]


def domains(organisations: Collection[int]) -> set[tuple[str, int]]:
    """(name, organisation) of their domains."""
    return {(row[0], row[1]) for row in execute("SELECT name, organisation_id FROM domain WHERE organisation_id = ANY (%s::bigint[])", [sorted(organisations)]).fetchall()}
