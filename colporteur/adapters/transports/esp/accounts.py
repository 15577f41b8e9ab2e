"""How each service is reached: its django-anymail backend with our keys, and a session that keeps to bounds."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any, NamedTuple

import requests

from colporteur.domain.services import Account

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10.0, 30.0, 60.0
LARGEST = 256 * 1024
"""Bytes of an answer that are read."""


class TooMuch(requests.RequestException):
    """An answer that is too long or never ends. What was asked for may have been done."""


class Session(requests.Session):
    """Follows no redirect, takes nothing from the environment, reads answers of a bounded length within a bounded time."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["User-Agent"] = "Colporteur"

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As in ``requests``; raises ``requests.RequestException``."""
        kwargs |= {"allow_redirects": False, "stream": True, "timeout": (CONNECT_SECONDS, READ_SECONDS)}
        began = time.monotonic()
        response = super().request(*args, **kwargs)
        content = b""
        for chunk in response.iter_content(16 * 1024):
            content += chunk
            if len(content) > LARGEST or time.monotonic() - began > WHOLE_SECONDS:
                response.close()
                raise TooMuch("the answer is too long or takes too long")
        response._content, response._content_consumed = content, True
        return response


class Way(NamedTuple):
    """``module``: of django-anymail's backend; ``keys``: what it calls the keys of the URL, in order; ``url``: of the interface;
    ``regions``: its URL elsewhere; ``options``: what it calls options of the URL."""

    module: str
    keys: tuple[str, ...]
    url: str
    regions: dict[str, str] = {}
    options: dict[str, str] = {}


WAYS: dict[str, Way] = {
    "mailjet": Way("mailjet", ("api_key", "secret_key"), "https://api.mailjet.com/v3.1/"),
    "sparkpost": Way("sparkpost", ("api_key",), "https://api.sparkpost.com/api/v1/", {"eu": "https://api.eu.sparkpost.com/api/v1/"}, {"subaccount": "subaccount"}),
    "mandrill": Way("mandrill", ("api_key",), "https://mandrillapp.com/api/1.0/"),
    "brevo": Way("brevo", ("api_key",), "https://api.brevo.com/v3/"),
    "mailgun": Way("mailgun", ("api_key",), "https://api.mailgun.net/v3/", {"eu": "https://api.eu.mailgun.net/v3/"}, {"domain": "sender_domain"}),
    "postmark": Way("postmark", ("server_token",), "https://api.postmarkapp.com/", {}, {"stream": "message_stream"}),
    "sendgrid": Way("sendgrid", ("api_key",), "https://api.sendgrid.com/v3/", {"eu": "https://api.eu.sendgrid.com/v3/"}),
    "resend": Way("resend", ("api_key",), "https://api.resend.com/"),
    "mailersend": Way("mailersend", ("api_token",), "https://api.mailersend.com/v1/"),
    "mailtrap": Way("mailtrap", ("api_token",), "https://send.api.mailtrap.io/api/"),
    "scaleway": Way("scaleway", ("project_id", "secret_key"), "https://api.scaleway.com/transactional-email/v1alpha1/regions/fr-par/"),
}  # fmt: skip


def base(account: Account) -> str:
    """The URL all its calls begin with, ending in a slash."""
    way = WAYS[account.kind]
    url = account.options.get("api") or way.regions.get(account.options.get("region", ""), way.url)
    return url if url.endswith("/") else f"{url}/"


def backend(account: Account, payload: type | None) -> Any:
    """An open django-anymail backend for the account, with a session of its own. ``payload``: makes its requests instead of
    the backend's own."""
    way = WAYS[account.kind]
    parent = import_module(f"anymail.backends.{way.module}").EmailBackend

    class Backend(parent):  # type: ignore[misc,valid-type]
        def create_session(self) -> Session:
            return Session()

        def build_message_payload(self, message: Any, defaults: Any) -> Any:
            return payload(message, defaults, self) if payload and message.whole else super().build_message_payload(message, defaults)

    options = {name: account.options[option] for option, name in way.options.items() if option in account.options}
    opened = Backend(api_url=base(account), ignore_recipient_status=True, **dict(zip(way.keys, account.keys, strict=True)), **options)
    opened.open()
    return opened
