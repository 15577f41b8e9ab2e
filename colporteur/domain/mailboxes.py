"""Mailboxes: how an account is written down, what may be typed there, and when a failing one is tried again.

Source for the URL form: contract, "Commands" (``imap(s)://user:pass@host:port/INBOX``, ``pop3(s)://...``).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

KINDS = ("imap", "pop3")
TLS = ("ssl", "starttls", "none")
_PORTS = {("imap", "ssl"): 993, ("pop3", "ssl"): 995, ("imap", "starttls"): 143, ("imap", "none"): 143, ("pop3", "starttls"): 110, ("pop3", "none"): 110}
_SCHEMES = {"imap": ("imap", ""), "imaps": ("imap", "ssl"), "pop3": ("pop3", ""), "pop3s": ("pop3", "ssl"), "pop": ("pop3", ""), "pops": ("pop3", "ssl")}
_OPTIONS = ("tls", "self_signed", "move", "every")
FORM, SIGNS, CODES = "imaps://user:password@imap.example.org/INBOX", "@ : / ? #", "%40 %3A %2F %3F %23"
PATIENCE = 5
"""Failures in a row after which owners are told of a trouble that may pass by itself."""
SERVER_KEEPS_TRYING = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Account:
    """What is needed to collect from an account. ``every`` in seconds; empty ``move_to``: what was taken is deleted. ``reach``:
    networks of our own it may lie in beside the Internet; None, anywhere, because an administrator of the site named it."""

    kind: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: str = "ssl"
    self_signed: bool = False
    folder: str = "INBOX"
    move_to: str = ""
    every: int = 60
    reach: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.user} on {self.host}:{self.port} ({self.kind})"


def read_url(url: str) -> Account:
    """Account of a URL; ``?tls=none|starttls&self_signed=1&move=Taken&every=60`` may follow.

    ``imap://`` and ``pop3://`` mean STARTTLS, except on a loopback address, where there is nothing to overhear. Raises
    ``Invalid`` with a sentence that says what to write; the password is never part of it.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise _not_a_url() from None
    if parts.scheme not in _SCHEMES or not parts.hostname or not parts.username or parts.password is None or parts.fragment:
        raise _not_a_url()
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise Invalid(_("unknown option %(option)r in the URL of a mailbox: use %(known)s"), option=unknown[0], known=", ".join(_OPTIONS))
    kind, tls = _SCHEMES[parts.scheme]
    tls = options.get("tls") or tls or ("none" if _loopback(parts.hostname) else "starttls")
    if tls not in TLS:
        raise Invalid(_("tls=%(tls)s is not known: use %(known)s"), tls=tls, known=", ".join(TLS))
    every = options.get("every", "60")
    return checked(
        Account(
            kind=kind, host=parts.hostname, port=port or _PORTS[kind, tls], user=unquote(parts.username), password=unquote(parts.password), tls=tls,
            self_signed=options.get("self_signed", "0").lower() in ("1", "true", "yes", "on"), folder=unquote(parts.path.strip("/")) or "INBOX",
            move_to=options.get("move", ""), every=int(every) if every.isascii() and every.isdigit() else 0,
        )
    )  # fmt: skip


def _not_a_url() -> Invalid:
    return Invalid(_("this is not the URL of a mailbox: write %(form)s (signs like %(signs)s in user or password are written %(codes)s)"), form=FORM, signs=SIGNS, codes=CODES)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked(account: Account) -> Account:
    """The account itself when it can be used. Raises ``Invalid`` with a sentence.

    No field may hold a control character: they would end a command and begin another one (CVE-2025-15366, -15367).
    """
    for name in ("host", "user", "password", "folder", "move_to"):
        if any(ord(sign) < 32 or ord(sign) == 127 for sign in getattr(account, name)):
            raise Invalid(_("%(name)s holds a line break or another control character: write it again"), name=name)
    if account.kind not in KINDS:
        raise Invalid(_("%(kind)r is not a kind of mailbox: use %(known)s"), kind=account.kind, known=", ".join(KINDS))
    if account.tls not in TLS:
        raise Invalid(_("%(tls)r is not a way to encrypt: use %(known)s"), tls=account.tls, known=", ".join(TLS))
    if not account.host or len(account.host) > 253 or any(sign.isspace() or sign in "/@" for sign in account.host):
        raise Invalid(_("the server needs a name, like imap.example.org"))
    if not 0 < account.port < 65536:
        raise Invalid(_("the port is a number between 1 and 65535"))
    if not account.user:
        raise Invalid(_("the user name is missing"))
    if not 5 <= account.every <= 86400:
        raise Invalid(_("the delay between two looks is a number of seconds between 5 and 86400"))
    if account.kind == "imap" and account.move_to.casefold() == account.folder.casefold():
        raise Invalid(_("messages cannot be moved to the folder they are taken from: choose another one, or none to delete them"))
    if account.kind == "pop3" and account.move_to:
        raise Invalid(_("POP3 knows no folders: leave the folder empty, messages are deleted when they are taken"))
    return account


def default_port(kind: str, tls: str) -> int:
    """The usual port: 993, 143, 995 or 110."""
    return _PORTS[kind, tls]


def next_try(failures: int, now: datetime) -> datetime:
    """When a mailbox that failed ``failures`` times in a row is looked at again: 10 s, 30 s, 90 s ... at most 30 minutes."""
    return now + min(timedelta(seconds=10 * 3 ** min(max(failures, 1) - 1, 10)), SERVER_KEEPS_TRYING)


def tell_owners(failures: int, lasting: bool) -> bool:
    """Whether owners hear of it: at once when it will not pass by itself (a wrong password), else after ``PATIENCE`` failures."""
    return lasting or failures >= PATIENCE


MESSAGE_ATTEMPTS = 5
"""How often one message that cannot be taken is tried before it is left where it is, with the owners told."""


def message_next_try(attempts: int, now: datetime) -> datetime | None:
    """When a message that could not be taken is tried again: 1 min, 4, 16, 64; None: no more."""
    return None if attempts >= MESSAGE_ATTEMPTS else now + timedelta(minutes=4 ** max(attempts - 1, 0))
