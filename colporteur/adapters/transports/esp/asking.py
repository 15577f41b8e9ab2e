"""Whether a service lets us in, and what it says is left: one harmless question, nothing is sent."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import urljoin

import requests

from colporteur.adapters.transports import Outgoing, Stage, Trouble
from colporteur.adapters.transports.esp.accounts import Session, base
from colporteur.adapters.transports.esp.answers import of_error
from colporteur.domain.services import Account


class _Question(NamedTuple):
    """``path``: behind the interface's URL; ``keys``: how the key travels, a header field or "basic" or "body"."""

    path: str
    keys: str
    words: str = "{}"


_QUESTIONS = {
    "mailjet": _Question("../v3/REST/apikey?Limit=1", "basic"),
    "sparkpost": _Question("account?include=usage", "Authorization"),
    "mandrill": _Question("users/info.json", "body"),
    "brevo": _Question("account", "api-key"),
    "mailgun": _Question("domains?limit=1", "basic", "api"),
    "postmark": _Question("server", "X-Postmark-Server-Token"),
    "sendgrid": _Question("scopes", "Authorization", "Bearer {}"),
    "resend": _Question("domains", "Authorization", "Bearer {}"),
    "mailersend": _Question("api-quota", "Authorization", "Bearer {}"),
    "mailtrap": _Question("../../api/accounts", "Authorization", "Bearer {}"),
    "scaleway": _Question("domains", "X-Auth-Token"),
}


def ask(account: Account) -> str:
    """One line: that it lets us in, and its own count where it tells. Raises ``Trouble``."""
    nobody = Outgoing((0, 0), b"", (), b"")
    try:
        with Session() as session:
            response = _asked(account, session)
    except requests.RequestException as error:
        raise of_error(account, nobody, None, error).trouble or Trouble(Stage.CONNECT, 0, str(error)) from error
    if response.status_code == 403 and account.kind in ("sparkpost", "sendgrid"):  # a key that may send and nothing else
        return f"{account.service.title} knows the key; it may not read the account's limits"
    if response.status_code != 200:
        answer = of_error(account, nobody, response, None)
        raise answer.trouble or Trouble(Stage.GREETING, answer.code, answer.text, temporary=answer.code < 500)
    return f"{account.service.title} lets us in{_counts(account.kind, response.content)}"


def _asked(account: Account, session: Session) -> requests.Response:
    question, key = _QUESTIONS[account.kind], account.keys[-1]
    url = urljoin(base(account), question.path)
    if question.keys == "basic":
        pair = (account.keys[0], account.keys[1]) if len(account.keys) > 1 else (question.words, key)
        return session.request("GET", url, auth=pair)
    if question.keys == "body":
        return session.request("POST", url, json={"key": key})
    return session.request("GET", url, headers={question.keys: question.words.format(key), "Accept": "application/json"})


def _counts(kind: str, content: bytes) -> str:
    """What the service counts, in words; "" where it says nothing we understand."""
    try:
        told = json.loads(content)
        if kind == "sparkpost":
            usage = told["results"]["usage"]
            return "".join(f"; {words}: {int(usage[name]['used'])} of {_limit(usage[name])}" for name, words in (("day", "today"), ("month", "this month")) if name in usage)
        if kind == "mandrill":
            return f"; sent today: {int(told['stats']['today']['sent'])}, {int(told['hourly_quota'])} an hour allowed, reputation {int(told['reputation'])} of 100"
        if kind == "brevo":
            return "".join(f"; {int(plan['credits'])} left of the plan {str(plan['type'])[:40]}" for plan in told["plan"] if "credits" in plan)
        if kind == "mailersend":
            return f"; {int(told['remaining'])} of {int(told['quota'])} left today"
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return ""
    return ""


def _limit(row: dict[str, Any]) -> int | str:
    return int(row["limit"]) if row.get("limit") else "no limit"
