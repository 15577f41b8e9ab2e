"""Sentences of the lower floors in the reader's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from colporteur.domain.words import Invalid, Sentence

NOT_AN_ADDRESS = _("This is not an e-mail address: write it like name@example.org.")


def said(what: ValueError | str, **other: Any) -> str:
    """Why something cannot be taken: an error, or a sentence marked for translation. ``other`` replaces values in it."""
    if isinstance(what, (Invalid, Sentence)):
        return what.into(gettext, **other)
    return gettext(what) if isinstance(what, str) and what else str(what)


def inert(text: str) -> str:
    """Text a spreadsheet does not take for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
