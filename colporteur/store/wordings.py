"""Own texts that replace the shipped letters, looked up list, domain, organisation, site, per language."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.statements import execute

Place = Organisation | Domain | List


class Wording(models.Model):
    """One letter's own text at one place (all three null: the site)."""

    letter = models.TextField()
    language = models.TextField()
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True)
    domain = models.ForeignKey(Domain, models.CASCADE, null=True)
    list = models.ForeignKey(List, models.CASCADE, null=True)
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wording"
        constraints = [models.UniqueConstraint(fields=["letter", "language", "organisation", "domain", "list"], name="wording_once", nulls_distinct=False)]


def at(place: Place | None) -> Q:
    """The texts of one place itself; None is the site."""
    if isinstance(place, List):
        return Q(list=place)
    if isinstance(place, Domain):
        return Q(list__isnull=True, domain=place)
    if isinstance(place, Organisation):
        return Q(list__isnull=True, domain__isnull=True, organisation=place)
    return Q(list__isnull=True, domain__isnull=True, organisation__isnull=True)


def above(place: Place | None) -> list[Place | None]:
    """The place and those it inherits from, the nearest first; the site is None."""
    if isinstance(place, List):
        return [place, *([place.domain] if place.domain else []), place.organisation, None]
    if isinstance(place, Domain):
        return [place, place.organisation, None]
    return [place, None] if isinstance(place, Organisation) else [None]


def nearest(letter: str, language: str, places: list[Place | None]) -> tuple[Wording, Place | None] | None:
    """The first of the places that has an own text, with that text."""
    if not execute("SELECT EXISTS (SELECT 1 FROM wording WHERE letter = %s AND language = %s)", [letter, language]).fetchall()[0][0]:
        return None  # as nearly everywhere, and much cheaper than asking for each place
    wanted = Q(pk__in=[])
    for place in places:
        wanted |= at(place)
    found = list(Wording.objects.filter(wanted, letter=letter, language=language))
    for place in places:
        for row in found:
            if (row.list_id, row.domain_id, row.organisation_id) == key(place):
                return row, place
    return None


def key(place: Place | None) -> tuple[int | None, int | None, int | None]:
    """List, domain and organisation of a text made at the place."""
    return (
        place.pk if isinstance(place, List) else None,
        place.pk if isinstance(place, Domain) else None,
        place.pk if isinstance(place, Organisation) else None,
    )
