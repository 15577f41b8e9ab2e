"""SMTP: our own client, because sending is what this product is for.

``options`` reads the URL, ``connection`` is one dialogue, ``pool`` shares the copies out.
"""

from __future__ import annotations

from colporteur.adapters.transports.smtp.options import read
from colporteur.adapters.transports.smtp.pool import SmtpTransport


def open_url(url: str, connections: int) -> SmtpTransport:
    """A transport for ``smtp://...``; raises ``ValueError``."""
    return SmtpTransport(read(url), connections)
