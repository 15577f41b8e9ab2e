"""The lines of a subscriber file, told in the words of ``families``: one list, its people, their memberships."""

from __future__ import annotations

import json
from collections.abc import Iterable

from django.db import connection

from colporteur.domain.imports.tables import Line

_BEGIN = """
CREATE TEMP TABLE raw_sheet (nr bigint, email text, written text, name text, state text, since timestamp, until timestamp, lang text, consent text, extra jsonb)
"""
_LIST = "INSERT INTO im_list (ext, tbl, ident, title, list_id) VALUES ('csv', 'csv', '', '', %(list)s)"
_PEOPLE = """
INSERT INTO im_person (tbl, nr, email, name, lang, consent, at, extra, opposed, md5, why)
SELECT 'csv', nr, email, name, lang, consent, since, extra, state = 'opposed' OR written ~* '^[0-9a-f]{32}@example\\.(org|com)$',
       CASE WHEN written ~* '^[0-9a-f]{32}@example\\.(org|com)$' THEN lower(left(written, 32)) END,
       CASE WHEN email IS NULL THEN 'not an e-mail address' WHEN state = 'pending' THEN 'not confirmed, or switched off, over there' WHEN state = 'unknown' THEN 'its status is not known' END
  FROM raw_sheet ORDER BY nr
"""
MEMBERS = """
INSERT INTO im_member (tbl, nr, list_ext, email, state, since, until)
SELECT 'csv', p.nr, 'csv', p.email, CASE r.state WHEN 'left' THEN 'left' ELSE 'member' END, r.since, r.until
  FROM im_person p JOIN raw_sheet r USING (nr) WHERE p.why IS NULL AND NOT p.opposed
"""
BOUNCED = """
-- Mail did not reach them over there: they are members, and nothing is sent to them until somebody brings them back.
INSERT INTO standing (address_id, state, since, kind, reason, failures, last_at, probes)
SELECT DISTINCT a.id, 2, %(now)s::timestamptz, 'dead', 'no_mailbox', 1, %(now)s::timestamptz, 0 FROM raw_sheet r JOIN im_member m USING (nr) JOIN address a ON a.email = m.email WHERE r.state = 'bounced' AND m.why IS NULL
ON CONFLICT DO NOTHING
"""
ACCOUNT = "SELECT coalesce(p.why, m.why), count(*) FROM im_person p LEFT JOIN im_member m USING (tbl, nr) GROUP BY 1"


def stage(lines: Iterable[Line], list_id: int) -> int:
    """Put the lines beside the list; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        with cursor.copy("COPY raw_sheet FROM STDIN") as copy:
            for line in lines:
                copy.write_row((line.number, line.email, line.written.replace("\x00", "")[:320], line.name, line.state.value, line.since, line.left_at, line.language, line.consent[:20_000], json.dumps(line.extra)))
        cursor.execute(_LIST, {"list": list_id})
        cursor.execute(_PEOPLE)
        return int(cursor.rowcount)
