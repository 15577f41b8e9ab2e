"""The kinds of list as forms and pages show them."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext

from colporteur.domain.templates import TEMPLATES


class Kind(NamedTuple):
    """One kind of list in words."""

    key: str
    title: str
    sentence: str
    explanation: str


def kinds() -> list[Kind]:
    """Every kind a new list may have."""
    return [Kind(template.id, gettext(template.title), gettext(template.sentence), gettext(template.explanation)) for template in TEMPLATES.values()]


def choices() -> list[tuple[str, str]]:
    """The kinds for a select, each with its sentence."""
    return [(kind.key, f"{kind.title} – {kind.sentence}") for kind in kinds()]


def title(key: str) -> str:
    """A kind in words."""
    return gettext(TEMPLATES[key].title) if key in TEMPLATES else key
