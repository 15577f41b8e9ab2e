"""Who may make a list on which domain, and the letter that tells a new list's owners of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from colporteur.flow import letters, people
from colporteur.store.lists import List, RoleKind
from colporteur.store.organisations import Creation, Domain
from colporteur.store.people import Person
from colporteur.store.rights import addresses_of, administers, organisations_for

LINK_DAYS = 3
"""How long the sign-in link in the letter about a new list is good."""
SHOWN = 200
"""Domains a form offers at most."""


class Way(StrEnum):
    """How somebody comes to a list on a domain."""

    NONE = "none"
    ASK = "ask"  # an administrator activates it
    MAKE = "make"  # at once


def way(person: Person, domain: Domain) -> Way:
    """What the domain's setting lets this person do. Nobody means nobody: administrators included."""
    if not person.is_active or domain.creation == Creation.NOBODY:
        return Way.NONE
    if domain.creation == Creation.ANYBODY or administers(person, domain.organisation_id):
        return Way.MAKE
    return Way.ASK if domain.creation == Creation.REQUEST else Way.NONE


def domains(person: Person, wanted: Way) -> list[Domain]:
    """Domains on which the person may do that, by name; MAKE where both are possible."""
    return list(_domains(person, wanted).select_related("organisation").order_by("name")[:SHOWN])


def possible(person: Person, wanted: Way) -> bool:
    """Whether there is such a domain."""
    return _domains(person, wanted).exists()


def _domains(person: Person, wanted: Way) -> QuerySet[Domain]:
    found = Domain.objects.all()
    if not person.is_active:
        return found.none()
    here = Q() if person.is_admin else Q(organisation__in=organisations_for(person))
    made = (here & ~Q(creation=Creation.NOBODY)) | Q(creation=Creation.ANYBODY)
    return found.filter(made) if wanted is Way.MAKE else found.filter(creation=Creation.REQUEST).exclude(made)


def check(domain: Domain | None, by: Person | str, asked: bool) -> None:
    """Refuse who may not make (or, ``asked``, ask for) a list there. Raises ``ValueError`` saying what to do.

    ``by`` in words is the command line or the product itself: only a domain that takes no lists at all stops those.
    """
    if domain is None:
        if isinstance(by, Person) and not by.is_admin:
            raise ValueError(_("only a site administrator makes a list at an address of another host"))
        return
    if domain.creation == Creation.NOBODY:
        raise ValueError(_("no lists are made on %(domain)s: an administrator can allow it in the settings of the domain") % {"domain": domain.name})
    if not isinstance(by, Person):
        return
    found = way(by, domain)
    if found is Way.NONE:
        raise ValueError(_("only administrators make lists on %(domain)s") % {"domain": domain.name})
    if found is Way.ASK and not asked:
        raise ValueError(_("lists on %(domain)s are asked for: use “Ask for a list”") % {"domain": domain.name})


def tell_owners(list_: List, now: datetime, *, by: Person | str, language: str = "") -> int:
    """Tell the owners of a new list that they look after it, each with a link that signs them in once; never a password.

    Whoever made it is not told. In the caller's transaction; how many were told.
    """
    told = 0
    maker = by.pk if isinstance(by, Person) else None
    for to in addresses_of(list_, RoleKind.OWNER):
        if to.person_id is not None and to.person_id == maker:
            continue
        page = f"/lists/{list_.pk}/settings"
        link = f"{people.sign_in_link(to.email, now, LINK_DAYS * 24 * 60)}?next={page}"
        fields = {"list": list_.address, "title": list_.title or list_.address, "who": str(by) if maker else "", "link": link, "days": str(LINK_DAYS), "page": f"{settings.BASE_URL}{page}"}
        letters.send("created", to, now, list_=list_, fields=fields, language=language)
        told += 1
    return told
