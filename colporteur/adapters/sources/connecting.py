"""What every fetched source shares: the TLS context, and what a failed connection means in words."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from colporteur.adapters.reaching import outside
from colporteur.adapters.sources import CONNECT_SECONDS, Trouble
from colporteur.domain.mailboxes import Account
from colporteur.domain.words import gettext_noop as _

UNKNOWN_HOST = _("There is no server called {host}: check its name.")
REFUSED = _("Nothing answers on {host}, port {port}: check the port (IMAP: 993 with SSL, else 143; POP3: 995 with SSL, else 110).")
SMTP_REFUSED = _("Nothing answers on {host}, port {port}: check the port (587 with STARTTLS, 465 with SSL, 25 for a relay).")
SILENT = _("{host} says nothing on port {port}: check server, port and encryption; a firewall may stand between.")
CERTIFICATE = _("The certificate of {host} cannot be trusted: check the name of the server, or accept its self-signed certificate.")
NO_TLS = _("{host} does not speak TLS on port {port}: choose STARTTLS, or the port meant for SSL.")
NO_STARTTLS = _("{host} does not offer STARTTLS on port {port}: choose SSL and its port, or no encryption on a private network.")
TLS_ONLY = _("{host} takes no password without encryption on port {port}: choose SSL or STARTTLS.")
NOT_A_SERVER = _("What answers on {host}, port {port} is no {kind} server: check port and encryption.")
PASSWORD = _("{host} refused the user name or the password of {user}.")
BUSY = _("{host} does not let {user} in now; it will be tried again.")
NO_FOLDER = _("{user} has no folder {folder}; there are: {folders}.")
READ_ONLY = _("Messages in {folder} cannot be removed by {user}: what was taken would stay. Give the account the right to delete.")
NOT_MOVED = _("Messages could not be moved to {folder} or deleted: check the folder and the space left in the account.")
LOST = _("The connection to {host} was lost.")
INSIDE = _("{host} lies inside a network of its own: only an administrator of the site may allow that")
BROKEN = _("{host} answered what nobody can understand.")


def check_place(account: Account) -> None:
    """Refuse a host inside a network of its own, before anything is connected. Raises ``Trouble`` and ``OSError``."""
    if account.reach is None:
        return
    for *_rest, place in socket.getaddrinfo(account.host, account.port, type=socket.SOCK_STREAM):
        _refuse_inside(account, str(place[0]))


def check_peer(account: Account, wire: socket.socket) -> None:
    """The same of what was really connected to, before anything is said: a name may have changed meanwhile. Raises ``Trouble``."""
    if account.reach is not None:
        _refuse_inside(account, str(wire.getpeername()[0]))


def _refuse_inside(account: Account, address: str) -> None:
    if not outside(address, account.reach or ()):
        raise Trouble(INSIDE, lasting=True, host=account.host)


def tls_context(account: Account) -> ssl.SSLContext:
    """Verifying, unless the account accepts a certificate nobody vouches for."""
    context = ssl.create_default_context()
    if account.self_signed:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def trouble(error: Exception, account: Account, *, connecting: bool = False) -> Trouble:
    """What a failure of the wire means. ``connecting``: nothing had been said yet."""
    where: dict[str, Any] = {"host": account.host, "port": account.port}
    detail = (isinstance(error, OSError) and error.strerror) or str(error)  # without "[Errno 111]"
    if isinstance(error, Trouble):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(CERTIFICATE, lasting=True, detail=error.verify_message, host=account.host)
    if isinstance(error, socket.gaierror):
        return Trouble(UNKNOWN_HOST, lasting=error.errno in (socket.EAI_NONAME, socket.EAI_NODATA), detail=detail, host=account.host)
    if isinstance(error, ssl.SSLError) and connecting:
        return Trouble(NO_TLS, lasting=True, detail=detail, **where)
    if isinstance(error, TimeoutError):
        return Trouble(SILENT, detail=f"{CONNECT_SECONDS:.0f} s" if connecting else detail, **where)
    if isinstance(error, ConnectionRefusedError):
        return Trouble(SMTP_REFUSED if account.kind == "smtp" else REFUSED, detail=detail, **where)
    if isinstance(error, OSError) and connecting:
        return Trouble(SILENT, detail=detail, **where)
    if connecting:
        return Trouble(NOT_A_SERVER, lasting=True, detail=detail, kind=account.kind.upper(), **where)
    return Trouble(LOST, detail=detail, host=account.host)
