"""Whether an address of the web leads somewhere: asked like a careful stranger, never inside our own network.

HEAD first, GET where a server takes no HEAD; of an answer only its beginning is read. Redirects are followed by hand, each looked at
like the first. The address that was looked at is the one connected to.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urljoin

import httpx

from colporteur.adapters.reaching import outside
from colporteur.domain.preflight import Silence

REDIRECTS = 6
SECONDS = 15.0
_READ_SECONDS = 8.0
_NOT_FOR_HEAD = frozenset({400, 401, 403, 404, 405, 406, 500, 501, 502, 503})
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; Colporteur link check)", "Accept": "text/html,*/*;q=0.5", "Accept-Encoding": "identity", "Range": "bytes=0-1023"}


class Answer(NamedTuple):
    """``status`` of HTTP, 0 for no answer; ``detail``: then why not, a ``Silence``."""

    status: int
    detail: str


class _Refused(Exception):
    """The address cannot be asked."""

    def __init__(self, why: Silence) -> None:
        self.why = why


def look(url: str, networks: Sequence[str] = ()) -> Answer:
    """What an http or https address answers. ``networks`` of our own may be asked too. Never raises for what it meets."""
    deadline = time.monotonic() + SECONDS
    try:
        # Nothing of the environment: a proxy would reach hosts that were not looked at.
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=httpx.Timeout(_READ_SECONDS), verify=ssl.create_default_context()) as client:
            for _step in range(REDIRECTS):
                answer, there = _ask(client, "HEAD", url, networks)
                if answer.status in _NOT_FOR_HEAD:
                    answer, there = _ask(client, "GET", url, networks)
                if not there:
                    return answer
                if time.monotonic() > deadline:
                    raise _Refused(Silence.SLOW)
                url = urljoin(url, there)
        return Answer(0, Silence.ROUND)
    except (_Refused, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return Answer(0, _why(error))


def _why(error: Exception) -> Silence:
    if isinstance(error, _Refused):
        return error.why
    if isinstance(error, httpx.TimeoutException):
        return Silence.SLOW
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Silence.CERTIFICATE
    return Silence.NO_ADDRESS if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | ValueError) else Silence.REFUSED


def _ask(client: httpx.Client, method: str, url: str, networks: Sequence[str]) -> tuple[Answer, str]:
    """The answer, and where it leads instead."""
    parts = httpx.URL(url)
    if parts.scheme not in ("http", "https") or not parts.host:
        raise _Refused(Silence.NO_ADDRESS)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = parts.copy_with(host=_address(parts.host, port, networks), username=None, password=None, fragment=None)
    request = client.build_request(method, place, headers={**_HEADERS, "Host": parts.netloc.decode("ascii")}, extensions={"sni_hostname": parts.raw_host.decode("ascii")})
    response = client.send(request, stream=True)
    try:
        return Answer(response.status_code, response.reason_phrase), response.headers.get("location", "") if response.is_redirect else ""
    finally:
        response.close()


def _address(host: str, port: int, networks: Sequence[str]) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _Refused(Silence.UNKNOWN) from error
    for _family, _type, _protocol, _name, place in found:
        if outside(str(place[0]), networks):
            return str(place[0])
    raise _Refused(Silence.INSIDE)
