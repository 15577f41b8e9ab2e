"""What deliveries of members are called on screens."""

from __future__ import annotations

from django.utils.translation import gettext as _


def delivery_words(mode: str) -> str:
    """A delivery mode in words."""
    return {"each": _("Each message"), "none": _("Reads elsewhere")}.get(mode, mode)


def how_words(how: str) -> str:
    """How somebody came to a list, in words."""
    return {
        "asked": _("Asked to join, and said yes"), "invited": _("Invited, and said yes"), "added": _("Added by hand"), "import": _("From a file or by many lines"), "source": _("From a source"),
    }.get(how, how)  # fmt: skip
