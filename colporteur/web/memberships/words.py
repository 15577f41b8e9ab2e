"""What deliveries of members are called on screens."""

from __future__ import annotations

from django.utils.translation import gettext as _


def delivery_words(mode: str) -> str:
    """A delivery mode in words."""
    return {"each": _("Each message"), "none": _("Reads elsewhere")}.get(mode, mode)
