"""What services post to our webhook, read by django-anymail's own readers and put in our words. Nothing here is believed: the caller
knows who may post; a signature is checked where its key is known.

How a bounce is seen by the service (``seen``) counts only where its text says nothing (``flow.services``); that it writes no more to
somebody is no new bounce.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple

from anymail.exceptions import AnymailInsecureWebhookWarning, AnymailNotSupportedWarning, AnymailWebhookValidationFailure

from colporteur.adapters.transports.esp import seen
from colporteur.domain.services import METADATA, Heard, Told

warnings.filterwarnings("ignore", category=AnymailInsecureWebhookWarning)  # the secret is in our address, which it cannot know
warnings.filterwarnings("ignore", category=AnymailNotSupportedWarning)  # said in the documentation

MOST = 5000
"""Events of one post."""


class Refused(ValueError):
    """What was posted cannot be taken; the text says why."""


class _Reader(NamedTuple):
    """``key``: what django-anymail calls the key that signs, "" where nothing is signed; ``always``: it wants one even to read."""

    view: str
    key: str = ""
    always: bool = False


_READERS = {
    "mailjet": _Reader("mailjet.MailjetTrackingWebhookView"),
    "sparkpost": _Reader("sparkpost.SparkPostTrackingWebhookView"),
    "mandrill": _Reader("mandrill.MandrillCombinedWebhookView", "webhook_key"),
    "brevo": _Reader("brevo.BrevoTrackingWebhookView"),
    "mailgun": _Reader("mailgun.MailgunTrackingWebhookView", "webhook_signing_key", always=True),
    "postmark": _Reader("postmark.PostmarkTrackingWebhookView"),
    "sendgrid": _Reader("sendgrid.SendGridTrackingWebhookView", "tracking_webhook_verification_key"),
    "resend": _Reader("resend.ResendTrackingWebhookView"),
    "mailersend": _Reader("mailersend.MailerSendTrackingWebhookView", "signing_secret", always=True),
    "mailtrap": _Reader("mailtrap.MailtrapTrackingWebhookView", "tracking_secret"),
}

def read(kind: str, request: Any, key: str, url: str) -> list[Heard]:
    """The events of a post. ``request``: as Django has it; ``key``: the service's that signs, "" for none; ``url``: the address the
    service was given, which some sign. Raises ``Refused``."""
    try:
        reader = _reader(kind, key, url)
        if key and kind == "resend":
            _check_svix(request, key)
        elif key:
            reader.run_validators(request)
        events = reader.parse_events(request)
        if len(events) > MOST:
            raise Refused(f"more than {MOST} events")
        return [heard for event in events if (heard := _heard(kind, event))]
    except AnymailWebhookValidationFailure as error:
        raise Refused(" ".join(str(error).split())[:200]) from error
    except Refused:
        raise
    except Exception as error:  # whatever somebody posts
        raise Refused(f"not what {kind} posts: {type(error).__name__}") from error


def _reader(kind: str, key: str, url: str) -> Any:
    """A reader of its own kind with our key, and nothing from settings."""
    known = _READERS[kind]
    module, _dot, name = known.view.partition(".")
    view = getattr(import_module(f"anymail.webhooks.{module}"), name)
    quiet = type(name, (view,), {"warn_if_no_basic_auth": False})
    given = {known.key: key or "none"} if known.key and (key or known.always) else {}
    if kind == "mandrill":
        given["webhook_url"] = url
    try:
        return quiet(**given)
    except ValueError as error:
        raise Refused("the key that was entered here is none of this service's") from error


def _check_svix(request: Any, secret: str) -> None:
    """Resend signs as Svix does: HMAC-SHA256 over number, time and body; several keys may sign at once. Its time is not looked at: the
    same number again counts for nothing. Raises ``Refused``. Source: Svix's "Verifying webhooks manually"."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise Refused("the key that was entered here is none of this service's") from error
    signed = f"{request.headers.get('svix-id', '')}.{request.headers.get('svix-timestamp', '')}.".encode() + request.body
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = [one.partition(",")[2].encode() for one in request.headers.get("svix-signature", "").split() if one.startswith("v1,")]
    if not any(hmac.compare_digest(right, one) for one in given):
        raise Refused("Resend webhook called with incorrect signature")


def _heard(kind: str, event: Any) -> Heard | None:
    """The event in our words; None where it says nothing we act on."""
    raw, name = seen.raw_of(kind, event.esp_event), str(event.event_type)
    told = seen.told_of(kind, name, raw)
    if told is None:
        return None
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    at = event.timestamp if isinstance(event.timestamp, datetime) else None
    answer = told is Told.BOUNCED and kind == "mandrill" and str(raw.get("event")) == "soft_bounce"
    reason = seen.reason_of(kind, name, raw) if told is Told.BOUNCED else ""
    if answer and reason in ("absence", "challenge"):
        told = Told.ANSWERED
    text = next((line for value in seen.texts(kind, raw, event.mta_response, event.description) if (line := _line(value, 1000))), "")
    return Heard(
        told, _key(kind, event, raw), at, email=_line(event.recipient, 320).lower(), token=_line(metadata.get(METADATA), 64), message=_line(event.message_id, 200), reason=reason,
        text=text, everywhere=kind == "sendgrid" and raw.get("event") == "unsubscribe", url=_line(event.click_url, 2000), agent=_line(event.user_agent, 300),
    )  # fmt: skip


def _key(kind: str, event: Any, raw: Mapping[str, Any]) -> str:
    """The service's own number of the event, else a digest of all it says. Mailgun's is good for a day, and what the reader takes for it
    is of the post: another one each time it is tried again."""
    number = f"{raw['id']} {raw.get('timestamp')}" if kind == "mailgun" and raw.get("id") else event.event_id
    if number:
        return f"{event.event_type}:{_line(number, 180)}"
    said = json.dumps(event.esp_event, sort_keys=True, default=str)
    return f"{event.event_type}:{hashlib.sha256(said.encode()).hexdigest()}"


def _line(value: Any, most: int) -> str:
    """Printable, one line, short; "" for what is no text or number."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    return " ".join("".join(one if one.isprintable() else " " for one in str(value)[: most * 2]).split())[:most]
