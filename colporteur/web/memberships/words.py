"""What deliveries of members are called on screens."""

from __future__ import annotations

from django.utils.translation import gettext as _

from colporteur.domain.digests import DeliveryMode
from colporteur.domain.policy import DELIVERIES, Policy, offered


def delivery_words(mode: str) -> str:
    """A delivery mode in words."""
    return _(DELIVERIES[mode]) if mode in DELIVERIES else mode


def ways(current: str, found: Policy) -> list[tuple[str, str]]:
    """The ways to receive somebody can choose on a list, with words: those it offers, and the one there is."""
    there = offered(found)
    return [(mode.value, delivery_words(mode)) for mode in DeliveryMode if mode in there or mode == current]


def how_words(how: str) -> str:
    """How somebody came to a list, in words."""
    return {
        "asked": _("Asked to join, and said yes"), "invited": _("Invited, and said yes"), "added": _("Added by hand"), "import": _("From a file or by many lines"), "source": _("From a source"),
    }.get(how, how)  # fmt: skip
