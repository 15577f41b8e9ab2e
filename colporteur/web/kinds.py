"""The kinds of list as forms and pages show them: the shipped templates, and those made here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import Q
from django.utils.translation import gettext

from colporteur.domain.templates import TEMPLATES
from colporteur.store.templates import OwnTemplate


class Kind(NamedTuple):
    """One kind of list in words."""

    key: str
    title: str
    sentence: str
    explanation: str = ""


def kinds(organisations: Iterable[int] = ()) -> list[Kind]:
    """Every kind a list of these organisations may have: the shipped ones first."""
    shipped = [Kind(template.id, gettext(template.title), gettext(template.sentence), gettext(template.explanation)) for template in TEMPLATES.values()]
    own = OwnTemplate.objects.filter(Q(organisation__isnull=True) | Q(organisation__in=set(organisations))).order_by("title", "id")
    return shipped + [Kind(template.key, template.title, template.sentence) for template in own]


def choices(known: Iterable[Kind]) -> list[tuple[str, str]]:
    """The kinds for a select, each with its sentence."""
    return [(kind.key, f"{kind.title} – {kind.sentence}" if kind.sentence else kind.title) for kind in known]


def title(key: str) -> str:
    """A kind in words."""
    if key in TEMPLATES:
        return gettext(TEMPLATES[key].title)
    return OwnTemplate.objects.filter(key=key).values_list("title", flat=True).first() or key
