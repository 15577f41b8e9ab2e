"""A hoster's database: 10,000 lists on 1,000 domains of 200 organisations, a list of 1,000,000 members, their messages and mailings.

Rows of a kind are copies of one that the models made, with some columns changed: columns that are added later need nothing here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.posts import PostState
from colporteur.store.arrivals import Arrival, keep
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.organisations import Administrator, Domain, Organisation, Site
from colporteur.store.people import NAMED, Address, Person
from colporteur.store.posts import Finding, Post
from tests.story.scenes import LONG_AGO, a_transport

SMALL = 40
"""Members of each list but the long one."""


class World(NamedTuple):
    """Whom and what the pages are asked about. ``seconds``: what the long list's members took to be added."""

    administrator: Person
    of_organisation: Person  # looks after one organisation of 50 lists
    owner: Person  # of 50 lists
    member: Person  # of 50 lists, no rights
    long: List
    organisation: Organisation
    mailing: Mailing  # to every member of the long list
    held: Post
    seconds: float


def fill(members: int, lists: int, domains: int, say: Callable[[str], None]) -> World:
    """Make it all, set-based. On the empty database Django knows."""
    Site.objects.get_or_create(id=1)
    _organisations(domains)
    _lists(lists, domains)
    _addresses(members)
    people = _people(lists)
    long = List.objects.select_related("organisation", "domain").order_by("pk")[0]
    say(f"{lists:,} lists on {domains:,} domains, {members:,} addresses")
    began = time.monotonic()
    _sql(f"INSERT INTO membership (list_id, address_id, delivery, paused, since, left_by, email, called) SELECT %s, id, 'each', false, %s, '', email, called FROM ({NAMED}) a WHERE email LIKE 'p%%' ORDER BY id LIMIT %s", [long.pk, LONG_AGO, members])
    seconds = time.monotonic() - began
    say(f"{members:,} members added to one list in {seconds:.1f} s")
    _members(lists, members, people[3])
    held = _posts(long)
    mailing = _mailings(long)
    _journal()
    say("members, messages, mailings and the journal of the others")
    _sql("ANALYZE", [])
    return World(*people, long, long.organisation, mailing, held, seconds)


def _sql(statement: str, values: list[object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _copies(table: str, first: int, changes: str, source: str, values: list[object]) -> None:
    """Rows of ``table`` like the one with id ``first``, one for each row of ``source``, with these changes (arguments of jsonb_build_object)."""
    _sql(
        f"INSERT INTO {table} SELECT r.* FROM {table} t CROSS JOIN ({source}) s"
        f" CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object('id', nextval('{table}_id_seq') + 0 * s.n, {changes})) r WHERE t.id = {first}",
        values,
    )


def _organisations(domains: int) -> None:
    first = Organisation.objects.create(name="Organisation 0000")
    _copies("organisation", first.pk, "'name', 'Organisation ' || to_char(s.n, 'FM0000')", "SELECT generate_series(1, %s) n", [domains // 5 - 1])
    domain = Domain.objects.create(name="d00000.example", organisation=first, creation="request")
    _copies("domain", domain.pk, "'name', 'd' || to_char(s.n, 'FM00000') || '.example', 'organisation_id', s.o", "SELECT n, o.id o FROM generate_series(1, %s) n JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 k FROM organisation) o ON o.k = n / 5", [domains - 1])


def _lists(lists: int, domains: int) -> None:
    domain = Domain.objects.order_by("pk")[0]
    first = List.objects.create(organisation=domain.organisation, domain=domain, address="everybody@d00000.example", title="Everybody", list_id="everybody.d00000.example", policy={"members_shown": "members"})
    _copies(
        "list", first.pk, "'address', a, 'list_id', replace(a, '@', '.'), 'title', 'List ' || s.n, 'organisation_id', s.o, 'domain_id', s.d, 'policy', '{}'::jsonb",
        "SELECT n, d.o, d.id d, 'list-' || to_char(n, 'FM00000') || '@' || d.name a FROM generate_series(1, %s) n "
        "JOIN (SELECT id, organisation_id o, name, row_number() OVER (ORDER BY id) - 1 k FROM domain) d ON d.k = n %% %s", [lists - 1, domains],
    )  # fmt: skip


def _addresses(members: int) -> None:
    first = ("'Anne','Bruno','Chloé','David','Élise','Farid','Gaëlle','Hugo'", "'Martin','Le Goff','Petit','Durand','Moreau','Lefèvre','Bescond','Roux'")
    _sql(
        f"INSERT INTO address (email, name, created) SELECT 'p' || to_char((n * 7919::bigint) %% 10000019, 'FM00000000') || '@host-' || n %% 997 || '.example', "
        f"(ARRAY[{first[0]}])[1 + n %% 8] || ' ' || (ARRAY[{first[1]}])[1 + n / 8 %% 8] || ' ' || n, %s FROM generate_series(1, %s) n ON CONFLICT DO NOTHING", [LONG_AGO, members],
    )  # fmt: skip


def _people(lists: int) -> tuple[Person, Person, Person, Person]:
    """An administrator of the site, one of an organisation, an owner of 50 lists and a member of as many; beside them an owner and a moderator of each list."""
    now = timezone.now()
    found = [Person.objects.create(name=name, is_admin=name == "Ada Administrator", language="fr") for name in ("Ada Administrator", "Oscar Organiser", "Olga Owner", "Max Member")]
    for person in found:
        Address.objects.create(email=f"{person.name.split()[0].lower()}@people.example", person=person, verified_at=now)
    Administrator.objects.create(organisation=Organisation.objects.order_by("pk")[0], person=found[1], since=now)
    people = Person.objects.bulk_create(Person(name=f"Person {number}") for number in range(lists))
    _sql("UPDATE address SET person_id = p.id FROM (SELECT id, row_number() OVER (ORDER BY id) k FROM address WHERE email LIKE 'p%%' ORDER BY id LIMIT %s) a JOIN unnest(%s::bigint[]) WITH ORDINALITY p (id, k) USING (k) WHERE address.id = a.id", [lists, [person.pk for person in people]])
    ids = list(List.objects.order_by("pk").values_list("pk", flat=True))
    roles = [Role(list_id=list_, kind=kind, person=people[(number * 7 + shift) % lists]) for number, list_ in enumerate(ids) for shift, kind in enumerate((RoleKind.OWNER, RoleKind.MODERATOR))]
    roles += [Role(list_id=list_, kind=RoleKind.OWNER, person=found[2]) for list_ in [ids[0], *ids[1 : len(ids) : max(1, len(ids) // 49)]][:50]]
    Role.objects.bulk_create(roles, batch_size=5000)
    return found[0], found[1], found[2], found[3]


def _members(lists: int, members: int, member: Person) -> None:
    _sql(
        "INSERT INTO membership (list_id, address_id, delivery, paused, since, left_by) SELECT l.id, a.id, CASE WHEN k %% 10 = 0 THEN 'none' ELSE 'each' END, k %% 17 = 0, %s, '' "
        "FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 n FROM list) l CROSS JOIN generate_series(1, %s) k "
        "JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 m FROM address WHERE email LIKE 'p%%') a ON a.m = (l.n * 7919 + k * 104729) %% %s WHERE l.n > 0 ORDER BY 1, 2 ON CONFLICT DO NOTHING", [LONG_AGO, SMALL, members],
    )  # fmt: skip
    _sql(
        "INSERT INTO membership (list_id, address_id, delivery, paused, since, left_by) SELECT l.id, a.id, 'each', false, %s, '' "
        "FROM (SELECT id FROM list WHERE id %% %s = 0 ORDER BY id LIMIT 49) l CROSS JOIN address a WHERE a.person_id = %s", [LONG_AGO, max(1, lists // 49), member.pk],
    )  # fmt: skip
    _sql("INSERT INTO membership (list_id, address_id, delivery, paused, since, left_by) SELECT (SELECT min(id) FROM list), id, 'each', false, %s, '' FROM address WHERE person_id = %s", [LONG_AGO, member.pk])
    _sql("UPDATE membership SET paused = true WHERE list_id = (SELECT min(id) FROM list) AND address_id %% 50 = 7", [])
    _sql("UPDATE membership SET delivery = 'none' WHERE list_id = (SELECT min(id) FROM list) AND address_id %% 100 = 3", [])


def _posts(long: List) -> Post:
    now = timezone.now()
    arrival = Arrival.objects.create(blob_id=keep(b"From: Anne <anne@people.example>\r\nSubject: The figures\r\n\r\nHello all\r\n"), door="lmtp", received_at=now)
    values = {"list": long, "arrival": arrival, "content_key": b"k", "size": 80, "subject": "The figures", "sender": "anne@people.example", "received_at": now}
    first = Post.objects.create(state=PostState.ACCEPTED, **values)
    change = "'list_id', s.id, 'received_at', t.received_at - s.n * interval '1 hour'"
    _copies("post", first.pk, change, "SELECT l.id, n FROM generate_series(1, 10) n CROSS JOIN list l ORDER BY 2 DESC", [])
    _copies("post", first.pk, change, "SELECT %s::bigint id, n FROM generate_series(1, 20000) n", [long.pk])
    held = Post.objects.create(state=PostState.HELD, **values)
    finding = Finding.objects.create(post=held, position=0, rule="members", action="hold", reason="the sender is not a member")
    last = held.pk
    _copies("post", held.pk, change, "SELECT l.id, n FROM generate_series(1, 2) n CROSS JOIN (SELECT id FROM list ORDER BY id LIMIT 2500) l", [])
    _copies("finding", finding.pk, "'post_id', s.n", "SELECT id n FROM post WHERE id > %s", [last])
    return held


def _mailings(long: List) -> Mailing:
    transport, now = a_transport("folder:///tmp/nowhere"), timezone.now()
    post = Post.objects.filter(list=long, state=PostState.ACCEPTED).order_by("-pk")[0]
    found = Mailing.objects.create(kind=MailingKind.POST, list=long, post=post, transport=transport, state=MailingState.DONE, subject="The figures", blob_id=post.arrival.blob_id, audience_at=now, planned=True, created=now, started=now, finished=now)
    _copies("mailing", found.pk, "'list_id', s.l, 'post_id', s.n", "SELECT id n, list_id l FROM post WHERE state = 'accepted' ORDER BY id LIMIT 50000", [])
    _copies("mailing", found.pk, "'list_id', s.l, 'post_id', s.n, 'state', 'paused', 'finished', NULL", "SELECT id n, list_id l FROM post WHERE state = 'accepted' ORDER BY id LIMIT 2000", [])
    _sql("INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled) SELECT id, 0, transport_id, state = 'done', priority, 0, 40, CASE WHEN state = 'done' THEN 40 ELSE 0 END, 0, 0, 0 FROM mailing WHERE id > %s", [found.pk])
    _copies_of(found, long)
    return found


def _copies_of(mailing: Mailing, list_: List) -> None:
    """A copy for each member: one in a thousand refused, the others accepted at once, as the bits of their slices say."""
    _sql(
        "INSERT INTO copy_row (mailing_id, address_id, slice, state, attempts, code, place) SELECT %s, address_id, k / 500, bad * 3, bad, bad * 550, CASE WHEN bad = 0 THEN k %% 500 END "
        "FROM (SELECT address_id, row_number() OVER (ORDER BY address_id) - 1 AS k, (address_id %% 1000 = 0)::int AS bad FROM membership WHERE list_id = %s) m ORDER BY address_id", [mailing.pk, list_.pk],
    )  # fmt: skip
    _sql(
        "INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled, open) "
        "SELECT mailing_id, slice, %s, true, %s, 1, count(*), count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 3), 0, 0, repeat('0', 500)::bit(500) FROM copy_row WHERE mailing_id = %s GROUP BY 1, 2",
        [mailing.transport_id, mailing.priority, mailing.pk],
    )


def _journal() -> None:
    post = Post.objects.order_by("pk")[0]
    first = JournalEntry.objects.create(at=timezone.now(), event="post.accepted", organisation_id=post.list.organisation_id, list_id=post.list_id, post_id=post.pk)
    _copies("journal", first.pk, "'list_id', s.l, 'post_id', s.n", "SELECT id n, list_id l FROM post", [])
