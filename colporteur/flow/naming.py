"""Addresses of lists: whether one may be taken, by the rules of its domain and by what is there."""

from __future__ import annotations

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain import naming
from colporteur.domain.addresses import SUFFIXES, Service, list_name, normal, readings
from colporteur.domain.naming import Naming
from colporteur.store.lists import Alias, List, ListState
from colporteur.store.organisations import Domain, Site


def rules(domain: Domain) -> Naming:
    """What lists of this domain may be called: its own rule, else the organisation's; forbidden names of all add up.

    Query the domain with ``select_related("organisation")``.
    """
    organisation = domain.organisation
    site = Site.objects.filter(id=1).values_list("forbidden_names", flat=True).first() or ""
    chosen = domain if domain.name_begins else organisation
    forbidden = "\n".join((site, organisation.forbidden_names, domain.forbidden_names)).split()
    return Naming(chosen.name_begins, chosen.name_reason, tuple(forbidden))


def wanted(address: str) -> tuple[str, Domain | None]:
    """Normal form of a new list's address and its domain, None on a shared host. Raises ``ValueError`` with the reason."""
    local, _at, host = normal(address).rpartition("@")
    domain = Domain.objects.select_related("organisation").filter(name=host).first()
    return f"{naming.name(local, rules(domain)) if domain else list_name(local)}@{host}", domain


def free(address: str, whose: List | None = None) -> None:
    """Refuse an address that is a list's, an alias, a service address of one, or whose own service addresses are taken.

    ``whose``: the list that is to get it; its own addresses are in nobody's way.
    """
    local, _at, host = address.rpartition("@")
    with connection.cursor() as cursor:  # lists and aliases are two tables: one lock instead of one unique index
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('colporteur list addresses'))")
    services = {reading.address for reading in readings(address) if reading.service is not Service.POST}
    rivals = {address, *services, *(f"{local}{suffix}@{host}" for suffix in SUFFIXES)}
    own = whose.pk if whose else 0
    taken = dict(List.objects.filter(address__in=rivals).exclude(pk=own).values_list("address", "state"))
    aliases = set(Alias.objects.filter(~Q(list=own), address__in=rivals).values_list("address", flat=True))
    if taken.get(address) == ListState.DELETED:
        raise ValueError(_("%(address)s belongs to a deleted list: restore it with `colporteur list restore`, or choose another name") % {"address": address})
    if address in taken or address in aliases:
        raise ValueError(_("there is a list with the address %(address)s already") % {"address": address})
    if clash := sorted({*taken, *aliases}):
        raise ValueError(_("%(address)s and %(other)s cannot both be: one is a service address of the other") % {"address": address, "other": clash[0]})
