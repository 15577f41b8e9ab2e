"""Signing in by password, with any verified address of the person."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from colporteur.domain.addresses import normal
from colporteur.store.people import Person


class AddressBackend(BaseBackend):
    """Finds the person by a verified address; spends the same time on a password when there is nobody."""

    def authenticate(self, request: HttpRequest | None, email: str = "", password: str = "", **kwargs: Any) -> Person | None:
        try:
            person = Person.objects.filter(addresses__email=normal(email), addresses__verified_at__isnull=False).first()
        except ValueError:
            person = None
        if person is None:
            Person().set_password(password)  # as long as checking one: who is known does not show in the time
            return None
        return person if person.check_password(password) and person.is_active else None

    def get_user(self, user_id: int) -> Person | None:
        """Person of a session, unless switched off since."""
        return Person.objects.filter(pk=user_id, is_active=True).first()
