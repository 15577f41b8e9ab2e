"""Roles on a list: owner, moderator, and senders that are free, allowed or refused. A list always keeps one owner.

Who holds one is written as an address, as ``@domain`` (senders only), or as the address of a list: then its members do.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.flow import people
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.lists import List, ListState, Role, RoleKind
from colporteur.store.people import Address, Person

OF_DOMAINS = (RoleKind.FREE_SENDER, RoleKind.ALLOWED_SENDER, RoleKind.REFUSED_SENDER)
"""Roles a whole domain may have."""


class Holder(NamedTuple):
    """Somebody with a role, as screens and commands show it. ``email``: also ``@domain`` and the address of a list (``group``)."""

    kind: RoleKind
    name: str
    email: str
    person: int | None
    group: bool = False


@transaction.atomic
def give(list_: List, who: str, kind: RoleKind, now: datetime, *, by: Person | str, name: str = "") -> bool:
    """Give a role; False when it was there. An unknown owner becomes a person, other roles may stay with an address.

    Raises ``ValueError`` when ``who`` is nobody who can have it.
    """
    address = None
    if who.strip().startswith("@"):
        checked = _domain(who, kind)
        _role, new = Role.objects.get_or_create(list=list_, kind=kind, domain=checked[1:])
    elif group := _group(list_, checked := normal(who)):
        _role, new = Role.objects.get_or_create(list=list_, kind=kind, group=group)
    elif person := people.add(checked, name, now=now) if kind == RoleKind.OWNER else people.find(checked):
        new = not Role.objects.filter(Q(person=person) | Q(address__person=person), list=list_, kind=kind).exists()
        if new:
            Role.objects.get_or_create(list=list_, kind=kind, person=person)
    else:
        address, _made = Address.objects.get_or_create(email=checked, defaults={"name": name, "created": now})
        _role, new = Role.objects.get_or_create(list=list_, kind=kind, address=address)
    if new:
        journal.write("role.given", now, actor=actor(by), organisation=list_.organisation_id, list=list_.id, address=address.id if address else None, who=checked, role=kind.value, by=str(by))
    return new


@transaction.atomic
def take(list_: List, who: str, kind: RoleKind, now: datetime, *, by: Person | str) -> bool:
    """Take a role away; False when it was not there. Raises ``ValueError`` for the last owner."""
    List.objects.select_for_update().get(pk=list_.pk)  # two owners leaving at once must not both succeed
    held = _held(list_, who, kind)
    ids = set(held.values_list("id", flat=True))
    if not ids:
        return False
    if kind == RoleKind.OWNER and not Role.objects.filter(list=list_, kind=kind).exclude(id__in=ids).exclude(group__isnull=False).exists():
        raise ValueError(_("%(email)s is the last owner of %(list)s: give the list another owner first") % {"email": who.strip(), "list": list_.address})
    Role.objects.filter(id__in=ids).delete()
    journal.write("role.taken", now, actor=actor(by), organisation=list_.organisation_id, list=list_.id, who=who.strip().lower(), role=kind.value, by=str(by))
    return True


@transaction.atomic
def hand_over(list_: List, before: str, after: str, now: datetime, *, by: Person | str) -> None:
    """Another owner in the place of one, in one step. Raises ``ValueError`` when ``before`` is no owner or ``after`` cannot be one."""
    if not _held(list_, before, RoleKind.OWNER).exists():
        raise ValueError(_("%(email)s is no owner of %(list)s") % {"email": before.strip(), "list": list_.address})
    if _held(list_, before, RoleKind.OWNER).filter(Q(person__addresses__email=normal(after)) | Q(address__email=normal(after))).exists():
        raise ValueError(_("%(email)s is the owner already") % {"email": after.strip()})
    if _group(list_, normal(after)):
        raise ValueError(_("hand the list over to a person, not to a list"))
    give(list_, after, RoleKind.OWNER, now, by=by)
    take(list_, before, RoleKind.OWNER, now, by=by)


def of(list_: List) -> list[Holder]:
    """Everybody with a role on the list, by kind, each in the order given."""
    order = list(RoleKind)
    rows = Role.objects.filter(list=list_).select_related("person", "address__person", "group").prefetch_related("person__addresses").order_by("id")
    holders = [_holder(role) for role in rows]
    return sorted(holders, key=lambda holder: order.index(holder.kind))


# --- how ---


def _holder(role: Role) -> Holder:
    if role.group or role.domain:
        return Holder(RoleKind(role.kind), role.group.title if role.group else "", role.group.address if role.group else f"@{role.domain}", None, bool(role.group))
    person = role.person or (role.address.person if role.address else None)
    email = role.address.email if role.address else (role.person.primary_email if role.person else "")
    name = (person.name if person else "") or (role.address.name if role.address else "")
    return Holder(RoleKind(role.kind), name, email, person.pk if person else None)


def _held(list_: List, who: str, kind: RoleKind) -> QuerySet[Role]:
    if who.strip().startswith("@"):
        return Role.objects.filter(list=list_, kind=kind, domain=_domain(who, kind)[1:])
    checked = normal(who)
    by_any = Q(address__email=checked) | Q(person__addresses__email=checked) | Q(address__person__addresses__email=checked) | Q(group__address=checked)
    return Role.objects.filter(by_any, list=list_, kind=kind)


def _domain(text: str, kind: RoleKind) -> str:
    """``@domain`` in normal form. Raises ``ValueError`` for roles a domain cannot have."""
    if kind not in OF_DOMAINS:
        raise ValueError(_("a whole domain can only be a free, allowed or refused sender: name a person or a list"))
    return normal(f"x{text.strip()}")[1:]


def _group(list_: List, address: str) -> List | None:
    """The list called so, whose members shall have the role. Raises ``ValueError`` for the list itself, and for lists of others."""
    group = List.objects.filter(Q(address=address) | Q(aliases__address=address)).exclude(state=ListState.DELETED).first()
    if group is None:
        return None
    if group.pk == list_.pk:
        raise ValueError(_("a list cannot have a role on itself"))
    if group.organisation_id != list_.organisation_id:
        raise ValueError(_("%(list)s belongs to another organisation: its members can have no role here") % {"list": address})
    return group
