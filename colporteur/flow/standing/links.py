"""The way back: a link in a letter that lets messages come again. The page asks, the press of its button acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.tokens import Purpose
from colporteur.store.people import Address

GOOD_FOR = timedelta(days=90)


def link(address: Address, now: datetime) -> str:
    """URL of the page, good for ``GOOD_FOR``."""
    return f"{settings.BASE_URL}/back/{tokens.sign(settings.TOKEN_KEY, Purpose.RETURN, address.pk, int(now.timestamp()))}"


def read(token: str, now: datetime) -> tuple[Address | None, bool]:
    """The address a link was made for, None when it is not ours; and whether it is still good."""
    numbers = tokens.read(settings.TOKEN_KEY, Purpose.RETURN, token.strip().lower())
    address = Address.objects.select_related("person").filter(pk=numbers[0]).first() if numbers else None
    return address, bool(numbers) and datetime.fromtimestamp(numbers[1] if numbers else 0, UTC) + GOOD_FOR > now
