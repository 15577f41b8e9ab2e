"""What services post to our webhook, read by django-anymail's own readers and put in our words. Nothing here is believed: the caller
knows who may post; a signature is checked where its key is known.

How a bounce is seen by the service counts only where its text says nothing (``flow.services``); that it writes no more to somebody is
no new bounce. Sources: the services' lists of events and bounce classes.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple

from anymail.exceptions import AnymailInsecureWebhookWarning, AnymailNotSupportedWarning, AnymailWebhookValidationFailure

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
    "mailtrap": _Reader("mailtrap.MailtrapTrackingWebhookView", "signing_secret"),
}

_TOLD = {
    "bounced": Told.BOUNCED, "rejected": Told.BOUNCED, "failed": Told.BOUNCED, "deferred": Told.DEFERRED, "complained": Told.COMPLAINED, "unsubscribed": Told.UNSUBSCRIBED,
    "autoresponded": Told.ANSWERED, "opened": Told.OPENED, "clicked": Told.CLICKED,
}  # fmt: skip
_MAILJET = {
    "user unknown": "no_mailbox", "mailbox inactive": "disabled", "quota exceeded": "full", "invalid domain": "no_domain", "no mail host": "no_domain", "relay/access denied": "not_here",
    "greylisted": "greylisted", "sender blocked": "reputation", "content blocked": "content", "policy issue": "policy", "system issue": "their_trouble", "protocol issue": "their_trouble",
    "connection issue": "unreachable", "preblocked": "suppressed", "blacklisted": "suppressed", "spam reporter": "suppressed", "duplicate in campaign": "suppressed",
}  # fmt: skip
_SPARKPOST = {
    "10": "no_mailbox", "20": "later", "21": "unreachable", "22": "full", "23": "size", "24": "expired", "25": "suppressed", "30": "no_mailbox", "50": "reputation", "51": "reputation",
    "52": "content", "53": "virus", "54": "not_here", "60": "absence", "70": "later", "100": "challenge",
}  # fmt: skip
_MANDRILL = {
    "bad_mailbox": "no_mailbox", "invalid_domain": "no_domain", "mailbox_full": "full", "inactive_mailbox": "disabled", "message_too_large": "size", "spam": "content", "blocked": "reputation",
    "timeout": "expired", "blacklisted": "reputation", "policy_related": "policy", "relaying_denied": "not_here", "challenge": "challenge", "autoresponder": "absence", "greylisting": "greylisted",
}  # fmt: skip
_OURS = ("policy", "content", "reputation", "size", "virus")


def read(kind: str, request: Any, key: str, url: str) -> list[Heard]:
    """The events of a post. ``request``: as Django has it; ``key``: the service's that signs, "" for none; ``url``: the address the
    service was given, which some sign. Raises ``Refused``."""
    try:
        reader = _reader(kind, key, url)
        if key:
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
    return quiet(**given)


def _heard(kind: str, event: Any) -> Heard | None:
    """The event in our words; None where it says nothing we act on."""
    told = _TOLD.get(str(event.event_type))
    if told is None:
        return None
    raw = _raw(kind, event.esp_event)
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    at = event.timestamp if isinstance(event.timestamp, datetime) else None
    answer = told is Told.BOUNCED and kind == "mandrill" and str(raw.get("event")) == "soft_bounce"
    reason = _reason(kind, str(event.event_type), raw) if told is Told.BOUNCED else ""
    if answer and reason in ("absence", "challenge"):
        told = Told.ANSWERED
    return Heard(
        told, _key(event), at, email=_line(event.recipient, 320).lower(), token=_line(metadata.get(METADATA), 64), message=_line(event.message_id, 200), reason=reason,
        text=_text(kind, event, raw), everywhere=kind == "sendgrid" and raw.get("event") == "unsubscribe", url=_line(event.click_url, 2000), agent=_line(event.user_agent, 300),
    )  # fmt: skip


def _raw(kind: str, given: Any) -> dict[str, Any]:
    """The service's own fields of the event, without what they are wrapped in."""
    if not isinstance(given, Mapping):
        return {}
    if kind == "sparkpost" and isinstance(given.get("msys"), Mapping):
        return dict(next(iter(given["msys"].values()), {}))
    return dict(given)


def _key(event: Any) -> str:
    """The service's own number of the event, else a digest of all it says."""
    if event.event_id:
        return f"{event.event_type}:{_line(event.event_id, 180)}"
    said = json.dumps(event.esp_event, sort_keys=True, default=str)
    return f"{event.event_type}:{hashlib.sha256(said.encode()).hexdigest()}"


def _reason(kind: str, name: str, raw: Mapping[str, Any]) -> str:
    """How the service sees it, a key of ``domain.bounces.REASONS``; "" where it says nothing. A mailbox that a service refuses by
    itself is on its list because of something earlier."""
    if kind == "mailjet":
        found = _MAILJET.get(str(raw.get("error")), "")
    elif kind == "sparkpost":
        found = _SPARKPOST.get(str(raw.get("bounce_class")), "")
    elif kind == "mandrill":
        message = raw.get("msg")
        found = _MANDRILL.get(str(message.get("bounce_description")), "") if isinstance(message, Mapping) else ""
        found = found or ("no_mailbox" if raw.get("event") == "hard_bounce" else "later" if raw.get("event") == "soft_bounce" else "")
    else:
        said = f"{raw.get('event', '')} {raw.get('Type', '')} {raw.get('type', '')}".lower()
        found = "no_mailbox" if "hard" in said else "later" if "soft" in said else ""
    return "suppressed" if name == "rejected" and found not in _OURS else found


def _text(kind: str, event: Any, raw: Mapping[str, Any]) -> str:
    """What the other side said, else what the service says."""
    own = (raw.get("comment"), raw.get("error")) if kind == "mailjet" else (raw.get("reason"),)
    return next((line for value in (event.mta_response, event.description, *own) if (line := _line(value, 1000))), "")


def _line(value: Any, most: int) -> str:
    """Printable, one line, short; "" for what is no text or number."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    return " ".join("".join(one if one.isprintable() else " " for one in str(value)[: most * 2]).split())[:most]
