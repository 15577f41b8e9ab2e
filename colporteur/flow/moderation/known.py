"""Who the authors of a batch of messages are to the organisations and lists they write to, in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from django.db.models import Q

from colporteur.store import authors
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.memberships import Membership, Posting
from colporteur.store.organisations import Administrator

_LOOKS_AFTER = frozenset({RoleKind.OWNER, RoleKind.MODERATOR, RoleKind.FREE_SENDER})


class Known:
    """Addresses, memberships and roles of authors. At most seven queries, whatever the batch.

    ``lists``: those whose roles of whole lists and domains count too.
    """

    def __init__(self, senders: Collection[str], organisations: Collection[int], lists: Collection[int] = ()) -> None:
        self.address: dict[str, int] = {}
        self._same: dict[int, set[int]] = {}  # address -> every address of the same person
        self._email: dict[int, str] = {}
        self._person: dict[int, int] = {}
        person: dict[int, set[int]] = defaultdict(set)
        rows = authors.addresses(senders)
        for id_, _email, owner in rows:
            if owner:
                person[owner].add(id_)
        for id_, email, owner in rows:
            self.address[email], self._email[id_] = id_, email
            self._same[id_] = person[owner] if owner else {id_}
            if owner:
                self._person[id_] = owner
        ids = [row.id for row in rows]
        self._load_roles(ids, person, organisations, lists)
        self._member: dict[int, set[tuple[int, int]]] = defaultdict(set)  # address -> (list, organisation)
        current = Membership.objects.filter(address__in=ids, until__isnull=True, list__organisation__in=organisations) if ids else Membership.objects.none()
        self._posting: dict[tuple[int, int], str] = {}  # (address, list) -> what was decided for this member
        for address, list_, organisation, decided in current.values_list("address_id", "list_id", "list__organisation_id", "posting"):
            self._member[address].add((list_, organisation))
            self._posting[address, list_] = decided
        self._domains = authors.domains(organisations)
        self._administers: set[tuple[int, int]] = set()
        if person:
            self._administers = set(Administrator.objects.filter(person__in=list(person), organisation__in=organisations).values_list("person_id", "organisation_id"))

    def _load_roles(self, ids: list[int], person: dict[int, set[int]], organisations: Collection[int], lists: Collection[int]) -> None:
        held = Role.objects.filter(Q(address__in=ids) | Q(person__in=list(person)), list__organisation__in=organisations) if ids else Role.objects.none()
        self._roles: dict[int, set[tuple[int, int, str]]] = defaultdict(set)  # address -> (list, organisation, kind)
        for list_, organisation, kind, address, owner in held.values_list("list_id", "list__organisation_id", "kind", "address_id", "person_id"):
            for id_ in person[owner] if owner else {address}:
                self._roles[id_].add((list_, organisation, kind))
        self._wide = authors.wide_roles(lists)

    def member(self, email: str, list_: List) -> bool:
        """Whether one of the sender's addresses is on the list."""
        return list_.pk in self._lists(email)

    def posting(self, email: str, list_: List) -> str:
        """What was decided for the sender as a member of the list, the strictest of their addresses; "" when nothing was."""
        decided = {self._posting.get((id_, list_.pk), "") for id_ in self._addresses(email)}
        return next((found for found in (Posting.NEVER, Posting.MODERATED, Posting.FREE) if found in decided), "")

    def roles(self, email: str, list_: List) -> set[str]:
        """Roles of the sender on the list: by any of their addresses, as a member of a list that has the role, or by domain."""
        kinds = {kind for id_ in self._addresses(email) for held, _organisation, kind in self._roles[id_] if held == list_.pk}
        there, hosts = self._lists(email), {email.rpartition("@")[2]} | {self._email[id_].rpartition("@")[2] for id_ in self._addresses(email)}
        return kinds | {kind for held, kind, group, domain in self._wide if held == list_.pk and (group in there or domain in hosts)}

    def restricted(self, list_: List) -> bool:
        """Whether the list names allowed senders."""
        return any(held == list_.pk and kind == RoleKind.ALLOWED_SENDER for held, kind, _group, _domain in self._wide)

    def known(self, email: str, organisation: int) -> bool:
        """Whether the sender is a member or holds a role, other than being refused, anywhere in the organisation."""
        ids = self._addresses(email)
        return any(place == organisation for id_ in ids for _list, place in self._member[id_]) or any(
            row[1] == organisation and row[2] != RoleKind.REFUSED_SENDER for id_ in ids for row in self._roles[id_]
        )

    def internal(self, email: str, organisation: int) -> bool:
        """Whether the sender belongs to the organisation: one of their addresses is at its domains, or they look after it or a list of it."""
        ids = self._addresses(email)
        hosts = {email.rpartition("@")[2]} | {self._email[id_].rpartition("@")[2] for id_ in ids}
        return (
            any((host, organisation) in self._domains for host in hosts)
            or any((self._person.get(id_), organisation) in self._administers for id_ in ids)
            or any(place == organisation and kind in _LOOKS_AFTER for id_ in ids for _list, place, kind in self._roles[id_])
        )

    def _addresses(self, email: str) -> set[int]:
        return self._same.get(self.address.get(email, 0), set())

    def _lists(self, email: str) -> set[int]:
        return {list_ for id_ in self._addresses(email) for list_, _organisation in self._member[id_]}
