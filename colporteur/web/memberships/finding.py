"""Which members a page shows: by beginning of name or address, by domain, by state, delivery and source; one index each."""

from __future__ import annotations

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.http import QueryDict

from colporteur.domain.digests import DeliveryMode
from colporteur.store.lists import List
from colporteur.store.memberships import HOST, Membership
from colporteur.web.frame import whole

STATES = {"receive": Q(paused=False) & ~Q(delivery=DeliveryMode.NONE), "paused": Q(paused=True), "silent": Q(paused=False, delivery=DeliveryMode.NONE)}
MOST = 1000
"""So far what a search finds is counted."""


def current(list_: List) -> QuerySet[Membership]:
    """Members now."""
    return Membership.objects.filter(list=list_, until__isnull=True)


def found(list_: List, query: QueryDict) -> QuerySet[Membership]:
    """Members by the filters of the query string: ``q`` (the beginning of an address or a name, or ``@`` and the beginning of a domain),
    ``state``, ``mode``, ``source`` (a number, or ``hand``)."""
    rows = current(list_)
    wanted = query.get("q", "").strip().replace("\x00", "")[:320]
    if wanted.startswith("@"):
        rows = rows.annotate(host=HOST).filter(host__startswith=wanted[1:].lower())
    elif wanted:
        folded = Func(Value(wanted), function="colporteur_folded", output_field=TextField())
        rows = rows.annotate(folded=folded).filter(Q(email__startswith=wanted.lower()) | Q(called__startswith=F("folded")))
    if condition := STATES.get(query.get("state", "")):
        rows = rows.filter(condition)
    if (mode := query.get("mode", "")) in list(DeliveryMode):
        rows = rows.filter(delivery=mode)
    source = query.get("source", "")
    if source == "hand":
        rows = rows.filter(source__isnull=True)
    elif (number := whole(source)) is not None:
        rows = rows.filter(source=number)
    return rows


def filtered(query: QueryDict) -> bool:
    """Whether the query string asks for less than all."""
    return any(query.get(name, "").strip() for name in ("q", "state", "mode", "source"))


def in_order(rows: QuerySet[Membership], query: QueryDict) -> QuerySet[Membership]:
    """Rows by address, by name (``by``), or, searched by domain, by domain and address; from behind the address ``after``. Each is the order of an index."""
    after = query.get("after", "").replace("\x00", "")
    if query.get("q", "").strip().startswith("@"):
        rows, (key, last) = rows.order_by(F("host").asc(), "email"), ("host", after.rpartition("@")[2])
    elif query.get("by") == "name":
        known = rows.model._default_manager.filter(address__email=after, until__isnull=True).values_list("called", flat=True) if after else ()
        rows, (key, last) = rows.order_by("called", "email"), ("called", next(iter(known[:1]), ""))
    else:
        return (rows.filter(email__gt=after) if after else rows).order_by("email")
    return rows.filter(**{f"{key}__gte": last}).filter(Q(**{f"{key}__gt": last}) | Q(email__gt=after)) if after and last else rows
