"""Behind a real nginx with TLS, set up word for word as docs/administrator.md says."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers import debian
from tests.servers.installation import CODE, Installation, processes_of
from tests.servers.ports import free_port, listens, wait_until

HOST = "lists.example.org"


class Browser:
    """Just enough of one: TLS checked against our certificate, cookies, no redirects followed."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port, self.context, self.cookies = port, ssl.create_default_context(cafile=certificate), SimpleCookie()

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None, host: str = "", **headers: str) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection(HOST)
        connection.sock = self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 120), server_hostname=HOST)
        send = {"Host": host or f"{HOST}:{self.port}", "Cookie": "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items())}
        if fields is not None:
            send["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(fields or {}), send | headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        for value in answer.headers.get_all("Set-Cookie", []):
            self.cookies.load(value)
        connection.close()
        return answer, body


@pytest.fixture
def behind_nginx() -> Iterator[tuple[Installation, Browser, Path]]:
    with tempfile.TemporaryDirectory(prefix="colporteur-proxy-", dir="/tmp") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        certificate, key = _certificate(folder)
        installation = Installation(folder / "var")
        installation.environment |= {"COLPORTEUR_BASE_URL": f"https://{HOST}:{port}", "COLPORTEUR_TRUSTED_PROXY": "1"}
        assert installation.command("migrate").returncode == 0
        installation.start("web", log=folder / "said")
        nginx = subprocess.Popen(
            [debian.program("usr/sbin/nginx"), "-p", folder, "-c", _configuration(folder, port, installation.web, certificate, key), "-e", folder / "error.log"],
            env=debian.environment(),
        )
        try:
            wait_until(lambda: listens(port) and listens(installation.web), 60, "nginx and the web server listen")
            yield installation, Browser(port, certificate), folder
        finally:
            nginx.terminate()
            nginx.wait(90)
            installation.stop()
            wait_until(lambda: not processes_of(installation.data), what="processes of the installation end")


def test_signing_in_behind_nginx(behind_nginx: tuple[Installation, Browser, Path]) -> None:
    installation, browser, _folder = behind_nginx
    assert installation.command("person", "add", "admin@example.org", "--admin").returncode == 0
    told = installation.command("person", "signin-link", "admin@example.org")
    link = re.search(r"https://\S+", told.stdout)
    assert link, told
    base = f"https://{HOST}:{browser.port}"
    assert link[0].startswith(f"{base}/s/")
    path = urlsplit(link[0]).path

    answer, page = browser.ask("GET", path)
    assert answer.status == 200
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    fields = {"csrfmiddlewaretoken": token[1]}
    # A form of another site is refused, with our cookie and our token in it.
    answer, _page = browser.ask("POST", path, fields, Origin="https://evil.example", Referer="https://evil.example/")
    assert answer.status == 403
    answer, _page = browser.ask("POST", path, fields, Origin=f"http://{HOST}:{browser.port}")
    assert answer.status == 403
    answer, _page = browser.ask("POST", path, fields, Origin=base, Referer=f"{base}{path}")
    assert answer.status == 302, _page
    assert all(cookie["secure"] for cookie in browser.cookies.values()) and {"colporteur", "colporteur_csrf"} <= set(browser.cookies)
    answer, page = browser.ask("GET", "/")
    assert answer.status == 200 and "signout" in page


def test_only_our_host_is_answered(behind_nginx: tuple[Installation, Browser, Path]) -> None:
    _installation, browser, _folder = behind_nginx
    assert browser.ask("GET", "/signin")[0].status == 200
    assert browser.ask("GET", "/signin", host="evil.example")[0].status == 400
    assert browser.ask("GET", "/health/live")[0].status == 200


def _configuration(folder: Path, port: int, web: int, certificate: Path, key: Path) -> Path:
    """The example of the page in a bare nginx; only ports and the places of the certificate are ours."""
    page = (CODE / "docs" / "administrator.md").read_text()
    example = re.search(r"```nginx\n(.*?)```", page, re.DOTALL)
    assert example, "docs/administrator.md has no nginx example"
    server = example[1]
    for theirs, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), ("127.0.0.1:8000", f"127.0.0.1:{web}"),
        ("/etc/ssl/lists.example.org.pem", str(certificate)), ("/etc/ssl/lists.example.org.key", str(key)),
    ):  # fmt: skip
        assert theirs in server
        server = server.replace(theirs, ours)
    places = "\n".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    configuration = folder / "nginx.conf"
    configuration.write_text(f"daemon off;\npid {folder}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{places}\n{server}\n}}\n")
    return configuration


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of ``HOST`` and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths
