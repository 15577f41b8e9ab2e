"""How each service sees what it tells: which of our words an event is, and why something came back, where its own text says nothing.

Sources: the services' lists of events, bounce types and bounce classes. What a service calls a bounce is often its own decision, or
somebody's wish: only what the other side refused is a bounce of the mailbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colporteur.domain.services import Told

_TOLD = {
    "bounced": Told.BOUNCED, "rejected": Told.BOUNCED, "failed": Told.BOUNCED, "deferred": Told.DEFERRED, "complained": Told.COMPLAINED, "unsubscribed": Told.UNSUBSCRIBED,
    "autoresponded": Told.ANSWERED, "opened": Told.OPENED, "clicked": Told.CLICKED,
}  # fmt: skip
_NEWER = {
    ("brevo", "unsubscribed"): Told.UNSUBSCRIBED, ("resend", "email.failed"): Told.BOUNCED, ("resend", "email.suppressed"): Told.BOUNCED, ("mailersend", "deferred"): Told.DEFERRED,
    ("postmark", "Unknown"): Told.BOUNCED,
}  # fmt: skip
"""What the reader does not know, by the service's own name of it."""
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
_MAILGUN = {"bounce": "no_mailbox", "old": "expired", "espblock": "reputation", "greylisted": "greylisted", "suppress-bounce": "suppressed", "suppress-complaint": "suppressed", "suppress-unsubscribe": "suppressed"}
_POSTMARK = {
    "HardBounce": "no_mailbox", "SoftBounce": "later", "BadEmailAddress": "no_mailbox", "VirusNotification": "virus", "Blocked": "reputation", "SpamNotification": "content", "DMARCPolicy": "authentication",
    "ManuallyDeactivated": "suppressed", "Undeliverable": "later",
}  # fmt: skip
_SENDGRID = {
    "invalid address": "no_mailbox", "mailbox unavailable": "later", "technical": "their_trouble", "technical failure": "their_trouble", "content": "content", "reputation": "reputation",
    "frequency or volume too high": "rate", "frequency/volume": "rate", "blocked": "policy", "expired": "expired", "bounce": "no_mailbox",
}  # fmt: skip
_SENDGRID_DROPPED = {"invalid": "no_mailbox", "invalid smtpapi header": "format", "spam content (if spam checker app enabled)": "content", "spam content": "content", "recipient list over package quota": "rate"}
_RESEND = {"general": "no_mailbox", "noemail": "no_mailbox", "mailboxfull": "full", "messagetoolarge": "size", "contentrejected": "content", "attachmentrejected": "virus"}
_NAMED = {
    "brevo": {"hard_bounce": "no_mailbox", "soft_bounce": "later", "invalid_email": "no_mailbox"}, "mailersend": {"hard_bounced": "no_mailbox", "soft_bounced": "later"}, "mailtrap": {"bounce": "no_mailbox"},
}  # fmt: skip
_OURS = ("policy", "content", "reputation", "size", "virus")
_WRAPPED = {"mailgun": "event-data", "mailersend": "data"}


def raw_of(kind: str, given: Any) -> dict[str, Any]:
    """The service's own fields of the event, without what they are wrapped in; for Resend, ``data`` with the event's type."""
    if not isinstance(given, Mapping):
        return {}
    if kind == "sparkpost" and isinstance(given.get("msys"), Mapping):
        return dict(next(iter(given["msys"].values()), {}))
    if kind == "resend":
        return {**_mapping(given.get("data")), "type": given.get("type")}
    inner = given.get(_WRAPPED.get(kind, ""))
    return dict(inner) if isinstance(inner, Mapping) else dict(given)


def told_of(kind: str, name: str, raw: Mapping[str, Any]) -> Told | None:
    """What the event is, None where nothing follows from it. ``name``: as django-anymail calls it."""
    if kind == "postmark" and raw.get("RecordType") == "SubscriptionChange":  # for bounces and complaints it posts events of their own
        wish = raw.get("SuppressionReason") == "ManualSuppression" and raw.get("Origin", "Recipient") == "Recipient"
        return Told.UNSUBSCRIBED if wish and raw.get("SuppressSending") else None
    if kind == "postmark" and raw.get("Type") == "SpamNotification":  # a filter took it for spam: nobody complained
        return Told.BOUNCED
    return _TOLD.get(name) or _NEWER.get((kind, _own_name(raw)))


def reason_of(kind: str, name: str, raw: Mapping[str, Any]) -> str:
    """How the service sees a bounce, a key of ``domain.bounces.REASONS``; "" where it says nothing. A mailbox that a service refuses by
    itself is on its list because of something earlier."""
    if kind in ("mailjet", "sparkpost", "mandrill"):
        found = _of_the_three(kind, raw)
        return "suppressed" if name == "rejected" and found not in _OURS else found
    if kind == "mailgun":
        return _MAILGUN.get(str(raw.get("reason")), "policy" if name == "rejected" else "")
    if kind == "postmark":
        return _POSTMARK.get(str(raw.get("Type")), "")
    if kind == "sendgrid":
        return _of_sendgrid(name, raw)
    if kind == "resend":
        return _of_resend(raw)
    return _NAMED.get(kind, {}).get(_own_name(raw), "suppressed" if name == "rejected" else "")


def texts(kind: str, raw: Mapping[str, Any], *read: Any) -> tuple[Any, ...]:
    """Where it stands what was said, the best first. ``read``: what the reader found. What Resend says itself is advice (that somebody's
    reputation suffers, say): of it the first sentence, and only where the other side's words are not there."""
    if kind == "mailjet":
        return *read, raw.get("comment"), raw.get("error")
    if kind == "resend":
        bounce = _mapping(raw.get("bounce"))
        codes = bounce.get("diagnosticCode")
        advice = str(bounce.get("message") or _mapping(raw.get("suppressed")).get("message") or _mapping(raw.get("failed")).get("reason") or "")
        return *(codes if isinstance(codes, list) else [codes]), advice.partition(". ")[0]
    if kind == "sendgrid" and raw.get("event") == "dropped" and str(raw.get("reason")).lower() in _SENDGRID_DROPPED:  # a quota of the account's is no full mailbox
        return ()
    return *read, raw.get("reason")


def _of_the_three(kind: str, raw: Mapping[str, Any]) -> str:
    if kind == "mailjet":
        return _MAILJET.get(str(raw.get("error")), "")
    if kind == "sparkpost":
        return _SPARKPOST.get(str(raw.get("bounce_class")), "")
    found = _MANDRILL.get(str(_mapping(raw.get("msg")).get("bounce_description")), "")
    return found or ("no_mailbox" if raw.get("event") == "hard_bounce" else "later" if raw.get("event") == "soft_bounce" else "")


def _of_sendgrid(name: str, raw: Mapping[str, Any]) -> str:
    if name == "rejected":
        return _SENDGRID_DROPPED.get(str(raw.get("reason")).lower(), "suppressed")
    return _SENDGRID.get(str(raw.get("bounce_classification")).lower()) or _SENDGRID.get(str(raw.get("type")).lower(), "")


def _of_resend(raw: Mapping[str, Any]) -> str:
    if raw.get("type") == "email.suppressed":
        return "suppressed"
    if raw.get("type") == "email.failed":
        return "policy"
    bounce = _mapping(raw.get("bounce"))
    sort, detail, words = (str(bounce.get(key, "")).lower() for key in ("type", "subType", "message"))
    if "suppress" in detail or "has suppressed sending" in words:
        return "suppressed"
    if sort == "undetermined":
        return ""
    return "later" if (sort, detail) == ("transient", "general") else _RESEND.get(detail) or ("no_mailbox" if "hard bounce" in words else "later" if sort == "transient" else "")


def _own_name(raw: Mapping[str, Any]) -> str:
    return next((str(raw[key]) for key in ("event", "Type", "type") if raw.get(key)), "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
