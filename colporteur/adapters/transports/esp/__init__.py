"""Services that send by an HTTP interface of their own, through django-anymail: one request a copy, several at once on threads.

Where the service takes a message as it is (SparkPost, Mandrill, Mailgun) it gets our bytes; elsewhere the message is made anew from
its parts, so structure, Message-ID and signatures are the service's. It uses its own envelope sender either way: what comes back is
told by webhook (``events``), where our token names the copy.
"""

from __future__ import annotations

from colporteur.adapters.transports.esp.sending import EspTransport
from colporteur.domain.services import read_account

__all__ = ["open_url"]


def open_url(url: str, connections: int) -> EspTransport:
    """A transport for ``mailjet://KEY:SECRET@``, ``sparkpost://KEY@?region=eu`` and so on; raises ``ValueError``."""
    return EspTransport(read_account(url), connections)
