"""The URL of a transport: what kind it is, and whether it can be one at all."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from colporteur.domain import services
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

KINDS = ("smtp", "folder", *services.SERVICES)
"""URL schemes; each is a file or folder in ``adapters/transports``, which reads the whole of its own URLs."""
TLS = ("starttls", "ssl", "none")
MOST_PROCESSES = 64


class Share(NamedTuple):
    """Which of several processes that deliver side by side a worker is: number ``nth`` of ``of``."""

    nth: int = 1
    of: int = 1

    @classmethod
    def read(cls, text: str) -> Share:
        """``1/2`` is the first of two. Raises ``Invalid``."""
        nth, _slash, of = text.partition("/")
        if nth.isdecimal() and of.isdecimal() and 1 <= int(nth) <= int(of) <= MOST_PROCESSES:
            return cls(int(nth), int(of))
        raise Invalid(_("a share is a number of a number, such as 1/2; at most %(most)d processes share"), most=MOST_PROCESSES)

    def of_connections(self, most: int, limited: bool) -> int:
        """Its part of a transport's ``most`` connections: all parts together are ``most``. What is ``limited`` is the first one's alone,
        which tells apart what each destination may get."""
        if limited:
            return most if self.nth == 1 else 0
        return most // self.of + (self.nth <= most % self.of)


ALONE = Share()


class Way(NamedTuple):
    """What a transport's URL says. ``shown`` is the URL without the password, fit for a screen."""

    kind: str
    shown: str


def read_url(url: str) -> Way:
    """Kind and harmless form of a transport's URL.

    Raises ``Invalid`` with a sentence that says what to write.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise Invalid(_("this is not a transport's URL: write smtp://user:password@host:587?tls=starttls or folder:///path")) from None
    kind = parts.scheme
    if kind == "ses":
        raise Invalid(_("Amazon SES is used by its SMTP interface: write smtp://user:password@email-smtp.eu-west-1.amazonaws.com:587?tls=starttls with the region of your account"))
    if kind not in KINDS:
        known = " , ".join(services.example(one) for one in services.SERVICES)
        raise Invalid(_("%(kind)r is no kind of transport; known: smtp://user:password@host:587?tls=starttls , folder:///path , %(services)s"), kind=parts.scheme, services=known)
    if services.is_service(kind):
        return Way(kind, services.read_account(url).shown)
    if kind == "folder":
        if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
            raise Invalid(_("a folder transport needs an absolute path: write folder:///var/spool/outbox"))
        return Way(kind, f"folder://{parts.path}")
    if not parts.hostname or (port is not None and port < 1):
        raise Invalid(_("an SMTP transport needs a host: write smtp://user:password@host:587?tls=starttls"))
    tls = parse_qs(parts.query).get("tls", [""])[0]
    if tls and tls not in TLS:
        raise Invalid(_("tls must be one of: %(known)s"), known=", ".join(TLS))
    if any(character in unquote(parts.netloc) for character in "\r\n\0"):
        raise Invalid(_("the URL of a transport is one line"))
    user = f"{parts.username}@" if parts.username else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Way(kind, f"{parts.scheme}://{user}{host}{f':{port}' if port else ''}{f'?tls={tls}' if tls else ''}")


def account_of(url: str) -> str:
    """``user@host`` of an account, in lower case; several transports with the same one share its limits; of a service
    something that tells nothing of its key. "" without a user."""
    parts = urlsplit(url.strip())
    if services.is_service(parts.scheme):
        return services.read_account(url).name
    return f"{unquote(parts.username)}@{parts.hostname or ''}".lower() if parts.username else ""
