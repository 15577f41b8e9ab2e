"""Quotas as rows hold them: set, shown with their use, and enforced where something is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext as _

from colporteur.domain import quotas
from colporteur.domain.policy import Layer
from colporteur.domain.quotas import QUOTAS, Effective
from colporteur.store import archive, journal
from colporteur.store.lists import List, ListState
from colporteur.store.memberships import totals
from colporteur.store.organisations import Domain, Organisation, Site
from colporteur.store.people import Person

Place = Site | Organisation | Domain


class Shown(NamedTuple):
    """One quota at a place: what is set there, what counts and whose that is, and how much is used (None: not counted)."""

    name: str
    own: int | None
    effective: Effective
    used: int | None


@transaction.atomic
def change(place: Place, values: Mapping[str, str], now: datetime, *, by: Person | str) -> bool:
    """Set quotas of a place from texts, empty for none; all or none. Whether anything changed. Raises ``ValueError``."""
    row = type(place).objects.select_for_update().get(pk=place.pk)
    wanted = quotas.changed(row.quotas, values, _layer(place))
    if wanted == row.quotas:
        return False
    change_ = ", ".join(f"{name}: {wanted.get(name, '—')}" for name in QUOTAS if wanted.get(name) != row.quotas.get(name))
    row.quotas = place.quotas = wanted
    row.save(update_fields=["quotas"])
    organisation = place.organisation_id if isinstance(place, Domain) else place.pk if isinstance(place, Organisation) else None
    journal.write("quotas.changed", now, actor=by.pk if isinstance(by, Person) else None, organisation=organisation, by=str(by), place="site" if isinstance(place, Site) else str(place), change=change_)
    return True


def show(place: Organisation | Domain) -> list[Shown]:
    """Every quota of the place, with what is used of it."""
    domain = place if isinstance(place, Domain) else None
    organisation = place.organisation if isinstance(place, Domain) else place
    layers = _layers(organisation, domain)
    return [Shown(name, place.quotas.get(name), quotas.effective(name, layers), _used(name, organisation, domain)) for name, quota in QUOTAS.items() if _layer(place) in quota.places]


def check_domain(organisation: Organisation) -> None:
    """Whether one domain more may be. Raises ``ValueError``. In the transaction that makes it."""
    _alone(organisation)
    _check("domains", organisation, None, 1)


def check_list(organisation: Organisation, domain: Domain | None) -> None:
    """Whether one list more may be, in the organisation and on the domain. Raises ``ValueError``."""
    _alone(organisation)
    _check("lists", organisation, None, 1)
    if domain is not None and "lists" in domain.quotas:
        _check("lists", organisation, domain, 1)


def check_members(list_: List, more: int) -> None:
    """Whether the list may have the ``more`` members it was just given. Raises ``ValueError``, in the transaction that added them."""
    found = quotas.effective("members", _layers(list_.organisation, list_.domain))
    if found.value is None or not more:
        return
    List.objects.select_for_update().only("pk").get(pk=list_.pk)  # of two imports at once the later one counts both
    present = totals([list_.pk]).get(list_.pk, 0) - more
    if present + more > found.value:
        raise ValueError(_("%(list)s may have %(most)s members (%(whose)s) and has %(present)s: %(more)s more are too many, none was added") % {
            "list": list_.address, "most": found.value, "whose": _whose(found, list_.organisation, list_.domain), "present": present, "more": more})  # fmt: skip


def check_size(place: List | Place, wanted: Any) -> None:
    """Whether a list, or what is above lists, may allow messages of this size. Raises ``ValueError``."""
    if not isinstance(wanted, int) or isinstance(place, Site):
        return
    organisation = place if isinstance(place, Organisation) else place.organisation
    domain = place if isinstance(place, Domain) else place.domain if isinstance(place, List) else None
    found = quotas.effective("message_size", _layers(organisation, domain))
    if found.value is not None and wanted > found.value:
        raise ValueError(_("messages may have %(most)s bytes at most (%(whose)s)") % {"most": found.value, "whose": _whose(found, organisation, domain)})


# --- how ---


def _check(name: str, organisation: Organisation, domain: Domain | None, more: int) -> None:
    found = quotas.effective(name, _layers(organisation, domain))
    used = _used(name, organisation, domain)
    if found.value is None or used is None or used + more <= found.value:
        return
    values = {"place": domain or organisation, "most": found.value, "whose": _whose(found, organisation, domain)}
    if name == "domains":
        raise ValueError(_("%(place)s may have %(most)s domains (%(whose)s), and has them: an administrator of the site can allow more") % values)
    raise ValueError(_("%(place)s may have %(most)s lists (%(whose)s), and has them: delete one, or ask the administrator of the site for more") % values)


def _used(name: str, organisation: Organisation, domain: Domain | None) -> int | None:
    if name == "domains":
        return Domain.objects.filter(organisation=organisation).count()
    if name == "lists":
        lists = List.objects.exclude(state=ListState.DELETED)
        return lists.filter(domain=domain).count() if domain else lists.filter(organisation=organisation).count()
    if name == "archive":
        return archive.of_domains([domain.pk]).get(domain.pk, 0) if domain else archive.of_organisations([organisation.pk]).get(organisation.pk, 0)
    return None


def _layers(organisation: Organisation, domain: Domain | None) -> dict[Layer, Mapping[str, Any]]:
    site = Site.objects.filter(id=1).values_list("quotas", flat=True).first() or {}
    return {Layer.SITE: site, Layer.ORGANISATION: organisation.quotas, Layer.DOMAIN: domain.quotas if domain else {}}


def _layer(place: Place) -> Layer:
    return Layer.SITE if isinstance(place, Site) else Layer.ORGANISATION if isinstance(place, Organisation) else Layer.DOMAIN


def _whose(found: Effective, organisation: Organisation, domain: Domain | None) -> str:
    if found.origin is Layer.SITE:
        return _("set for the site")
    return _("set for %(place)s") % {"place": domain if found.origin is Layer.DOMAIN else organisation}


def _alone(organisation: Organisation) -> None:
    """Things of one organisation are counted and made by one transaction after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('colporteur quota'), %s)", [organisation.pk % 2**31])
