"""What the URL of an SMTP transport says, and how long a server may take."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

_TLS = ("starttls", "ssl", "none")
_WORDS = {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}


class Timeouts(NamedTuple):
    """Seconds a server may stay silent in each phase (RFC 5321 section 4.5.3.2)."""

    connect: float = 30
    greeting: float = 300
    command: float = 300  # MAIL, RCPT, and everything before them
    data: float = 120  # until 354
    accept: float = 600  # from the final dot to the reply
    slowest: float = 16_384  # bytes per second: a long message is given this much more time
    idle: float = 30  # an unused connection is ended


@dataclass(frozen=True, slots=True)
class Options:
    """Where and how to connect. ``verify``: the certificate must be good for ``host``."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: str = "none"
    verify: bool = True
    helo: str = ""

    def context(self) -> ssl.SSLContext:
        """TLS as the options want it."""
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def read(url: str) -> Options:
    """Options from ``smtp://user:pass@host:port?tls=starttls|ssl|none&verify=yes|no&helo=name``.

    Without ``tls``: ssl on port 465 and for ``smtps://``, none to this machine itself, else starttls. Without a port: 465 with ssl, 587 with
    a user, else 25. Raises ``ValueError`` with a sentence.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := set(query) - {"tls", "verify", "helo"}:
        raise ValueError(f"{', '.join(sorted(unknown))} is not an option of smtp://: there are tls, verify and helo")
    if not parts.hostname:
        raise ValueError("the URL names no server: write smtp://user:password@host:port?tls=starttls")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port is not a number from 1 to 65535") from None
    tls = query.get("tls") or ("ssl" if port == 465 or parts.scheme == "smtps" else "none" if _loopback(parts.hostname) else "starttls")
    if tls not in _TLS:
        raise ValueError(f"tls={tls} is unknown: write tls=starttls, tls=ssl or tls=none")
    verify = _WORDS.get(query.get("verify", "yes").lower())
    if verify is None:
        raise ValueError("verify must be yes or no")
    user, password, helo = unquote(parts.username or ""), unquote(parts.password or ""), query.get("helo", "")
    if not all(word.isprintable() and " " not in word for word in (parts.hostname, helo)) or not helo.isascii():
        raise ValueError("host and helo are names or addresses without spaces")
    if "\x00" in user + password:
        raise ValueError("user and password may not contain a NUL")
    return Options(parts.hostname, port or (465 if tls == "ssl" else 587 if user else 25), user, password, tls, verify, helo)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
