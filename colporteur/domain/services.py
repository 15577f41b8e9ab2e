"""Services that send mail for others by an interface of their own (ESP): what is known of each, and what they tell later."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

METADATA = "colporteur"
"""Key under which a copy's token travels with it and comes back with what the service tells."""


class Service(NamedTuple):
    """``keys``: what stands before the @ of its URL, one or two secrets; ``options``: what may stand behind the ?. ``raw``: takes
    our message as it is, else it is made anew from its parts. ``echoes``: what it tells names the copy by our token, else by its own
    number. ``hooks``: it tells at all; ``ticks``: what it calls the events to choose; ``signs``: it signs what it tells, with a key
    that can be entered here (its name over there). ``limits``: its limits can be asked for."""

    title: str
    keys: tuple[str, ...] = ("KEY",)
    options: tuple[str, ...] = ()
    raw: bool = False
    echoes: bool = True
    hooks: bool = True
    ticks: tuple[str, ...] = ()
    signs: str = ""
    limits: bool = False


SERVICES: dict[str, Service] = {
    "mailjet": Service("Mailjet", ("KEY", "SECRET"), ticks=("Bounce", "Blocked", "Spam", "Unsub")),
    "sparkpost": Service("SparkPost", options=("region", "subaccount", "return-path"), raw=True, limits=True,
        ticks=("Bounce", "Out-of-Band Bounce", "Policy Rejection", "Generation Failure", "Generation Rejection", "Spam Complaint", "List Unsubscribe", "Link Unsubscribe")),
    "mandrill": Service("Mandrill", options=("return-path", "subaccount"), raw=True, limits=True, signs="Webhook key",
        ticks=("Message Is Bounced", "Message Is Soft-Bounced", "Message Is Marked As Spam", "Message Recipient Unsubscribes", "Message Is Rejected")),
    "brevo": Service("Brevo", ticks=("Hard bounced", "Soft bounced", "Blocked", "Invalid email", "Complaint", "Unsubscribed"), limits=True),
    "mailgun": Service("Mailgun", options=("region", "domain"), raw=True, signs="HTTP webhook signing key", ticks=("Permanent Failure", "Temporary Failure", "Spam Complaints", "Unsubscribes")),
    "postmark": Service("Postmark", options=("stream",), ticks=("Bounce", "Spam Complaint", "Subscription Change")),
    "sendgrid": Service("SendGrid", options=("region",), signs="Verification key", ticks=("Bounced", "Dropped", "Blocked", "Spam reports", "Unsubscribes", "Group unsubscribes")),
    "resend": Service("Resend", signs="Signing secret", ticks=("email.bounced", "email.complained", "email.failed", "email.suppressed")),
    "mailersend": Service("MailerSend", echoes=False, signs="Signing secret", ticks=("activity.hard_bounced", "activity.soft_bounced", "activity.spam_complaint", "activity.unsubscribed")),
    "mailtrap": Service("Mailtrap", signs="Signature key", ticks=("Bounce", "Soft bounce", "Suspension", "Spam complaint", "Unsubscribe", "Reject")),
    "scaleway": Service("Scaleway", ("PROJECT", "KEY"), options=("region",), hooks=False),
}  # fmt: skip
"""By the scheme of the URL. What each is called over there: the services' own documentation."""

REGIONS = {"sparkpost": ("eu",), "mailgun": ("eu",), "sendgrid": ("eu",), "scaleway": ("fr-par",)}
_PLAIN = re.compile(r"[\w.:/@-]{1,300}", re.ASCII)


def is_service(kind: str) -> bool:
    """Whether transports of this kind are such a service."""
    return kind in SERVICES


class Account(NamedTuple):
    """The URL of a service, read. ``keys``: what stands before the @, as many as the service wants."""

    kind: str
    keys: tuple[str, ...]
    options: Mapping[str, str]

    @property
    def service(self) -> Service:
        """What is known of it."""
        return SERVICES[self.kind]

    @property
    def shown(self) -> str:
        """The URL without any secret; of two keys the first is a name."""
        name = self.keys[0] if len(self.keys) > 1 else "***"
        options = "&".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.kind}://{name}@{'?' + options if options else ''}"

    @property
    def name(self) -> str:
        """The account in a few letters that tell nothing: several transports with the same one share its limits."""
        return f"{self.kind}:{hashlib.sha256(self.keys[0].encode()).hexdigest()[:12]}"


def example(kind: str) -> str:
    """How the URL of such a service is written."""
    return f"{kind}://{':'.join(SERVICES[kind].keys)}@"


def read_account(url: str) -> Account:
    """Keys and options of a service's URL, like ``mailjet://KEY:SECRET@`` or ``sparkpost://KEY@?region=eu``. Raises ``Invalid``."""
    parts = urlsplit(url.strip())
    kind, service = parts.scheme, SERVICES[parts.scheme]
    keys = _keys(parts, len(service.keys))
    if keys is None or parts.hostname or parts.path.strip("/"):
        raise Invalid(_("a transport by %(service)s is written %(example)s; signs like / : @ in a key as %%2F %%3A %%40"), service=service.title, example=example(kind))
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for key, value in options.items():
        if key not in (*service.options, "api") or not _PLAIN.fullmatch(value):
            raise Invalid(_("%(option)s cannot stand in a URL of %(service)s; known: %(known)s"), option=f"{key}={value[:80]}", service=service.title, known=", ".join((*service.options, "api")))
    if (known := REGIONS.get(kind)) and "region" in options and options["region"] not in known:
        raise Invalid(_("%(service)s has no region %(region)s; known: %(known)s"), service=service.title, region=options["region"], known=", ".join(known))
    api = urlsplit(options.get("api", ""))
    if "api" in options and not (api.hostname and (api.scheme == "https" or (api.scheme == "http" and api.hostname in ("127.0.0.1", "localhost", "::1")))):
        raise Invalid(_("api is the https:// address of another interface of %(service)s"), service=service.title)
    return Account(kind, keys, options)


def _keys(parts: SplitResult, wanted: int) -> tuple[str, ...] | None:
    given = [unquote(part) for part in (parts.username, parts.password) if part]
    if len(given) != wanted or not parts.netloc.endswith("@") or any(not key.isprintable() or not key.isascii() or " " in key for key in given):
        return None
    return tuple(given)


# --- what they tell ---------------------------------------------------------------------------------------------


class Told(StrEnum):
    """What a service tells of a copy later."""

    BOUNCED = "bounced"
    DEFERRED = "deferred"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    ANSWERED = "answered"  # an answering machine
    OPENED = "opened"
    CLICKED = "clicked"


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing a service told. ``key``: the same whenever the same is told again. ``at``: None when it does not say. ``token``: ours, "" when it did not come back.
    ``reason``: how the service itself sees a bounce, a key of ``domain.bounces.REASONS``. ``everywhere``: all the sender's mail is
    meant, not this list's alone."""

    told: Told
    key: str
    at: datetime | None
    email: str = ""
    token: str = ""
    message: str = ""  # the service's own number of the message
    reason: str = ""
    text: str = ""
    everywhere: bool = False
    url: str = ""
    agent: str = ""
