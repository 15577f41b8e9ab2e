"""Administrators of an organisation: who looks after its domains, lists, requests and templates."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.flow import people
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.organisations import Administrator, Organisation
from colporteur.store.people import Person


def of(organisation: Organisation) -> list[Person]:
    """They, the longest in office first."""
    return [row.person for row in Administrator.objects.filter(organisation=organisation).select_related("person").prefetch_related("person__addresses").order_by("id")]


@transaction.atomic
def give(organisation: Organisation, email: str, now: datetime, *, by: Person | str, name: str = "") -> bool:
    """Make somebody an administrator; False when they were. Unknown, they become a person. Raises ``ValueError``."""
    person = people.add(email, name, now=now)
    _row, new = Administrator.objects.get_or_create(organisation=organisation, person=person, defaults={"since": now})
    if new:
        journal.write("administrator.given", now, actor=actor(by), organisation=organisation.pk, who=normal(email), place=organisation.name, by=str(by))
    return new


@transaction.atomic
def take(organisation: Organisation, email: str, now: datetime, *, by: Person | str) -> bool:
    """They administer it no more; False when they did not. The site's administrators still do. Raises ``ValueError``."""
    person = people.find(email)
    if person is None:
        raise ValueError(_("nobody here has the address %(email)s") % {"email": normal(email)})
    gone, _rows = Administrator.objects.filter(organisation=organisation, person=person).delete()
    if gone:
        journal.write("administrator.taken", now, actor=actor(by), organisation=organisation.pk, who=normal(email), place=organisation.name, by=str(by))
    return bool(gone)
