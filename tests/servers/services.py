"""A server of this machine that answers as services which send mail do, by their documentation: Mailjet Send API v3.1, SparkPost
Transmissions, Mandrill messages/send-raw and send; of others as much as says "taken". It also tells later what became of a message.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import itertools
import json
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.servers.served import Quiet, Served

PATHS = {"mailjet": "v3.1/", "sparkpost": "api/v1/", "mandrill": "api/1.0/", "brevo": "v3/", "mailgun": "v3/", "postmark": "", "sendgrid": "v3/", "resend": "", "mailersend": "v1/", "mailtrap": "api/", "scaleway": "t/v1/"}
KEYS = {"mailjet": "name:secret", "scaleway": "project:secret"}
_FORBIDDEN = {"from", "to", "subject", "cc", "bcc", "reply-to", "return-path", "dkim-signature", "received", "date", "message-id", "list-id", "user-agent", "x-mailer"}


class Taken(NamedTuple):
    """A message that was taken. ``id``: the service's number; ``raw``: as it came, where the service takes it so; ``request``: the
    whole of it; ``headers``: of the request."""

    kind: str
    id: str
    recipient: str
    token: str
    raw: bytes
    request: dict[str, Any]
    headers: dict[str, str]


class Answer(NamedTuple):
    """What is answered instead, once."""

    status: int
    content: Any
    headers: dict[str, str] = {}


class Services(Served):
    """``taken``: messages, the oldest first; ``next``: answers given before anything else; ``quota``: messages that are taken before the
    service says it is enough; ``suppressed``: recipient -> why it is not written to any more; ``before``: called before each answer."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.next: deque[Answer] = deque()
        self.quota: int | None = None
        self.suppressed: dict[str, str] = {}
        self.unverified: set[str] = set()  # domains of senders
        self.before: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.asked = 0
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        services = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if services.before:
                    services.before(self)
                with services._lock:
                    services.asked += 1
                    answer = services.next.popleft() if services.next else services.answer(self.path, dict(self.headers), body)
                self._say(answer)

            def do_GET(self) -> None:
                with services._lock:
                    self._say(services.next.popleft() if services.next else services.about(self.path, dict(self.headers)))

            def _say(self, answer: Answer) -> None:
                content = json.dumps(answer.content).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        super().__init__(Handler)

    def url(self, kind: str, key: str = "") -> str:
        """The URL of a transport that sends by this server."""
        return f"{kind}://{key or KEYS.get(kind, 'secret')}@?api=http://127.0.0.1:{self.port}/{PATHS[kind]}"

    # --- sending ------------------------------------------------------------------------------------------------

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What is answered to a request to send."""
        if path == "/v3.1/send":
            return self._mailjet(headers, json.loads(body))
        if path == "/api/v1/transmissions/":
            return self._sparkpost(headers, json.loads(body))
        if path.startswith("/api/1.0/"):
            return self._mandrill(path, headers, json.loads(body))
        number = f"id-{next(self._numbers)}"
        self.taken.append(Taken(path, number, "", "", body, {}, headers))
        plain = {"messageId": number, "id": f"<{number}>", "message": "Queued. Thank you.", "ErrorCode": 0, "Message": "OK", "MessageID": number, "To": json.loads(body)["To"] if path == "/email" else "", "success": True, "message_ids": [number], "emails": []}
        return Answer(202 if "mail/send" in path or path == "/v1/email" else 200, plain, {"X-Message-Id": number})

    def _over(self) -> bool:
        return self.quota is not None and len(self.taken) >= self.quota

    def _take(self, kind: str, recipient: str, token: str, raw: bytes, request: dict[str, Any], headers: dict[str, str]) -> Taken:
        taken = Taken(kind, f"{1152921500000000000 + next(self._numbers)}", recipient, token, raw, request, headers)
        self.taken.append(taken)
        return taken

    def _mailjet(self, headers: dict[str, str], data: dict[str, Any]) -> Answer:
        if headers.get("Authorization") != "Basic " + base64.b64encode(b"name:secret").decode():
            return Answer(401, {"ErrorIdentifier": "06df1144", "ErrorCode": "mj-0002", "StatusCode": 401, "ErrorMessage": "API key authentication/authorization failure. You may be unauthorized to access the API."})
        if self._over():
            return Answer(429, {"ErrorIdentifier": "06df1145", "ErrorCode": "mj-0029", "StatusCode": 429, "ErrorMessage": "You have exceeded the sending limit of your plan for today"})
        message = data["Messages"][0] | data.get("Globals", {})
        to, sender = message["To"][0]["Email"], message["From"]["Email"]
        if bad := sorted({name.lower() for name in message.get("Headers", {})} & _FORBIDDEN):
            return _mailjet_error("send-0011", 400, f'Header cannot be customized: "{bad[0]}".', "Headers")
        if sender.partition("@")[2] in self.unverified:
            return _mailjet_error("send-0008", 403, f'"{sender}" is not an authorized sender email address for your account.', "From")
        if "@" not in to or to.startswith("bad"):
            return _mailjet_error("mj-0013", 400, f'"{to}" is an invalid email address.', "To[0].Email")
        token = json.loads(message.get("EventPayload", "{}")).get("colporteur", "")
        taken = self._take("mailjet", to, token, b"", message, headers)
        return Answer(200, {"Messages": [{"Status": "success", "To": [{"Email": to, "MessageUUID": f"u-{taken.id}", "MessageID": int(taken.id), "MessageHref": f"https://api.mailjet.com/v3/message/{taken.id}"}], "Cc": [], "Bcc": []}]})

    def _sparkpost(self, headers: dict[str, str], data: dict[str, Any]) -> Answer:
        if headers.get("Authorization") != "secret":
            return Answer(401, {"errors": [{"message": "Unauthorized."}]})
        if self._over():
            return Answer(420, {"errors": [{"message": "Exceed Sending Limit (daily)", "description": "Daily sending limit exceeded", "code": "2102"}]})
        raw = data["content"].get("email_rfc822", "").encode()
        message = email.message_from_bytes(raw, policy=email.policy.default)
        sender = message["From"].addresses[0] if raw else None
        to = data["recipients"][0]["address"]["email"]
        if sender and sender.domain in self.unverified:
            return Answer(400, {"errors": [{"message": "Invalid domain", "description": f"Unconfigured Sending Domain <{sender.domain}>", "code": "7001"}]})
        if to.startswith("bad"):
            return Answer(400, {"errors": [{"message": "At least one valid recipient is required", "code": "5002"}]})
        taken = self._take("sparkpost", to, data.get("metadata", {}).get("colporteur", ""), raw, data, headers)
        return Answer(200, {"results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": taken.id}})

    def _mandrill(self, path: str, headers: dict[str, str], data: dict[str, Any]) -> Answer:
        if data.get("key") != "secret":
            return Answer(500, {"status": "error", "code": -1, "name": "Invalid_Key", "message": "Invalid API key"})
        if path.endswith("users/info.json"):
            return Answer(200, {"username": "somebody", "reputation": 93, "hourly_quota": 5000, "backlog": 0, "stats": {"today": {"sent": len(self.taken)}}})
        if self._over():
            return Answer(500, {"status": "error", "code": -99, "name": "PaymentRequired", "message": "The requested feature requires payment."})
        raw, to = data["raw_message"].encode(), data["to"][0]
        fields = email.message_from_bytes(raw)
        answer = {"email": to, "status": "sent", "reject_reason": None, "_id": ""}
        if data["from_email"].partition("@")[2] in self.unverified:
            answer |= {"status": "rejected", "reject_reason": "unsigned"}
        elif to.startswith("bad"):
            answer |= {"status": "invalid"}
        elif to in self.suppressed:
            answer |= {"status": "rejected", "reject_reason": self.suppressed[to]}
        else:
            answer["_id"] = self._take("mandrill", to, json.loads(fields.get("X-MC-Metadata", "{}")).get("colporteur", ""), raw, data, headers).id
        return Answer(200, [answer])

    def about(self, path: str, headers: dict[str, str]) -> Answer:
        """What is answered to a question about the account."""
        known = headers.get("Authorization") in ("secret", "Bearer secret", "Basic " + base64.b64encode(b"name:secret").decode(), "Basic " + base64.b64encode(b"api:secret").decode())
        known = known or "secret" in (headers.get("Api-Key"), headers.get("api-key"), headers.get("X-Postmark-Server-Token"), headers.get("X-Auth-Token"))
        if not known:
            return Answer(401, {"errors": [{"message": "Unauthorized."}]})
        if path.startswith("/api/v1/account"):
            return Answer(200, {"results": {"usage": {"day": {"used": len(self.taken), "limit": 10000}, "month": {"used": 1234, "limit": 50000}}}})
        return Answer(200, {"Count": 1, "Data": []})


def _mailjet_error(code: str, status: int, text: str, about: str) -> Answer:
    return Answer(400, {"Messages": [{"Status": "error", "Errors": [{"ErrorIdentifier": "f987008f", "ErrorCode": code, "StatusCode": status, "ErrorMessage": text, "ErrorRelatedTo": [about]}]}]})


# --- telling later ----------------------------------------------------------------------------------------------


class Post(NamedTuple):
    """A webhook as the service posts it."""

    body: bytes
    content_type: str
    headers: dict[str, str] = {}


_BOUNCED = {"hard": "550 5.1.1 <{to}>: Recipient address rejected: User unknown", "full": "452 4.2.2 The email account that you tried to reach is over quota", "policy": "550 5.7.1 Message rejected as spam by policy"}


def tells(told: list[tuple[Taken, str]], *, at: int = 1800000000, key: str = "", url: str = "") -> Post:
    """One webhook with these events, each ``hard``, ``full``, ``policy``, ``suppressed``, ``complaint``, ``unsubscribe``, ``open``, ``click`` or
    ``delivered``. ``key``, ``url``: with which Mandrill signs."""
    kind = told[0][0].kind
    events = [globals()[f"_{kind}_event"](taken, what, at, number) for number, (taken, what) in enumerate(told)]
    if kind != "mandrill":
        return Post(json.dumps(events).encode(), "application/json")
    text = json.dumps(events)
    signature = base64.b64encode(hmac.new(key.encode(), f"{url}mandrill_events{text}".encode(), hashlib.sha1).digest()).decode()
    return Post(urlencode({"mandrill_events": text}).encode(), "application/x-www-form-urlencoded", {"X-Mandrill-Signature": signature})


def _mailjet_event(taken: Taken, what: str, at: int, number: int) -> dict[str, Any]:
    event: dict[str, Any] = {"time": at, "MessageID": int(taken.id), "Message_GUID": f"u-{taken.id}", "email": taken.recipient, "mj_campaign_id": 7, "mj_contact_id": 9, "customcampaign": "colporteur-1", "CustomID": "", "Payload": json.dumps({"colporteur": taken.token}) if taken.token else ""}
    if what in ("hard", "full"):
        related = ("recipient", "user unknown", True) if what == "hard" else ("recipient", "quota exceeded", False)
        return event | {"event": "bounce", "blocked": False, "hard_bounce": related[2], "error_related_to": related[0], "error": related[1], "comment": _BOUNCED[what].format(to=taken.recipient)}
    if what == "policy":
        return event | {"event": "blocked", "error_related_to": "spam", "error": "policy issue"}
    if what == "suppressed":
        return event | {"event": "blocked", "error_related_to": "mailjet", "error": "preblocked"}
    if what == "complaint":
        return event | {"event": "spam", "source": "JMRPP"}
    if what == "unsubscribe":
        return event | {"event": "unsub", "mj_list_id": 1, "ip": "127.0.0.1", "geo": "FR", "agent": "Mozilla/5.0"}
    if what in ("open", "click"):
        return event | {"event": what, "ip": "192.0.2.9", "geo": "FR", "agent": "Mozilla/5.0", **({"url": "https://www.example/"} if what == "click" else {})}
    return event | {"event": "sent", "smtp_reply": "sent (250 2.0.0 OK)"}


def _sparkpost_event(taken: Taken, what: str, at: int, number: int) -> dict[str, Any]:
    event: dict[str, Any] = {"event_id": f"{taken.id}{number:04}{what}", "timestamp": str(at), "transmission_id": taken.id, "message_id": "000443ee14578172be22", "raw_rcpt_to": taken.recipient, "rcpt_to": taken.recipient.lower(), "campaign_id": "colporteur-1", "rcpt_meta": {"colporteur": taken.token} if taken.token else {}, "customer_id": "1", "friendly_from": "a@lists.example"}
    classes = {"hard": "10", "full": "22", "policy": "50", "suppressed": "25"}
    if what in classes:
        reason = _BOUNCED.get(what, "554 5.7.1 recipient address suppressed due to customer policy").format(to=taken.recipient)
        name = "policy_rejection" if what == "suppressed" else "bounce"
        return {"msys": {"message_event": event | {"type": name, "bounce_class": classes[what], "error_code": reason[:3], "raw_reason": reason, "reason": reason}}}
    if what == "unsubscribe":
        return {"msys": {"unsubscribe_event": event | {"type": "list_unsubscribe", "mailfrom": "x@sparkpost.example"}}}
    if what in ("open", "click"):
        return {"msys": {"track_event": event | {"type": what, "user_agent": "Mozilla/5.0", "ip_address": "192.0.2.9", **({"target_link_url": "https://www.example/"} if what == "click" else {})}}}
    return {"msys": {"message_event": event | {"type": "spam_complaint" if what == "complaint" else "delivery", "fbtype": "abuse"}}}


def _mandrill_event(taken: Taken, what: str, at: int, number: int) -> dict[str, Any]:
    names = {"hard": "hard_bounce", "full": "soft_bounce", "policy": "soft_bounce", "suppressed": "reject", "complaint": "spam", "unsubscribe": "unsub", "open": "open", "click": "click", "delivered": "send"}
    message: dict[str, Any] = {"ts": at - 60, "_id": taken.id, "state": "sent", "subject": "x", "email": taken.recipient, "tags": [], "metadata": {"colporteur": taken.token} if taken.token else {}, "sender": "a@lists.example"}
    if what in _BOUNCED:
        message |= {"bounce_description": {"hard": "bad_mailbox", "full": "mailbox_full", "policy": "spam"}[what], "diag": f"smtp;{_BOUNCED[what]}".format(to=taken.recipient), "state": "bounced"}
    return {"event": names[what], "_id": taken.id, "ts": at, "msg": message, **({"url": "https://www.example/"} if what == "click" else {}), **({"user_agent": "Mozilla/5.0", "ip": "192.0.2.9"} if what in ("open", "click") else {})}
