"""Lists: made and changed, and what is contradictory about one. What ends or moves one is ``flow.life``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.domain import policy as options
from colporteur.domain.addresses import normal
from colporteur.domain.routes import read
from colporteur.flow import creating, life, naming, quotas, roles, routes, templates
from colporteur.flow.contradictions import warnings as warnings
from colporteur.flow.organisations import actor, default_organisation
from colporteur.store import journal
from colporteur.store.lists import Alias, List, ListState, RoleKind
from colporteur.store.organisations import Organisation
from colporteur.store.people import Person
from colporteur.store.policies import layers

log = logging.getLogger("colporteur.lists")

OWN_DOMAIN_NOT_NEEDED = "mailbox"  # a list of this template may live at an address of a shared host


def find(address: str) -> List:
    """The list with this address, deleted ones left out. Raises ``ValueError`` when there is none."""
    checked = normal(address)
    found = List.objects.select_related("organisation", "domain").filter(address=checked).exclude(state=ListState.DELETED).first()
    if found is None:
        raise ValueError(_("there is no list %(address)s") % {"address": checked})
    return found


@transaction.atomic
def create(address: str, template: str, owner_email: str, now: datetime, *, title: str = "", by: Person | str = "", organisation: Organisation | None = None, owner_name: str = "", asked: bool = False, notify: bool = False) -> List:
    """A new list of a template with its first owner, who becomes a person when unknown.

    ``organisation`` says whose list it is when the address is of a shared host (template ``mailbox`` only); otherwise
    its domain decides. ``asked``: it waits for an administrator (``flow.requests``). ``notify``: the owner is told by mail,
    with a link that signs in once. Raises ``ValueError`` saying what is wrong and what to write.
    """
    checked, domain = naming.wanted(address)
    templates.check(template, domain.organisation_id if domain else organisation.pk if organisation else None)
    owner, host = normal(owner_email), checked.rpartition("@")[2]
    if domain is None and template != OWN_DOMAIN_NOT_NEEDED:
        raise ValueError(_("%(domain)s is not a domain of this installation: add it with `colporteur domain add %(domain)s`, or make a list of the template mailbox") % {"domain": host})
    if owner == checked:
        raise ValueError(_("a list cannot own itself: name a person as the owner"))
    creating.check(domain, by, asked)
    naming.free(checked)
    belongs = domain.organisation if domain else organisation or default_organisation()
    quotas.check_list(belongs, domain)
    made = List.objects.create(
        organisation=belongs,
        domain=domain, address=checked, title=_title(title), template=template, list_id=checked.replace("@", "."),
        state=ListState.PENDING if asked else ListState.ACTIVE,
    )  # fmt: skip
    journal.write("list.created", now, actor=actor(by), organisation=made.organisation_id, list=made.pk, by=str(by), template=template)
    roles.give(made, owner, RoleKind.OWNER, now, by=by, name=owner_name)
    if notify:
        creating.tell_owners(made, now, by=by)
    log.info("created list=%s template=%s", checked, template)
    return made


@transaction.atomic
def add_alias(list_: List, address: str, now: datetime, *, by: Person | str) -> Alias:
    """A further address of the list. Raises ``ValueError`` when it is taken or looks like a service address."""
    checked, _domain = naming.wanted(address)
    naming.free(checked)
    alias = Alias.objects.create(list=list_, address=checked)
    _changed(list_, "alias", "", checked, now, by)
    return alias


@transaction.atomic
def remove_alias(list_: List, address: str, now: datetime, *, by: Person | str) -> bool:
    """Take a further address away; False when it was not there."""
    checked = normal(address)
    removed, _rows = Alias.objects.filter(list=list_, address=checked).delete()
    if removed:
        _changed(list_, "alias", checked, "", now, by)
    return bool(removed)


@transaction.atomic
def set_policy(list_: List, values: Mapping[str, str | None], by: Person | str, now: datetime) -> dict[str, Any]:
    """Set policy options from texts; None goes back to the inherited value. All or none; each change is journaled.

    Returns what changed, option -> new value (None: inherited). Raises ``ValueError`` naming every wrong one.
    """
    row = List.objects.select_for_update().get(pk=list_.pk)
    row.policy, changed = options.changed(row.policy, values, options.Layer.LIST)
    quotas.check_size(row, changed.get("max_size", (None, None))[1])
    if any(changed.get(name, (None, None))[1] is not None for name in ("leaving", "urgency")):
        options.check_leaving(layers(row))
    for name, (old, new) in changed.items():
        _changed(row, name, _said(old), _said(new), now, by)
    row.save(update_fields=["policy"])
    list_.policy = row.policy
    return {name: new for name, (_old, new) in changed.items()}


@transaction.atomic
def change(list_: List, now: datetime, *, by: Person | str, title: str | None = None, description: str | None = None, language: str | None = None, template: str | None = None, transport: str | None = None) -> None:
    """Change what is not policy; None leaves it. ``transport``: names of its route, or "" for
    the inherited one. Raises ``ValueError``."""
    row = List.objects.select_for_update().get(pk=list_.pk)
    if template is not None:
        templates.check(template, row.organisation_id)
    if language not in (None, "", "en", "fr"):
        raise ValueError(_("the language must be en, fr, or empty for the organisation's"))
    wanted = {"title": None if title is None else _title(title), "description": None if description is None else description.replace("\x00", "").strip(), "language": language, "template": template}
    for name, value in wanted.items():
        if value is not None and value != getattr(row, name):
            _changed(row, name, getattr(row, name), value, now, by)
            setattr(row, name, value)
    if template is not None and "leaving" in row.policy:
        options.check_leaving(layers(row))
    if transport is not None:
        routes.set_route(row, read(transport.split(",")) if transport else (), now, by=by)
    row.save()
    for name in ("title", "description", "language", "template"):
        setattr(list_, name, getattr(row, name))


@transaction.atomic
def change_all(list_: List, values: Mapping[str, str | None], now: datetime, *, by: Person | str) -> None:
    """Policy options, title, description, language, template, transport and state (active, off) in one go: all or none.

    None goes back to the inherited value, which only policy options have. Raises ``ValueError``.
    """
    others = {name: values[name] for name in ("title", "description", "language", "template", "transport") if name in values}
    state = values.get("state")
    if "state" in values and (state not in (ListState.ACTIVE, ListState.OFF) or list_.state not in (ListState.ACTIVE, ListState.OFF)):
        raise ValueError(_("state must be active or off"))
    set_policy(list_, {name: text for name, text in values.items() if name not in others and name != "state"}, by, now)
    if missing := [name for name, text in others.items() if text is None]:
        raise ValueError(_("%(name)s has no inherited value") % {"name": missing[0]})
    change(list_, now, by=by, **others)
    if state is not None:
        life.switch(list_, state == ListState.ACTIVE, now, by=by)


# --- how ---




def _said(value: Any) -> str:
    return "" if value is None else str(value)[:200]


def _title(text: str) -> str:
    title = " ".join(text.replace("\x00", "").split())
    if len(title) > 200:
        raise ValueError(_("the title is longer than 200 characters"))
    return title


def _changed(list_: List, name: str, old: str, new: str, now: datetime, by: Person | str) -> None:
    journal.write("list.changed", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, by=str(by), change=f"{name}: {old or '—'} → {new or '—'}", option=name, old=old, new=new)
