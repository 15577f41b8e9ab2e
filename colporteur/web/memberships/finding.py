"""Which members a page shows: by beginning of name or address, by domain, by state, delivery and source; one index each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.http import QueryDict

from colporteur.domain.digests import DeliveryMode
from colporteur.domain.standing import Standing
from colporteur.store.lists import List
from colporteur.store.memberships import HOST, Counted, Membership
from colporteur.store.standing import AddressStanding
from colporteur.web.frame import Page, whole

STATES = {"receive": Q(paused=False) & ~Q(delivery=DeliveryMode.NONE), "paused": Q(paused=True), "silent": Q(paused=False, delivery=DeliveryMode.NONE)}
STANDINGS = {"shaky": Standing.SHAKY, "unreached": Standing.PAUSED, "lost": Standing.GONE}
MOST = 1000
"""So far what a search finds is counted."""
SIZE = 50
"""Members of a page."""


def current(list_: List) -> QuerySet[Membership]:
    """Members now."""
    return Membership.objects.filter(list=list_, until__isnull=True)


def found(list_: List, query: QueryDict) -> QuerySet[Membership]:
    """Members by the filters of the query string: ``q`` (the beginning of an address or a name, or ``@`` and the beginning of a domain),
    ``state``, ``mode``, ``source`` (a number, or ``hand``)."""
    rows, wanted = _narrowed(current(list_), query), _wanted(query)
    return rows.filter(_BEGINS["email"](wanted) | _BEGINS["called"](wanted)) if wanted and not wanted.startswith("@") else rows


def _wanted(query: QueryDict) -> str:
    return query.get("q", "").strip().replace("\x00", "")[:320]


_BEGINS: dict[str, Callable[[str], Q]] = {
    "email": lambda wanted: Q(email__startswith=wanted.lower()),
    "called": lambda wanted: Q(called__startswith=Func(Value(wanted), function="colporteur_folded", output_field=TextField())),
}


def _narrowed(rows: QuerySet[Membership], query: QueryDict) -> QuerySet[Membership]:
    """By everything but the beginning of an address or a name."""
    if (wanted := _wanted(query)).startswith("@"):
        rows = rows.annotate(host=HOST).filter(host__startswith=wanted[1:].lower())
    if condition := STATES.get(query.get("state", "")):
        rows = rows.filter(condition)
    elif standing := STANDINGS.get(query.get("state", "")):
        rows = rows.filter(address__in=AddressStanding.objects.filter(state=standing.value).values("pk"))  # few: read from their side
    if (mode := query.get("mode", "")) in list(DeliveryMode):
        rows = rows.filter(delivery=mode)
    source = query.get("source", "")
    if source == "hand":
        rows = rows.filter(source__isnull=True)
    elif (number := whole(source)) is not None:
        rows = rows.filter(source=number)
    return rows


def told(kinds: Iterable[Counted], query: QueryDict) -> int | None:
    """How many the query string asks for, where what is counted of a list tells it; None when they would have to be looked for."""
    state, mode, source = (query.get(name, "") for name in ("state", "mode", "source"))
    if _wanted(query) or state in STANDINGS:
        return None
    if state in STATES:
        kinds = [kind for kind in kinds if state == ("paused" if kind.paused else "silent" if kind.delivery == DeliveryMode.NONE else "receive")]
    if mode in list(DeliveryMode):
        kinds = [kind for kind in kinds if kind.delivery == mode]
    if source == "hand" or whole(source) is not None:
        kinds = [kind for kind in kinds if kind.source_id == whole(source)]
    return sum(kind.n for kind in kinds)


def page_of(rows: QuerySet[Membership], query: QueryDict) -> Page:
    """A page of members by address, by name (``by``), or, searched by domain, by domain and address; from behind the address ``after``.

    Each is read in the order of an index. What begins as wanted by address and what by name are ranges of two indexes, shown one after
    the other, those in the page's own order first: to mix them the database would sort, or walk, most of a million rows.
    """
    members: list[Membership] = []
    for part in _in_order(_narrowed(rows, query), query):
        members += part[: SIZE + 1 - len(members)]
        if len(members) > SIZE:
            return Page(members[:SIZE], members[SIZE - 1].email)
    return Page(members, "")


def _in_order(rows: QuerySet[Membership], query: QueryDict) -> list[QuerySet[Membership]]:
    after, wanted = query.get("after", "").replace("\x00", ""), _wanted(query)
    if wanted.startswith("@"):
        return [_behind(rows, "host", after.rpartition("@")[2], after)]
    keys = ("called", "email") if query.get("by") == "name" else ("email", "called")
    last = {"email": after, "called": _called(after)}
    if not wanted:
        return [_behind(rows, keys[0], last[keys[0]], after)]
    first, second = _BEGINS[keys[0]](wanted), _BEGINS[keys[1]](wanted)
    others = rows.filter(second).exclude(first)
    if after and not Membership.objects.filter(first, address__email=after).exists():
        return [_behind(others, keys[1], last[keys[1]], after)]
    return [_behind(rows.filter(first), keys[0], last[keys[0]], after), _behind(others, keys[1], "", "")]


def _called(email: str) -> str:
    """What whoever has the address is called in the order of names: the same on every list, also where the membership ended."""
    return next(iter(Membership.objects.filter(address__email=email).values_list("called", flat=True)[:1]), "") if email else ""


def _behind(rows: QuerySet[Membership], key: str, last: str, after: str) -> QuerySet[Membership]:
    """Rows by ``key``, then address, from behind the one with these two."""
    if key == "email":
        return (rows.filter(email__gt=after) if after else rows).order_by("email")
    rows = rows.order_by(F(key).asc(), "email")
    return rows.filter(**{f"{key}__gte": last}).filter(Q(**{f"{key}__gt": last}) | Q(email__gt=after)) if last else rows
