"""Our webhook entered at the service by its own interface, where its documentation has one: Mailjet (event callback URLs), SparkPost
(webhooks, either region), Mandrill (webhooks), Brevo (webhooks), Postmark (webhooks), Resend (webhooks).

Asked again, it mends what differs and makes nothing twice. What is ours is told by its address, whatever secret it ends in; what belongs
to something else is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

import requests

from colporteur.adapters.transports import Outgoing
from colporteur.adapters.transports.esp.accounts import Session, base
from colporteur.adapters.transports.esp.answers import of_error
from colporteur.domain.services import Account
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

MADE, CHANGED, THERE = "made", "changed", "there"


class NotRegistered(Invalid):
    """The service did not take the webhook; the sentence says why."""


class Registered(NamedTuple):
    """``done``: MADE, CHANGED or THERE already, as it should be; ``events``: in the service's words; ``key``: by which it signs, "" for none."""

    done: str
    events: tuple[str, ...]
    key: str = ""


def can(kind: str) -> bool:
    """Whether the webhook of such a service can be registered from here."""
    return kind in _WAYS


def register(account: Account, url: str) -> Registered:
    """Enter the webhook's address ``url``, .../hooks/<transport>/<secret>/, for all events we act on. Raises ``NotRegistered``."""
    ours = url.rstrip("/").rpartition("/")[0] + "/"
    with Session() as session:
        try:
            return _WAYS[account.kind](_Service(account, session), url, ours)
        except NotRegistered:
            raise
        except (KeyError, ValueError, TypeError) as error:
            raise NotRegistered(_("%(service)s: not the answer its documentation has"), service=account.service.title) from error


class _Service:
    """Calls of the interface, with our key."""

    def __init__(self, account: Account, session: Session) -> None:
        self.account, self.session, self.url = account, session, base(account)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer, read. Raises ``NotRegistered``."""
        name, key = self.account.service.title, self.account.keys[-1]
        headers = {"Accept": "application/json"}
        auth = None
        if self.account.kind == "mailjet":
            auth = (self.account.keys[0], key)
        elif self.account.kind == "mandrill":
            body = {"key": key, **(body or {})}
        else:
            header, words = {"sparkpost": ("Authorization", "{}"), "brevo": ("api-key", "{}"), "postmark": ("X-Postmark-Server-Token", "{}")}.get(self.account.kind, ("Authorization", "Bearer {}"))
            headers[header] = words.format(key)
        if self.account.options.get("subaccount") and self.account.kind == "sparkpost":
            headers["X-MSYS-SUBACCOUNT"] = self.account.options["subaccount"]
        try:
            response = self.session.request(method, urljoin(self.url, path), json=body, headers=headers, auth=auth)
        except requests.RequestException as error:
            raise NotRegistered("%(words)s", words=of_error(self.account, _NOBODY, None, error).text) from error
        if response.status_code // 100 != 2:
            text = of_error(self.account, _NOBODY, response, None).text
            raise NotRegistered(_("%(words)s (may this key manage webhooks?)") if response.status_code in (401, 403) else "%(words)s", words=text)
        try:
            return json.loads(response.content or b"{}")
        except ValueError as error:
            raise NotRegistered(_("%(service)s: an answer that cannot be read"), service=name) from error


_NOBODY = Outgoing((0, 0), b"", (), b"")
_NAME = "Colporteur"


def _mailjet(service: _Service, url: str, ours: str) -> Registered:
    """One address for each event, so that somebody else's is not driven out. Version 2: events grouped."""
    events = ("bounce", "blocked", "spam", "unsub")
    path = "../v3/REST/eventcallbackurl"
    there = {row["EventType"]: row for row in _rows(service.call("GET", f"{path}?Limit=100"), "Data") if not row.get("IsBackup")}
    if taken := [f"{name}: {there[name].get('Url')}" for name in events if name in there and not str(there[name].get("Url")).startswith(ours)]:
        raise NotRegistered(_("Mailjet tells each event to one address only, and these are taken: %(taken)s. Delete them over there if nothing needs them, or use an API key of its own (subaccount)."), taken=", ".join(taken))
    done = set()
    for name in events:
        wanted = {"Url": url, "Version": 2, "Status": "alive"}
        if name not in there:
            service.call("POST", path, {"EventType": name, "IsBackup": False, **wanted})
            done.add(MADE)
        elif any(there[name].get(key) != value for key, value in wanted.items()):
            service.call("PUT", f"{path}/{int(there[name]['ID'])}", wanted)
            done.add(CHANGED)
    return Registered(CHANGED if CHANGED in done or (done and there.keys() & set(events)) else MADE if done else THERE, events)


def _sparkpost(service: _Service, url: str, ours: str) -> Registered:
    events = ("bounce", "out_of_band", "policy_rejection", "generation_failure", "generation_rejection", "spam_complaint", "list_unsubscribe", "link_unsubscribe")
    wanted = {"name": _NAME, "target": url, "events": list(events), "auth_type": "none"}
    found = _ours(_rows(service.call("GET", "webhooks"), "results"), "target", ours)
    return Registered(_put(service, wanted, found, "webhooks", "PUT", "id"), events)


def _mandrill(service: _Service, url: str, ours: str) -> Registered:
    events = ("hard_bounce", "soft_bounce", "spam", "unsub", "reject")
    wanted = {"url": url, "description": _NAME, "events": list(events)}
    found = _ours(_rows(service.call("POST", "webhooks/list.json"), ""), "url", ours)
    if found and _same(found, wanted):
        return Registered(THERE, events, str(found.get("auth_key") or ""))
    answer = service.call("POST", "webhooks/update.json", {"id": int(found["id"]), **wanted}) if found else service.call("POST", "webhooks/add.json", wanted)
    return Registered(CHANGED if found else MADE, events, str(_dict(answer).get("auth_key") or ""))


def _brevo(service: _Service, url: str, ours: str) -> Registered:
    events = ("hardBounce", "softBounce", "blocked", "invalid", "spam", "unsubscribed")
    wanted = {"url": url, "description": _NAME, "events": list(events)}
    found = _ours(_rows(service.call("GET", "webhooks?type=transactional"), "webhooks"), "url", ours)
    return Registered(_put(service, wanted if found else {**wanted, "type": "transactional"}, found, "webhooks", "PUT", "id"), events)


def _postmark(service: _Service, url: str, ours: str) -> Registered:
    stream = service.account.options.get("stream", "outbound")
    triggers = {"Bounce": {"Enabled": True, "IncludeContent": False}, "SpamComplaint": {"Enabled": True, "IncludeContent": False}, "SubscriptionChange": {"Enabled": True}}
    found = _ours(_rows(service.call("GET", f"webhooks?MessageStream={stream}"), "Webhooks"), "Url", ours)
    wanted = {"Url": url, "Triggers": triggers}
    there = _dict(found.get("Triggers")) if found else {}
    same = {name: {key: _dict(there.get(name)).get(key) for key in keys} for name, keys in triggers.items()}
    return Registered(_put(service, wanted if found else {**wanted, "MessageStream": stream}, {**found, "Triggers": same} if found else None, "webhooks", "PUT", "ID"), tuple(triggers))


def _resend(service: _Service, url: str, ours: str) -> Registered:
    events = ("email.bounced", "email.complained", "email.failed", "email.suppressed")
    found = _ours(_rows(service.call("GET", "webhooks"), "data"), "endpoint", ours)
    wanted = {"endpoint": url, "events": list(events)}
    if found is None:
        return Registered(MADE, events, str(_dict(service.call("POST", "webhooks", wanted)).get("signing_secret") or ""))
    done = _put(service, wanted, found, "webhooks", "PATCH", "id")
    return Registered(done, events, str(_dict(service.call("GET", f"webhooks/{quote(str(found['id']), safe='')}")).get("signing_secret") or ""))


_WAYS: dict[str, Callable[[_Service, str, str], Registered]] = {"mailjet": _mailjet, "sparkpost": _sparkpost, "mandrill": _mandrill, "brevo": _brevo, "postmark": _postmark, "resend": _resend}


def _put(service: _Service, wanted: dict[str, Any], found: dict[str, Any] | None, path: str, change: str, number: str) -> str:
    """Make it, change it or leave it; which."""
    if found is None:
        service.call("POST", path, wanted)
        return MADE
    if _same(found, wanted):
        return THERE
    service.call(change, f"{path}/{quote(str(found[number]), safe='')}", wanted)
    return CHANGED


def _same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a webhook is as we want it, in whatever order its events stand."""
    return all(sorted(map(str, found[key])) == sorted(value) if isinstance(value, list) and isinstance(found.get(key), list) else found.get(key) == value for key, value in wanted.items() if key in found)


def _ours(rows: list[dict[str, Any]], name: str, ours: str) -> dict[str, Any] | None:
    return next((row for row in rows if str(row.get(name, "")).startswith(ours)), None)


def _rows(answer: Any, name: str) -> list[dict[str, Any]]:
    rows = _dict(answer).get(name) if name else answer
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
