"""Secrets at rest: sealed with the installation's key (Fernet: AES-128-CBC and HMAC-SHA256)."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class SealBroken(Exception):
    """The secret was sealed with another key: COLPORTEUR_SECRET_KEY is not the one this database was made with."""


def seal(text: str) -> str:
    """Sealed form of a secret, printable ASCII."""
    return Fernet(settings.SEAL_KEY).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """The secret. Raises ``SealBroken``."""
    try:
        return Fernet(settings.SEAL_KEY).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealBroken(SealBroken.__doc__) from error
