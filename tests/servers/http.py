"""A web server of this machine that answers what it is told, with TLS when asked."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.servers.served import Quiet, Served

Answer = bytes | Callable[[BaseHTTPRequestHandler], None]


class Web(Served):
    """``held``: path -> the content, or a function that answers. ``asked``: paths and headers seen, the oldest first."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self.held: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        web = self

        class Handler(Quiet):
            def do_GET(self) -> None:
                web.asked.append((self.path, dict(self.headers)))
                found = web.held.get(self.path)
                if callable(found):
                    found(self)
                    return
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "text/csv")
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()
                self.wfile.write(found or b"")

        super().__init__(Handler)
        if certificate and key:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://localhost:{self.port}"


def redirect(where: str) -> Answer:
    """Sends on to ``where``."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", where)
        handler.end_headers()

    return answer


def slowly(handler: BaseHTTPRequestHandler) -> None:
    """A line every 20 ms without end."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"somebody@a.example\n" * 10_000)
            time.sleep(0.02)
    except OSError:
        return


def broken(handler: BaseHTTPRequestHandler) -> None:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"anna@amap.test\n")
    handler.close_connection = True


def with_login(header: str, content: bytes) -> Answer:
    """Gives the content to whoever sends this value of Authorization."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        good = handler.headers.get("Authorization") == header
        handler.send_response(200 if good else 401)
        handler.end_headers()
        handler.wfile.write(content if good else b"")

    return answer


def page(handler: BaseHTTPRequestHandler) -> None:
    """A page for signing in."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html; charset=utf-8")
    handler.end_headers()
    handler.wfile.write(b"<form>")
