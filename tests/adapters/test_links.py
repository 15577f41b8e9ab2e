"""Links are followed like a careful stranger follows them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from colporteur.adapters.links import look
from colporteur.domain.preflight import SILENCES, Silence

OURS = ("127.0.0.0/8",)


class _Site(BaseHTTPRequestHandler):
    asked: list[str]

    def do_HEAD(self) -> None:
        self.asked.append(f"HEAD {self.path}")
        if self.path.startswith("/no-head"):
            self._answer(405)
        elif self.path == "/moved":
            self._answer(302, "/here")
        elif self.path == "/round":
            self._answer(302, "/round")
        elif self.path == "/inside":
            self._answer(302, "http://169.254.169.254/latest")
        else:
            self._answer(200 if self.path == "/here" else 404)

    def do_GET(self) -> None:
        self.asked.append(f"GET {self.path}")
        self._answer(200 if self.path == "/no-head" else 404)

    def _answer(self, status: int, there: str = "") -> None:
        self.send_response(status)
        if there:
            self.send_header("Location", there)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    _Site.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("path", "answer"), [("/here", (200, "OK")), ("/moved", (200, "OK")), ("/no-head", (200, "OK")), ("/nothing", (404, "Not Found")), ("/round", (0, Silence.ROUND)), ("/inside", (0, Silence.INSIDE))])
def test_what_a_link_answers(site: str, path: str, answer: tuple[int, str]) -> None:
    assert look(site + path, OURS) == answer


@pytest.mark.parametrize(("url", "why"), [
    ("http://127.0.0.1:9/", Silence.REFUSED), ("ftp://a.example/", Silence.NO_ADDRESS), ("http://", Silence.NO_ADDRESS), ("https://nowhere.invalid/", Silence.UNKNOWN), ("http://10.0.0.1/", Silence.INSIDE),
])  # fmt: skip
def test_why_a_link_gives_no_answer_is_one_of_a_few_reasons(url: str, why: Silence) -> None:
    assert look(url, OURS) == (0, why)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0x7f000001/", "ftp://a.example/", "http://", "https://nowhere.invalid/", "javascript:alert(1)"])
def test_nothing_of_our_own_is_asked(site: str, url: str) -> None:
    asked = len(_Site.asked)
    answer = look(url)
    assert answer.status == 0 and answer.detail and len(_Site.asked) == asked
    assert look(site + "/here").status == 0 and len(_Site.asked) == asked


def test_every_reason_has_its_words() -> None:
    assert set(SILENCES) == set(Silence)
