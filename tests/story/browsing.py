"""Just enough of a browser for stories: the real web server asked over HTTP, by somebody who is signed in or by nobody."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.test import Client

from colporteur.store.people import Person
from tests.story.scenes import Installation

_CSRF = "c" * 32


class Answer:
    """``status``, ``headers``, ``text``."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.text = answer.status, answer.headers, answer.read().decode()


class Browser:
    """``person``: who is signed in. Redirects are not followed."""

    def __init__(self, installation: Installation, person: Person | None = None) -> None:
        self._port, self._host = installation.web_port, urlsplit(installation.environment["COLPORTEUR_BASE_URL"]).netloc
        self._cookies = ""
        if person:
            client = Client()
            client.force_login(person, backend="colporteur.web.signin.backend.AddressBackend")
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            self._cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={_CSRF}"

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, b"", {})

    def post(self, path: str, fields: dict[str, object]) -> Answer:
        """A form that was filled in."""
        return self.send(path, urlencode(fields | ({"csrfmiddlewaretoken": _CSRF} if self._cookies else {})).encode(), "application/x-www-form-urlencoded")

    def send(self, path: str, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> Answer:
        return self._ask("POST", path, body, {"Content-Type": content_type} | (headers or {}))

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=180)
        try:
            connection.request(method, path, body, {"Host": self._host, "Accept-Language": "fr", **({"Cookie": self._cookies} if self._cookies else {}), **headers})
            return Answer(connection.getresponse())
        finally:
            connection.close()
