"""Lists inside lists, and people left out of one: saved without circles, resolved to one copy per address when a mailing is planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.policy import Policy, Posting
from colporteur.domain.posts import PostState
from colporteur.flow.organisations import actor
from colporteur.store import journal, nesting
from colporteur.store.copies import Nested
from colporteur.store.lists import List, ListState, Role, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.nesting import Exclusion, Nesting, OnEvery
from colporteur.store.organisations import Domain
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy
from colporteur.store.posts import Post
from colporteur.store.rights import addresses_of


class Edge(NamedTuple):
    """A list inside another one, as screens and commands show it; ``reaches``: the lists from the outer one, by name."""

    list: List
    covers: bool
    path: str


@transaction.atomic
def put_inside(outer: List, inner: List, now: datetime, *, by: Person | str, covers: bool = True) -> bool:
    """Put ``inner`` inside ``outer``, or change whether one approval covers it; False when nothing changed.

    Raises ``ValueError`` for a circle, with its path, and for a list of another organisation.
    """
    if outer.organisation_id != inner.organisation_id:
        raise ValueError(_("%(list)s belongs to another organisation: it cannot stand inside this one") % {"list": inner.address})
    list(List.objects.select_for_update().filter(organisation=outer.organisation_id).order_by("pk").values_list("pk"))  # two edges saved at once must not make a circle
    if circle := _circle(outer, inner):
        raise ValueError(_("this would be a circle: %(path)s") % {"path": circle})
    edge, new = Nesting.objects.get_or_create(outer=outer, inner=inner, defaults={"covers": covers, "since": now})
    if not new and edge.covers == covers:
        return False
    Nesting.objects.filter(pk=edge.pk).update(covers=covers)
    _write("nesting.added", outer, now, by, inner=inner.address, covers="one approval" if covers else "asks again")
    return True


@transaction.atomic
def take_out(outer: List, inner: List, now: datetime, *, by: Person | str) -> bool:
    """Take ``inner`` out of ``outer``; False when it was not inside."""
    if not Nesting.objects.filter(outer=outer, inner=inner).delete()[0]:
        return False
    _write("nesting.removed", outer, now, by, inner=inner.address)
    return True


@transaction.atomic
def exclude(list_: List, email: str, now: datetime, *, by: Person | str) -> bool:
    """The address receives nothing of the list any more, whichever way it comes to it; False when it was so. Raises ``ValueError``."""
    address, _made = Address.objects.get_or_create(email=normal(email), defaults={"created": now})
    _row, new = Exclusion.objects.get_or_create(list=list_, address=address, defaults={"since": now})
    if new:
        _write("exclusion.added", list_, now, by, email=address.email)
    return new


@transaction.atomic
def readmit(list_: List, email: str, now: datetime, *, by: Person | str) -> bool:
    """The address is left out no more; False when it was not. Raises ``ValueError``."""
    if not Exclusion.objects.filter(list=list_, address__email=normal(email)).delete()[0]:
        return False
    _write("exclusion.removed", list_, now, by, email=normal(email))
    return True


@transaction.atomic
def put_on_every(domain: Domain, email: str, now: datetime, *, by: Person | str) -> bool:
    """The address receives what every list of the domain accepts, also of lists to come; False when it did. Raises ``ValueError``."""
    address, _made = Address.objects.get_or_create(email=normal(email), defaults={"created": now})
    _row, new = OnEvery.objects.get_or_create(domain=domain, address=address, defaults={"since": now})
    if new:
        journal.write("on_every_list.added", now, actor=actor(by), organisation=domain.organisation_id, address=address.pk, domain=domain.name, email=address.email, by=str(by))
    return new


@transaction.atomic
def take_off_every(domain: Domain, email: str, now: datetime, *, by: Person | str) -> bool:
    """It receives what it is a member of; False when it was not on every list. Raises ``ValueError``."""
    if not OnEvery.objects.filter(domain=domain, address__email=normal(email)).delete()[0]:
        return False
    journal.write("on_every_list.removed", now, actor=actor(by), organisation=domain.organisation_id, domain=domain.name, email=normal(email), by=str(by))
    return True


def on_every(domain: Domain) -> list[str]:
    """Addresses that are on every list of the domain, by name."""
    return list(OnEvery.objects.filter(domain=domain).order_by("address__email").values_list("address__email", flat=True))


def edges(outer: List) -> list[Edge]:
    """Lists inside this one, directly."""
    rows = Nesting.objects.filter(outer=outer).exclude(inner__state=ListState.DELETED).select_related("inner").order_by("inner__address")
    return [Edge(row.inner, row.covers, f"{outer.name} > {row.inner.name}") for row in rows]


def around(inner: List) -> list[List]:
    """Lists this one stands inside, directly."""
    return [row.outer for row in Nesting.objects.filter(inner=inner).exclude(outer__state=ListState.DELETED).select_related("outer").order_by("outer__address")]


def excluded(list_: List) -> list[str]:
    """Addresses that are left out, by name."""
    return list(Exclusion.objects.filter(list=list_).order_by("address__email").values_list("address__email", flat=True))


def frozen(list_: List, values: Policy) -> dict[str, Any]:
    """Whom a mailing of the list reaches beside its own members, as its row keeps it; empty for a plain list."""
    paths = nesting.inside(list_.pk).paths
    others = _by_role(list_, values)
    if not paths and not others and not nesting.excluded([list_.pk]):
        return {}
    names = dict(List.objects.filter(pk__in=[list_.pk, *paths]).values_list("pk", "address"))
    return {"paths": {str(inner): " > ".join(names[one].partition("@")[0] for one in path) for inner, path in paths.items()}, "lists": [list_.pk, *paths], "others": others}


def ways(lists: Sequence[int]) -> dict[int, list[str]]:
    """By which ways members of these lists receive messages of others, too: list -> "team > board" each, the nearest first."""
    found = nesting.outside(lists)
    names = dict(List.objects.filter(pk__in={one for _list, way in found for one in way}).values_list("pk", "address"))
    said: dict[int, list[str]] = {}
    for list_, way in found:
        said.setdefault(list_, []).append(" > ".join(names[one].partition("@")[0] for one in way))
    return said


def reached_again(post: Post) -> Nested | None:
    """Whom sending a post again would reach now beside the list's own members; receivers by a role got theirs."""
    held, siblings = frozen(post.list, policy(post.list)), _siblings(post)
    return Nested(held.get("lists", [post.list_id]), [], siblings) if held or siblings else None


def reached(mailing: Mailing) -> Nested | None:
    """What planning needs of it; None: the list's own members only."""
    siblings = _siblings(mailing.post) if mailing.post else []
    if not mailing.nested and not siblings:
        return None
    held: Mapping[str, Any] = mailing.nested or {"lists": [mailing.list_id], "others": []}
    return Nested(held["lists"], [] if mailing.chosen or mailing.delivery != DeliveryMode.EACH else held["others"], siblings)


def path_of(mailing: Mailing, address: int) -> str:
    """How a copy came to its address, as "team > board"; "" for the list's own members, the list's name and the role for receivers by one."""
    found = nesting.through(mailing.pk, [address])
    if address not in found:
        return ""
    inner = found[address]
    return str(mailing.nested.get("paths", {}).get(str(inner), "")) if inner else _("a role on the list") if mailing.list is None or not OnEvery.objects.filter(domain=mailing.list.domain_id, address=address).exists() else _("every list of %(domain)s") % {"domain": mailing.list.domain}


def inner_of(mailing: Mailing, address: int) -> List | None:
    """The inner list a copy came by; None for the list's own members."""
    inner = nesting.through(mailing.pk, [address]).get(address) if mailing.nested else None
    return List.objects.select_related("organisation", "domain").filter(pk=inner).first() if inner else None


def pass_on(post: Post, now: datetime) -> int:
    """An accepted post comes before the rules of the inner lists that want to be asked again; how many. In the caller's transaction.

    A list that has the message already is left alone, which also ends a circle nobody should have been able to save.
    """
    made = 0
    root = post.through_id or post.pk
    for inner in nesting.inside(post.list_id).asked:
        if not Post.objects.filter(list=inner, content_key=post.content_key).exists():
            Post.objects.create(list_id=inner, arrival_id=post.arrival_id, through_id=root, message_id=post.message_id, content_key=post.content_key, size=post.size, received_at=now, state=PostState.RECEIVED)
            made += 1
    return made


def warnings(list_: List, found: Policy) -> list[str]:
    """A looser list around a stricter one, said to the owners of both."""
    said = []
    for edge in Nesting.objects.filter(outer=list_, covers=True).select_related("inner__organisation", "inner__domain"):
        if _looser(found, policy(edge.inner)):
            said.append(_looser_words(list_, edge.inner))
    for edge in Nesting.objects.filter(inner=list_, covers=True).select_related("outer__organisation", "outer__domain"):
        if _looser(policy(edge.outer), found):
            said.append(_looser_words(edge.outer, list_))
    return said


# --- how ---


_OPEN = [Posting.NOBODY, Posting.MEMBERS, Posting.KNOWN, Posting.WORLD]


def _looser(outer: Policy, inner: Policy) -> bool:
    return _OPEN.index(outer.posting) > _OPEN.index(inner.posting) or (inner.senders == "internal" and outer.senders != "internal") or outer.max_size > inner.max_size


def _looser_words(outer: List, inner: List) -> str:
    return _("%(outer)s is easier to write to than %(inner)s, which stands inside it: whoever may write to the first reaches the members of the second.") % {"outer": outer.address, "inner": inner.address}


def _circle(outer: List, inner: List) -> str:
    """The path of the circle the edge would close; "" when it closes none."""
    if outer.pk == inner.pk:
        return f"{outer.name} > {outer.name}"
    path = nesting.inside(inner.pk, working=False).paths.get(outer.pk)
    if path is None:
        return ""
    names = dict(List.objects.filter(pk__in=path).values_list("pk", "address"))
    return " > ".join([outer.name, *(names[one].partition("@")[0] for one in path)])


def _by_role(list_: List, values: Policy) -> list[int]:
    """Addresses that receive and are not members: of moderators and free senders by their role, of people on every list of the domain."""
    kinds = [kind for kind, wanted in ((RoleKind.MODERATOR, values.moderators_receive), (RoleKind.FREE_SENDER, values.free_senders_receive)) if wanted]
    found = [address for kind in kinds if Role.objects.filter(list=list_, kind=kind).exists() for address in addresses_of(list_, kind)]
    if list_.domain_id and (everywhere := nesting.on_every(list_.domain_id)):
        found += Address.objects.filter(pk__in=everywhere)
    if not found:
        return []
    people = {address.person_id for address in found if address.person_id}
    here = set(Membership.objects.filter(list=list_, until__isnull=True, address__person__in=people).values_list("address__person_id", flat=True))
    members = set(Membership.objects.filter(list=list_, until__isnull=True, address__in=[address.pk for address in found]).values_list("address_id", flat=True))
    return sorted({address.pk for address in found if address.pk not in members and address.person_id not in here})


def _siblings(post: Post) -> Sequence[int]:
    """Mailings of the same message by the outer lists it came through."""
    if not post.through_id:
        return []
    ids = [post.through_id, *Post.objects.filter(through=post.through_id).exclude(pk=post.pk).values_list("pk", flat=True)]
    return list(Mailing.objects.filter(post__in=ids).values_list("pk", flat=True))


def _write(event: str, list_: List, now: datetime, by: Person | str, **values: Any) -> None:
    journal.write(event, now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, by=str(by), **values)
