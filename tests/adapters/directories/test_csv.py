"""Members at a web address: where it leads, what is sent along, and what is no answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from colporteur.adapters.directories import Asked, Trouble
from colporteur.adapters.directories.csv import fetch
from colporteur.adapters.directories.reaching import outside
from tests.servers.dovecot import make_certificate
from tests.servers.http import Web, broken, page, redirect

SECRET = "Authorization: Bearer 1234"


def emails(web: Web, path: str = "/members", secret: str = SECRET) -> list[str]:
    return [row[0] for row in fetch(Asked(f"{web.url}{path}", secret, internal=True)).rows]


def test_it_is_asked_as_itself_with_the_secret() -> None:
    with Web() as web:
        web.held["/members"] = b"anna@amap.test Anna\n# a comment\nbert@amap.test\n"
        assert emails(web) == ["anna@amap.test", "bert@amap.test"]
        [(_path, headers)] = web.asked
        assert (headers["Authorization"], headers["Host"], headers["User-Agent"]) == ("Bearer 1234", web.url.partition("//")[2], "Colporteur")


def test_the_secret_follows_to_the_same_place_only() -> None:
    with Web() as web, Web() as other:
        web.held = {"/members": redirect("/moved"), "/moved": redirect(f"{other.url}/elsewhere")}
        other.held["/elsewhere"] = b"anna@amap.test\n"
        assert emails(web) == ["anna@amap.test"]
        assert [headers.get("Authorization") for _path, headers in (*web.asked, *other.asked)] == ["Bearer 1234", "Bearer 1234", None]


def test_nobody_is_led_round_for_ever_or_out_of_encryption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificate(tmp_path / "certificate.pem", tmp_path / "key.pem", "localhost")
    with Web() as plain, Web(tmp_path / "certificate.pem", tmp_path / "key.pem") as web:
        plain.held = {"/members": redirect("/members"), "/file": redirect("file:///etc/passwd")}
        with pytest.raises(Trouble, match="without end"):
            emails(plain)
        with pytest.raises(Trouble, match="without encryption"):
            emails(plain, "/file")
        with pytest.raises(Trouble, match="does not answer") as trouble:
            emails(web)
        assert "certificate" in trouble.value.detail, "nobody vouches for it"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        web.held = {"/members": b"anna@amap.test\n", "/plain": redirect(f"{plain.url}/members")}
        assert emails(web) == ["anna@amap.test"]
        with pytest.raises(Trouble, match="without encryption"):
            emails(web, "/plain")


def test_half_an_answer_or_a_page_is_none() -> None:
    with Web() as web:
        web.held = {"/members": broken, "/page": page}
        with pytest.raises(Trouble, match="breaks off"):
            emails(web)
        with pytest.raises(Trouble, match="web page"):
            emails(web, "/page")
        with pytest.raises(Trouble, match="answers 404"):
            emails(web, "/nothing")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "nonsense"])
def test_addresses_of_our_own_network_are_none_of_the_internet(address: str) -> None:
    assert not outside(address)


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9"])
def test_addresses_of_the_internet(address: str) -> None:
    assert outside(address)
