"""Who may do what on a list, and whom a role reaches.

A role is held by a person, a bare address, or the members of a list; whoever has an address has its roles. Somebody without a right is told
nothing, not even that the list exists.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from colporteur.store.lists import List, ListState, Role, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Administrator, Organisation
from colporteur.store.people import Address, Person

GROUP_MOST = 200
"""Members of a list that has a role who are written to: a role for a very long list is no reason for as many letters."""

FEW = 500
"""Lists that are named one by one in a statement; more are found by it."""


class Right(StrEnum):
    """What somebody may do on a list."""

    SEE = "see"  # a member: the list's page and distributed messages
    MODERATE = "moderate"  # decide about held messages
    MANAGE = "manage"  # members, settings, roles: an owner
    ADMINISTER = "administer"  # an administrator of the site or of the list's organisation


_BY_ROLE: dict[RoleKind, frozenset[Right]] = {
    RoleKind.OWNER: frozenset({Right.SEE, Right.MODERATE, Right.MANAGE}),
    RoleKind.MODERATOR: frozenset({Right.SEE, Right.MODERATE}),
    RoleKind.FREE_SENDER: frozenset(),
    RoleKind.ALLOWED_SENDER: frozenset(),
    RoleKind.REFUSED_SENDER: frozenset(),
}


def rights_on(person: Person, list_: List) -> frozenset[Right]:
    """Rights of a signed-in person on one list; empty for somebody who must not learn that it exists.

    A deleted list is the administrators' only: they can restore it.
    """
    if not person.is_active:
        return frozenset()
    if administers(person, list_.organisation_id):
        return frozenset(Right)
    if list_.state == ListState.DELETED:
        return frozenset()
    first, *others = (roles.filter(list=list_).values_list("kind", flat=True) for roles in _roles(person))
    rights: set[Right] = set().union(*(_BY_ROLE[RoleKind(kind)] for kind in first.union(*others)))
    if not rights and Membership.objects.filter(list=list_, address__person=person, until__isnull=True).exists():
        rights.add(Right.SEE)
    return frozenset(rights)


def lists_for(person: Person, right: Right) -> QuerySet[List]:
    """Lists on which the person has the right, deleted ones left out; one query when evaluated."""
    lists = List.objects.exclude(state=ListState.DELETED)
    if not person.is_active:
        return lists.none()
    if person.is_admin:
        return lists
    kinds = [kind for kind, rights in _BY_ROLE.items() if right in rights]
    allowed: list[QuerySet[Any, Any]] = [roles.filter(kind__in=kinds).values_list("list_id") for roles in _roles(person)]
    allowed.append(List.objects.filter(organisation__administrators__person=person).values_list("pk"))
    if right is Right.SEE:
        allowed.append(_lists_of(address__person=person))
    return lists.filter(pk__in=allowed[0].union(*allowed[1:], all=True))


def known_lists(person: Person, right: Right) -> QuerySet[List]:
    """The same as ``lists_for``, asked once for each person object and named one by one when they are few: for what asks many
    questions about them while one page is made."""
    return lists_for(person, right) if person.is_admin or len(known := _known(person, right)) > FEW else List.objects.filter(pk__in=known)


def knows_any(person: Person, right: Right) -> bool:
    """Whether there is a list on which the person has the right; asks nothing where ``known_lists`` did."""
    return lists_for(person, right).exists() if person.is_admin else bool(_known(person, right))


def _known(person: Person, right: Right) -> list[int]:
    """``FEW`` lists and one more on which the person, no administrator of the site, has the right."""
    known: dict[Right, list[int]] = person.__dict__.setdefault("_known_lists", {})
    if right not in known:
        known[right] = list(lists_for(person, right).values_list("pk", flat=True)[: FEW + 1])
    return known[right]


def deleted_lists_for(person: Person) -> QuerySet[List]:
    """Deleted lists the person may restore; one query when evaluated."""
    lists = List.objects.filter(state=ListState.DELETED)
    if not person.is_active:
        return lists.none()
    return lists if person.is_admin else lists.filter(organisation__in=Administrator.objects.filter(person=person).values("organisation"))


def administers(person: Person, organisation: int) -> bool:
    """Whether the person is an administrator of the organisation, or of the site."""
    return person.is_active and (person.is_admin or Administrator.objects.filter(person=person, organisation=organisation).exists())


def organisations_for(person: Person) -> QuerySet[Organisation]:
    """Organisations the person administers; every one for an administrator of the site."""
    if not person.is_active:
        return Organisation.objects.none()
    return Organisation.objects.all() if person.is_admin else Organisation.objects.filter(administrators__person=person)


def roles_of(person: Person) -> QuerySet[Role]:
    """Roles the person has on lists that are not deleted, by whatever address or list."""
    first, *others = (roles.values_list("pk") for roles in _roles(person))
    return Role.objects.filter(pk__in=first.union(*others, all=True)).exclude(list__state=ListState.DELETED)


def addresses_of(list_: List, kind: RoleKind) -> list[Address]:
    """Addresses mail to the holders of a role goes to, each once, oldest role first.

    A person gets it once, at the address the oldest role was given to, else at the oldest verified one. A list without moderators is moderated by its owners, so they are
    answered for ``MODERATOR`` then.
    """
    found: dict[tuple[str, int], Address] = {}
    roles = Role.objects.filter(list=list_, kind=kind).select_related("person", "address__person").prefetch_related("person__addresses").order_by("id")
    for role in roles:
        held = [role.address or _best(role.person)] if not role.group_id else Address.objects.filter(_current(role.group_id)).select_related("person").order_by("id")[:GROUP_MOST]
        for address in held:
            holder = address.person if address else None
            if address and not (holder and not holder.is_active):
                found.setdefault(("person", holder.pk) if holder else ("address", address.pk), address)
    if not found and kind == RoleKind.MODERATOR:
        return addresses_of(list_, RoleKind.OWNER)
    return list(found.values())


def holds(list_: List, address: Address, *kinds: RoleKind) -> bool:
    """Whether the address, or the person it belongs to, has one of the roles."""
    holder = Q(address=address) | Q(group__in=_lists_of(address=address))
    if address.person_id:
        holder |= Q(person=address.person_id) | Q(address__person=address.person_id) | Q(group__in=_lists_of(address__person=address.person_id))
    return Role.objects.filter(holder, list=list_, kind__in=kinds).exists()


def administrators_of(organisation: Organisation) -> list[Address]:
    """Addresses of the organisation's administrators; of the site's when it has none."""
    people = Person.objects.filter(administers__organisation=organisation, is_active=True).prefetch_related("addresses").order_by("id")
    return [address for person in people if (address := _best(person))] or administrators()


def administrators() -> list[Address]:
    """Addresses of the site's administrators."""
    people = Person.objects.filter(is_admin=True, is_active=True).prefetch_related("addresses").order_by("id")
    return [address for person in people if (address := _best(person))]


def _roles(person: Person) -> tuple[QuerySet[Role], ...]:
    """Roles held by the person, by an address of theirs, and as a member of a list: each found by an index of its own, where one
    question with "or" would read every role and every address there is."""
    return Role.objects.filter(person=person), Role.objects.filter(address__person=person), Role.objects.filter(group__in=_lists_of(address__person=person))


def _lists_of(**who: object) -> QuerySet[Membership, int]:
    """Lists somebody is on."""
    return Membership.objects.filter(until__isnull=True, **who).values_list("list_id", flat=True)


def _current(list_: int) -> Q:
    """Addresses on a list."""
    return Q(pk__in=Membership.objects.filter(list=list_, until__isnull=True).values("address_id"))


def _best(person: Person | None) -> Address | None:
    """The same address as ``Person.primary_email``, from prefetched rows."""
    if person is None:
        return None
    known = sorted(person.addresses.all(), key=lambda address: (address.pk != person.first_address_id, address.verified_at is None, address.verified_at or address.created, address.id))
    return known[0] if known else None
