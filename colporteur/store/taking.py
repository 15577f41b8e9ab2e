"""What intake writes: a batch of arrivals, their posts and the journal's lines about them are one statement. Hot SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.types.numeric import Int8

from colporteur.domain.posts import PostState
from colporteur.store.statements import execute

_SMALL = 64 * 1024  # bytes of a message that travels with others

_BLOBS = "INSERT INTO blob (sha256, size, raw) SELECT * FROM unnest(%b::bytea[], %b::bigint[], %b::bytea[]) ON CONFLICT DO NOTHING"
_BLOB = "INSERT INTO blob (sha256, size, raw) VALUES (%b, %b, %b) ON CONFLICT DO NOTHING"
_ENTER = """
WITH arrived AS MATERIALIZED (
    SELECT nextval('arrival_id_seq') AS id, place, blob, door, mail_from, recipients
    FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS new (blob, door, mail_from, recipients, place)
), kept AS (
    INSERT INTO arrival (id, blob_id, door, mail_from, recipients, received_at)
    SELECT id, blob, door, mail_from, recipients::jsonb, %s::timestamptz FROM arrived
), posted AS MATERIALIZED (
    SELECT nextval('post_id_seq') AS id, new.place, arrived.id AS arrival, door, list, organisation, message_id, content_key, size
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bytea[], %s::bigint[])
        WITH ORDINALITY AS new (arrival, list, organisation, message_id, content_key, size, place)
    JOIN arrived ON arrived.place = new.arrival
), made AS (
    INSERT INTO post (id, list_id, arrival_id, message_id, content_key, size, received_at, state, subject, sender, sender_name, defects, decided_by_address, decision_reason, attempts, error)
    SELECT id, list, arrival, message_id, content_key, size, %s::timestamptz, %s, '', '', '', '[]', '', '', 0, '' FROM posted
), told AS (
    INSERT INTO journal (at, event, organisation_id, list_id, post_id, values)
    SELECT %s::timestamptz, 'post.received', organisation, list, id, jsonb_build_object('door', door) FROM posted
)
SELECT true, place, id FROM arrived UNION ALL SELECT false, place, id FROM posted ORDER BY 1, 2
"""


class NewArrival(NamedTuple):
    """A message as it came: the name of its bytes, its door and envelope."""

    blob: bytes
    door: str
    mail_from: str
    recipients: Sequence[str]


class NewPost(NamedTuple):
    """A post of an arrival: ``arrival`` is its place in the sequence, from 0."""

    arrival: int
    list: int
    organisation: int
    message_id: str
    content_key: bytes
    size: int


def keep(named: Collection[tuple[bytes, bytes]]) -> None:
    """Store raw bytes by their SHA-256, once each. In one order everywhere, so that two transactions with the same
    messages wait for each other instead of dying of a deadlock; large ones one by one, as they need memory."""
    ordered = sorted({*named})
    small = [(digest, raw) for digest, raw in ordered if len(raw) <= _SMALL]
    if small:
        execute(_BLOBS, [[digest for digest, _ in small], [Int8(len(raw)) for _, raw in small], [raw for _, raw in small]])
    for digest, raw in ordered:
        if len(raw) > _SMALL:
            execute(_BLOB, [digest, Int8(len(raw)), raw])


def enter(arrivals: Sequence[NewArrival], posts: Sequence[NewPost], now: datetime) -> tuple[list[int], list[int]]:
    """Write arrivals, their posts (received, to be judged) and the journal; the ids of both, in their order."""
    if not arrivals:
        return [], []
    blobs, doors, senders, recipients = zip(*arrivals, strict=True)
    places, lists, organisations, message_ids, keys, sizes = zip(*posts, strict=True) if posts else ((),) * 6
    found = execute(
        _ENTER,
        [
            list(blobs), list(doors), list(senders), [json.dumps(each) for each in recipients], now,
            [Int8(place + 1) for place in places], [Int8(each) for each in lists], [Int8(each) for each in organisations], list(message_ids), list(keys), [Int8(each) for each in sizes],
            now, PostState.RECEIVED.value, now,
        ],
    ).fetchall()  # fmt: skip
    return [id_ for of_arrival, _, id_ in found if of_arrival], [id_ for of_arrival, _, id_ in found if not of_arrival]
