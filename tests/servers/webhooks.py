"""What Brevo, Mailgun, Postmark, SendGrid, Resend, MailerSend and Mailtrap post about a copy, as their documentation shows it, signed where they sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.services import Post, Taken

AT = 1_800_000_000
_ISO = "2027-01-15T08:00:00.000000Z"
WORDS = {"hard": "550 5.1.1 <{to}>: Recipient address rejected: User unknown", "soft": "452 4.2.2 The email account that you tried to reach is over quota", "deferred": "451 4.7.1 Greylisting in action, please come back later"}
EVENTS = ("delivered", "deferred", "hard", "soft", "suppressed", "complaint", "open", "click", "unsubscribe")


def posts(kind: str, taken: Taken, what: str, *, number: int = 0, key: str = "") -> Post | None:
    """The post of one event, None where the service tells no such thing. ``number``: other events have others; ``key``: it is signed with."""
    event = _EVENTS[kind](taken, what, number)
    if event is None:
        return None
    body = json.dumps(event).encode()
    return Post(body, "application/json", _signed(kind, body, key, f"{taken.id}-{number}-{what}"))


def _words(taken: Taken, what: str) -> str:
    return WORDS.get(what, "").format(to=taken.recipient)


def _brevo(taken: Taken, what: str, number: int) -> dict[str, Any]:
    name = {"hard": "hard_bounce", "soft": "soft_bounce", "suppressed": "blocked", "complaint": "spam", "open": "unique_opened", "unsubscribe": "unsubscribed"}.get(what, what)
    event: dict[str, Any] = {"event": name, "email": taken.recipient, "id": 9999999, "message-id": f"<{taken.id}@smtp-relay.mailin.fr>", "subject": "x", "date": "2027-01-15 09:00:00", "ts": AT, "ts_event": AT, "ts_epoch": AT * 1000 + number}
    reason = "blocked : due to blacklist user" if what == "suppressed" else _words(taken, what)
    return event | {"X-Mailin-custom": json.dumps({"colporteur": taken.token}), "tags": ["colporteur-1"]} | ({"reason": reason} if reason else {}) | ({"link": "https://www.example/"} if what == "click" else {})


def _mailgun(taken: Taken, what: str, number: int) -> dict[str, Any]:
    name = {"hard": "failed", "soft": "failed", "deferred": "failed", "suppressed": "failed", "complaint": "complained", "open": "opened", "click": "clicked", "unsubscribe": "unsubscribed"}.get(what, what)
    event: dict[str, Any] = {"event": name, "id": f"{taken.id}{what}{number}", "timestamp": AT + 0.153125, "recipient": taken.recipient, "user-variables": {"colporteur": taken.token}, "tags": ["colporteur-1"]}
    event["message"] = {"headers": {"to": taken.recipient, "message-id": f"{taken.id}@mg.example.org", "from": "a@lists.example", "subject": "x"}}
    if name == "failed":
        code, _space, text = _words(taken, what).partition(" ") if what != "suppressed" else ("605", "", "Not delivering to previously bounced address")
        event |= {"severity": "permanent" if what in ("hard", "suppressed") else "temporary", "reason": {"hard": "bounce", "suppressed": "suppress-bounce"}.get(what, "generic")}
        event["delivery-status"] = {"attempt-no": 1, "code": int(code), "message": text, "description": ""}
    more = {"client-info": {"user-agent": "Mozilla/5.0"}} if what in ("open", "click") else {}
    return {"signature": {"timestamp": str(AT), "token": "t" * 50, "signature": ""}, "event-data": event | more | ({"url": "https://www.example/"} if what == "click" else {})}


def _postmark(taken: Taken, what: str, number: int) -> dict[str, Any]:
    event: dict[str, Any] = {"ServerID": 23, "MessageStream": "broadcast", "MessageID": taken.id, "Tag": "colporteur-1", "Metadata": {"colporteur": taken.token}}
    sorts = {"hard": ("HardBounce", 1), "soft": ("SoftBounce", 4096), "deferred": ("Transient", 2), "suppressed": ("ManuallyDeactivated", 100006), "complaint": ("SpamComplaint", 100001), "filtered": ("SpamNotification", 512)}
    if what in sorts:
        sort, code = sorts[what]
        record = "SpamComplaint" if what == "complaint" else "Bounce"
        detail = f"smtp;{_words(taken, what)}" if what in WORDS else "Test spam complaint details" if what == "complaint" else ""
        return event | {"RecordType": record, "ID": int(taken.id) * 100 + number, "Type": sort, "TypeCode": code, "Name": sort, "Description": "", "Details": detail, "Email": taken.recipient, "BouncedAt": "2027-01-15T03:00:00.3963933-05:00", "Inactive": True}
    if what == "unsubscribe":
        return event | {"RecordType": "SubscriptionChange", "Recipient": taken.recipient, "ChangedAt": "2027-01-15T08:00:00Z", "Origin": "Recipient", "SuppressSending": True, "SuppressionReason": "ManualSuppression"}
    times = {"delivered": {"RecordType": "Delivery", "DeliveredAt": _ISO, "Details": "250 OK"}, "open": {"RecordType": "Open", "ReceivedAt": _ISO, "UserAgent": "Mozilla/5.0"}}
    return event | {"Recipient": taken.recipient} | times.get(what, {"RecordType": "Click", "ReceivedAt": _ISO, "OriginalLink": "https://www.example/", "UserAgent": "Mozilla/5.0"})


def _sendgrid(taken: Taken, what: str, number: int) -> list[dict[str, Any]]:
    name = {"hard": "bounce", "soft": "bounce", "suppressed": "dropped", "complaint": "spamreport", "unsubscribe": "group_unsubscribe"}.get(what, what)
    event: dict[str, Any] = {"event": name, "email": taken.recipient, "timestamp": AT, "smtp-id": "<a@ismtpd0006p1sjc2.sendgrid.net>", "sg_event_id": f"{taken.id}{what}{number}", "sg_message_id": "a.filter.1", "anymail_id": taken.id, "colporteur": taken.token, "category": ["colporteur-1"]}
    if name == "bounce":
        event |= {"type": "bounce" if what == "hard" else "blocked", "status": _words(taken, what)[4:9], "reason": _words(taken, what), "bounce_classification": "Invalid Address" if what == "hard" else "Mailbox Unavailable"}
    more: dict[str, dict[str, Any]] = {"suppressed": {"reason": "Bounced Address"}, "deferred": {"response": _words(taken, what), "attempt": "1"}, "click": {"url": "https://www.example/", "useragent": "Mozilla/5.0"}, "unsubscribe": {"asm_group_id": 1}}
    return [event | more.get(what, {})]


def _resend(taken: Taken, what: str, number: int) -> dict[str, Any] | None:
    name = {"hard": "bounced", "soft": "bounced", "deferred": "delivery_delayed", "complaint": "complained", "open": "opened", "click": "clicked"}.get(what, what)
    data: dict[str, Any] = {"created_at": _ISO, "email_id": taken.id, "from": "A <a@lists.example>", "to": [taken.recipient], "subject": "x", "headers": [{"name": "X-Metadata", "value": json.dumps({"colporteur": taken.token})}]}
    if what == "hard":
        advice = "The recipient's email provider sent a hard bounce message, but didn't specify the reason for the hard bounce. Sending messages to addresses that produce hard bounces can have a negative impact on your reputation as a sender."
        data["bounce"] = {"message": advice, "type": "Permanent", "subType": "General"}
    elif what == "soft":
        data["bounce"] = {"message": "The recipient's email provider sent a bounce message because the recipient's inbox was full. You might be able to send to it later.", "type": "Transient", "subType": "MailboxFull"}
    elif what == "suppressed":
        data["suppressed"] = {"message": "Resend has suppressed sending to this address because it is on the account-level suppression list. This does not count toward your bounce rate metric", "type": "OnAccountSuppressionList"}
    elif what == "click":
        data["click"] = {"ipAddress": "192.0.2.9", "link": "https://www.example/", "timestamp": _ISO, "userAgent": "Mozilla/5.0"}
    return None if what == "unsubscribe" else {"type": f"email.{name}", "created_at": _ISO, "data": data}


def _mailersend(taken: Taken, what: str, number: int) -> dict[str, Any] | None:
    name = {"hard": "hard_bounced", "soft": "soft_bounced", "complaint": "spam_complaint", "open": "opened", "click": "clicked", "unsubscribe": "unsubscribed"}.get(what, what)
    sort = {"hard": "recipient_bounce", "soft": "recipient_bounce", "complaint": "spam_complaint", "unsubscribe": "recipient_unsubscribe", "open": "open", "click": "click"}.get(what)
    morph = {"object": sort, "reason": _words(taken, what) or None} | ({"url": "https://www.example/", "ip": "192.0.2.9"} if what == "click" else {}) if sort else None
    email = {"object": "email", "status": "rejected", "tags": None, "message": {"object": "message", "id": taken.id}, "recipient": {"object": "recipient", "email": taken.recipient}}
    data = {"object": "activity", "id": f"{taken.id}{what}{number}", "type": name, "created_at": _ISO, "email": email, "morph": morph}
    return None if what == "suppressed" else {"type": f"activity.{name}", "domain_id": "d", "created_at": _ISO, "webhook_id": "w", "url": "https://lists.example/", "data": data}


def _mailtrap(taken: Taken, what: str, number: int) -> dict[str, Any]:
    name = {"delivered": "delivery", "hard": "bounce", "soft": "soft bounce", "deferred": "soft bounce", "suppressed": "reject", "complaint": "spam"}.get(what, what)
    event: dict[str, Any] = {"event": name, "timestamp": AT, "sending_stream": "bulk", "category": "colporteur-1", "custom_variables": {"colporteur": taken.token}, "message_id": taken.id, "email": taken.recipient, "event_id": f"{taken.id}{what}{number}"}
    if what in WORDS:
        event |= {"response": f"{name} ({_words(taken, what)})", "response_code": int(_words(taken, what)[:3]), "bounce_category": "hard" if what == "hard" else "unavailable"}
    more = {"suppressed": {"reason": "Recipient is in the suppression list"}, "click": {"url": "https://www.example/", "user_agent": "Mozilla/5.0"}}
    return {"events": [event | more.get(what, {})]}


_EVENTS: dict[str, Callable[[Taken, str, int], Any]] = {"brevo": _brevo, "mailgun": _mailgun, "postmark": _postmark, "sendgrid": _sendgrid, "resend": _resend, "mailersend": _mailersend, "mailtrap": _mailtrap}


# --- signatures -------------------------------------------------------------------------------------------------


@cache
def _pair() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_of(kind: str) -> str:
    """The key one enters with us, "" where the service signs nothing."""
    if kind == "sendgrid":
        return base64.b64encode(_pair().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
    return {"mailgun": "key-mg", "resend": "whsec_" + base64.b64encode(b"resend").decode(), "mailersend": "key-ms", "mailtrap": "key-mt"}.get(kind, "")


def mailgun_signed(post: Post, key: str) -> Post:
    """Mailgun signs in the body."""
    event = json.loads(post.body)
    block = event["signature"]
    block["signature"] = hmac.new(key.encode(), f"{block['timestamp']}{block['token']}".encode(), hashlib.sha256).hexdigest()
    return post._replace(body=json.dumps(event).encode())


def _signed(kind: str, body: bytes, key: str, number: str) -> dict[str, str]:
    if kind == "resend":
        made = base64.b64encode(hmac.new(base64.b64decode(key.removeprefix("whsec_")), f"msg_{number}.{AT}.".encode() + body, hashlib.sha256).digest()).decode()
        return {"svix-id": f"msg_{number}"} | ({"svix-timestamp": str(AT), "svix-signature": f"v1,{'A' * 44} v1,{made}"} if key else {})
    if not key:
        return {}
    if kind == "sendgrid":
        signature = base64.b64encode(_pair().sign(str(AT).encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
        return {"X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": str(AT)}
    digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return {"mailersend": {"Signature": digest}, "mailtrap": {"Mailtrap-Signature": digest}}.get(kind, {})
