"""Organisations and their mail domains."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.domain import look, naming
from colporteur.domain.addresses import normal
from colporteur.flow import quotas
from colporteur.store import journal
from colporteur.store.organisations import Creation, Domain, Organisation
from colporteur.store.people import Person

log = logging.getLogger("colporteur.organisations")

DEFAULT_NAME = "Default"


def default_organisation() -> Organisation:
    """The oldest organisation; made when there is none, so that a small installation never meets the word."""
    return Organisation.objects.order_by("id").first() or organisation_called(DEFAULT_NAME)


def organisation_called(name: str, *, language: str = "") -> Organisation:
    """The organisation of that name, made when there is none, with the site's language unless another is given.

    Raises ``ValueError`` on an empty name.
    """
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise ValueError(_("an organisation needs a name"))
    made, _new = Organisation.objects.get_or_create(name=name, defaults={"language": language or settings.LANGUAGE_CODE})
    return made


def find(name: str) -> Organisation:
    """The organisation of that name. Raises ``ValueError`` when there is none."""
    if found := Organisation.objects.filter(name=" ".join(name.split())).first():
        return found
    raise ValueError(_("there is no organisation called %(name)r") % {"name": name[:80]})


def domain_name(text: str) -> str:
    """Normal form (lower case, IDNA) of a mail domain. Raises ``ValueError`` saying what to write."""
    name = text.strip().rstrip(".")
    try:
        if "@" in name or "." not in name:
            raise ValueError(name)
        return normal(f"x@{name}").removeprefix("x@")
    except ValueError:
        raise ValueError(_("%(text)r is not a mail domain: write it like lists.example.org") % {"text": text.strip()[:80]}) from None


@transaction.atomic
def add_domain(name: str, organisation: Organisation | None, now: datetime, *, by: Person | str) -> Domain:
    """A mail domain of the organisation (the default one when None). Raises ``ValueError`` when it is taken or no domain."""
    checked = domain_name(name)
    if taken := Domain.objects.filter(name=checked).select_related("organisation").first():
        raise ValueError(_("the domain %(name)s is there already, with the organisation %(organisation)s") % {"name": checked, "organisation": taken.organisation})
    organisation = organisation or default_organisation()
    quotas.check_domain(organisation)
    domain = Domain.objects.create(name=checked, organisation=organisation)
    journal.write("domain.added", now, actor=actor(by), organisation=organisation.id, domain=checked, by=str(by))
    log.info("added domain=%s organisation=%s", checked, organisation.id)
    return domain


def find_domain(name: str) -> Domain:
    """The domain of that name. Raises ``ValueError`` when we have none."""
    checked = domain_name(name)
    if found := Domain.objects.filter(name=checked).select_related("organisation").first():
        return found
    raise ValueError(_("there is no domain %(name)s here: add it with `colporteur domain add`") % {"name": checked})


def enable(domain: Domain, now: datetime, *, by: Person | str) -> bool:
    """Switch the domain's list service on; False when it was on."""
    return _switch(domain, True, now, by)


def disable(domain: Domain, now: datetime, *, by: Person | str) -> bool:
    """Switch the domain's list service off: its lists neither take nor send mail and lose nothing. False when it was off."""
    return _switch(domain, False, now, by)


@transaction.atomic
def _switch(domain: Domain, enabled: bool, now: datetime, by: Person | str) -> bool:
    if not Domain.objects.filter(pk=domain.pk, enabled=not enabled).update(enabled=enabled):
        return False
    domain.enabled = enabled
    journal.write("domain.on" if enabled else "domain.off", now, actor=actor(by), organisation=domain.organisation_id, domain=domain.name, by=str(by))
    log.info("switched domain=%s enabled=%s", domain.name, enabled)
    return True


@transaction.atomic
def change_domain(domain: Domain, values: Mapping[str, str], now: datetime, *, by: Person | str) -> bool:
    """Who may make lists on it and what they may be called: ``creation``, ``name_begins``, ``name_reason``,
    ``forbidden_names``. All or none; whether anything changed. Raises ``ValueError`` saying what to write."""
    row = Domain.objects.select_for_update().get(pk=domain.pk)
    checked = naming_values(values)
    if "creation" in values:
        if values["creation"] not in Creation.values:
            raise ValueError(_("creation must be one of: %(known)s") % {"known": ", ".join(Creation.values)})
        checked["creation"] = values["creation"]
    if unknown := set(values) - set(checked):
        raise ValueError(_("a domain has no setting %(name)s; known: %(known)s") % {"name": sorted(unknown)[0], "known": "creation, name_begins, name_reason, forbidden_names"})
    return _set(row, domain, checked, "domain.changed", now, by, domain=row.name, organisation_id=row.organisation_id)


@transaction.atomic
def change(organisation: Organisation, values: Mapping[str, str], now: datetime, *, by: Person | str) -> bool:
    """Name, language (en, fr), colour (#rrggbb, empty for none) and naming rules: ``name``, ``language``, ``colour``,
    ``name_begins``, ``name_reason``, ``forbidden_names``.
    All or none; whether anything changed. Raises ``ValueError`` saying what to write."""
    row = Organisation.objects.select_for_update().get(pk=organisation.pk)
    checked = naming_values(values)
    if "name" in values:
        checked["name"] = " ".join(values["name"].replace("\x00", "").split())[:200]
        if not checked["name"]:
            raise ValueError(_("an organisation needs a name"))
        if Organisation.objects.filter(name=checked["name"]).exclude(pk=row.pk).exists():
            raise ValueError(_("there is an organisation called %(name)s already") % {"name": checked["name"]})
    if "language" in values:
        if values["language"] not in dict(settings.LANGUAGES):
            raise ValueError(_("the language must be en or fr"))
        checked["language"] = values["language"]
    if "colour" in values:
        checked["colour"] = look.colour(values["colour"])
    if unknown := set(values) - set(checked):
        raise ValueError(_("an organisation has no setting %(name)s; known: %(known)s") % {"name": sorted(unknown)[0], "known": "name, language, colour, name_begins, name_reason, forbidden_names"})
    return _set(row, organisation, checked, "organisation.changed", now, by, organisation_id=row.pk)


def naming_values(values: Mapping[str, str]) -> dict[str, str]:
    """The naming rules among the values, checked. Raises ``ValueError``."""
    checked = {}
    if "name_begins" in values:
        checked["name_begins"] = naming.beginning(values["name_begins"])
    if "name_reason" in values:
        checked["name_reason"] = " ".join(values["name_reason"].replace("\x00", "").split())[:300]
    if "forbidden_names" in values:
        checked["forbidden_names"] = naming.patterns(values["forbidden_names"])
    return checked


def _set(row: Domain | Organisation, held: Domain | Organisation, checked: Mapping[str, Any], event: str, now: datetime, by: Person | str, *, organisation_id: int, **about: Any) -> bool:
    changed = {name: value for name, value in checked.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
        setattr(held, name, value)
    if changed:
        row.save(update_fields=list(changed))
        change = ", ".join(f"{name}: {' '.join(str(value).split()) or '—'}" for name, value in changed.items())
        journal.write(event, now, actor=actor(by), organisation=organisation_id, by=str(by), change=change[:1000], **about)
    return bool(changed)


def actor(by: Person | str) -> int | None:
    """Person's number for the journal; None for a door or an address named in words."""
    return by.pk if isinstance(by, Person) else None


def may_reach_inside(by: Person | str) -> bool:
    """Whether they may have us connect to hosts of our own network: administrators of the site, and commands on the server."""
    return by.is_admin and by.is_active if isinstance(by, Person) else True
