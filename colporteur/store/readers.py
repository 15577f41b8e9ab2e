"""What is known of the readers of a newsletter beyond address and name: language, attributes, lists. Set-based, for a slice at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from colporteur.store.copies.running import array, run


class Known(NamedTuple):
    """Of one address: the person's language, "" when none was chosen; attributes on the list a copy comes by; whether it is a member."""

    language: str
    attributes: dict[str, Any]
    member: bool


_KNOWN = """
-- By the key of each row: a mailing's copies come by its own list unless a passage says otherwise.
SELECT x.id, coalesce(p.language, ''), d.values, EXISTS (SELECT 1 FROM membership m WHERE m.list_id = l.id AND m.address_id = x.id AND m.until IS NULL OFFSET 0)
  FROM unnest(%(addresses)s::bigint[]) x (id)
  CROSS JOIN LATERAL (SELECT person_id FROM address WHERE id = x.id OFFSET 0) a
  CROSS JOIN LATERAL (SELECT coalesce((SELECT g.through FROM passage g WHERE g.mailing = %(mailing)s AND g.address = x.id), %(list)s) AS id) l
  LEFT JOIN LATERAL (SELECT language FROM person WHERE id = a.person_id OFFSET 0) p ON true
  LEFT JOIN LATERAL (SELECT values FROM details WHERE list_id = l.id AND address_id = x.id OFFSET 0) d ON true
"""


def known(addresses: Sequence[int], list_: int, mailing: int = 0) -> dict[int, Known]:
    """What is known of these addresses on a list, or on the lists by which a mailing reaches them."""
    return {row[0]: Known(row[1], json.loads(row[2]) if row[2] else {}, row[3]) for row in run(_KNOWN, {"addresses": array(addresses), "list": list_, "mailing": mailing})}


_LISTS = """
SELECT m.address_id, array_agg(coalesce(nullif(l.title, ''), l.address) ORDER BY l.address)
  FROM membership m JOIN list l ON l.id = m.list_id
 WHERE m.address_id = ANY (%(addresses)s::bigint[]) AND m.until IS NULL AND l.organisation_id = %(organisation)s AND l.state = 'active'
 GROUP BY m.address_id
"""


def lists_of(addresses: Sequence[int], organisation: int) -> dict[int, list[str]]:
    """The titles of an organisation's working lists each address is on."""
    return {row[0]: row[1] for row in run(_LISTS, {"addresses": array(addresses), "organisation": organisation})}
