"""CSV or one address per line at a web address, with a secret header when there is one.

Redirects are followed by hand, each looked at like the first; the secret goes to the place it was given for only.
"""

from __future__ import annotations

import ssl
import time
from urllib.parse import urljoin, urlsplit

import httpx

from colporteur.adapters.directories import BYTES, Asked, Trouble
from colporteur.adapters.directories.reaching import CONNECT_SECONDS, NO_ANSWER, address_of
from colporteur.domain.sources import Table, table_of
from colporteur.domain.words import gettext_noop as _

REDIRECTS = 4
_READ_SECONDS = 20.0


def fetch(asked: Asked) -> Table:
    """Read it whole. Raises ``Trouble``."""
    deadline = time.monotonic() + asked.seconds
    url, secret = asked.url, asked.secret
    # Nothing of the environment: a proxy would reach hosts that were not looked at.
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=httpx.Timeout(_READ_SECONDS, connect=CONNECT_SECONDS), verify=ssl.create_default_context()) as client:
        for _step in range(REDIRECTS + 1):
            answer = _get(client, url, secret, asked, deadline)
            if isinstance(answer, bytes):
                return table_of(answer, asked.columns)
            there = urljoin(url, answer)
            if _origin(there) != _origin(url):
                secret = ""
            if urlsplit(there).scheme not in ("http", "https") or (url.startswith("https:") and not there.startswith("https:")):
                raise Trouble(_("{host} leads elsewhere without encryption"), host=_host(url), lasting=True)
            url = there
    raise Trouble(_("{host} leads from one address to the next without end"), host=_host(asked.url), lasting=True)


def _get(client: httpx.Client, url: str, secret: str, asked: Asked, deadline: float) -> bytes | str:
    """The content, or where it is said to be."""
    parts = httpx.URL(url)
    host = _host(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    # By address, so that nobody can answer another one between the look and the connection; the certificate is for the name.
    place = parts.copy_with(host=address_of(host, port, asked.internal, asked.networks), username=None, password=None)
    headers = {"Host": parts.netloc.decode("ascii"), "Accept": "text/csv, text/plain;q=0.9, */*;q=0.5", "User-Agent": "Colporteur", "Accept-Encoding": "identity"}
    if secret:
        name, _colon, value = secret.partition(":")
        headers[name.strip()] = value.strip()
    login = (parts.username, parts.password) if parts.username else None
    request = client.build_request("GET", place, headers=headers, extensions={"sni_hostname": host})
    try:
        response = client.send(request, stream=True, auth=login)
    except httpx.HTTPError as error:
        raise Trouble(NO_ANSWER, host=host, port=port, detail=str(error)) from error
    try:
        if response.is_redirect:
            return response.headers["location"]
        if response.status_code != 200:
            raise Trouble(_("{host} answers {code} instead of the data"), host=host, code=response.status_code, detail=response.reason_phrase, lasting=response.status_code in (401, 403, 404, 410))
        if "html" in response.headers.get("content-type", ""):
            raise Trouble(_("{host} answers with a web page: is it a page for signing in?"), host=host, lasting=True)
        return _read(response, host, deadline)
    finally:
        response.close()


def _read(response: httpx.Response, host: str, deadline: float) -> bytes:
    found = bytearray()
    try:
        for piece in response.iter_bytes(64 * 1024):
            found += piece
            if len(found) > BYTES:
                raise Trouble(_("{host} sends more than {limit} MiB"), host=host, limit=BYTES // 2**20, lasting=True)
            if time.monotonic() > deadline:
                raise Trouble(TOO_SLOW, host=host)
    except httpx.HTTPError as error:
        raise Trouble(_("{host} breaks off in the middle"), host=host, detail=str(error)) from error
    return bytes(found)


TOO_SLOW = _("{host} takes too long")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
