"""Roles on a list: owner, moderator, free sender. A list always keeps one owner."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.flow import people
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.people import Address, Person


class Holder(NamedTuple):
    """Somebody with a role, as screens and commands show it."""

    kind: RoleKind
    name: str
    email: str
    person: int | None


@transaction.atomic
def give(list_: List, email: str, kind: RoleKind, now: datetime, *, by: Person | str, name: str = "") -> bool:
    """Give a role; False when it was there. An unknown owner becomes a person, other roles may stay with an address.

    Raises ``ValueError`` when ``email`` is not an address.
    """
    checked = normal(email)
    person = people.add(checked, name, now=now) if kind == RoleKind.OWNER else people.find(checked)
    if person:
        address = None
        _new = not Role.objects.filter(Q(person=person) | Q(address__person=person), list=list_, kind=kind).exists()
        if _new:
            Role.objects.get_or_create(list=list_, kind=kind, person=person)
    else:
        address, _made = Address.objects.get_or_create(email=checked, defaults={"name": name, "created": now})
        _role, _new = Role.objects.get_or_create(list=list_, kind=kind, address=address)
    if _new:
        journal.write("role.given", now, actor=actor(by), organisation=list_.organisation_id, list=list_.id, address=address.id if address else None, who=checked, role=kind.value, by=str(by))
    return _new


@transaction.atomic
def take(list_: List, email: str, kind: RoleKind, now: datetime, *, by: Person | str) -> bool:
    """Take a role away; False when it was not there. Raises ``ValueError`` for the last owner."""
    checked = normal(email)
    List.objects.select_for_update().get(pk=list_.pk)  # two owners leaving at once must not both succeed
    held = Role.objects.filter(Q(address__email=checked) | Q(person__addresses__email=checked) | Q(address__person__addresses__email=checked), list=list_, kind=kind)
    ids = set(held.values_list("id", flat=True))
    if not ids:
        return False
    if kind == RoleKind.OWNER and not Role.objects.filter(list=list_, kind=kind).exclude(id__in=ids).exists():
        raise ValueError(_("%(email)s is the last owner of %(list)s: give the list another owner first") % {"email": checked, "list": list_.address})
    Role.objects.filter(id__in=ids).delete()
    journal.write("role.taken", now, actor=actor(by), organisation=list_.organisation_id, list=list_.id, who=checked, role=kind.value, by=str(by))
    return True


def of(list_: List) -> list[Holder]:
    """Everybody with a role on the list: owners, moderators, free senders, each in the order given."""
    order = list(RoleKind)
    rows = Role.objects.filter(list=list_).select_related("person", "address__person").prefetch_related("person__addresses").order_by("id")
    holders = [_holder(role) for role in rows]
    return sorted(holders, key=lambda holder: order.index(holder.kind))


def _holder(role: Role) -> Holder:
    person = role.person or (role.address.person if role.address else None)
    email = role.address.email if role.address else (role.person.primary_email if role.person else "")
    name = (person.name if person else "") or (role.address.name if role.address else "")
    return Holder(RoleKind(role.kind), name, email, person.pk if person else None)
