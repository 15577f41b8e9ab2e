"""Pages of sources: setting one up, trying it, agreeing to removals; what others may not, and what is never shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.domain.sources import Kind, Setting, table_of
from colporteur.flow import sources
from colporteur.store.memberships import Membership
from colporteur.store.sources import Source
from tests.web.conftest import World, signed_in

FORM = {"name": "Adhérents", "url": "https://data.example/members.csv", "secret": "Authorization: Bearer 1234", "mapping": "email=Courriel, panier=Panier", "feeds": "member", "every": "3600"}


@pytest.fixture
def data() -> Iterator[dict[str, bytes]]:
    """A web server of this machine: path -> what it answers; "base" is its address."""
    held: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in held else 404)
            self.end_headers()
            self.wfile.write(held.get(self.path, b""))

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held["base"] = f"http://127.0.0.1:{server.server_port}".encode()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_owner_sets_one_up_and_the_secret_never_comes_back(world: World) -> None:
    client = signed_in(world.owner)
    answer = client.post(reverse("source-add", args=[world.list.pk, "csv"]), FORM)
    source = Source.objects.get()
    assert answer.status_code == 302 and answer["Location"] == reverse("source", args=[source.pk])
    assert (source.name, source.mapping, sources.opened(source).secret) == ("Adhérents", {"email": "Courriel", "panier": "Panier"}, "Authorization: Bearer 1234")
    page = client.get(answer["Location"]).content.decode()
    assert "1234" not in page and "data.example/members.csv" in page and "Not asked yet" in page
    assert client.post(answer["Location"], {**FORM, "secret": "", "every": "86400"}).status_code == 302
    source.refresh_from_db()
    assert source.every == 86400 and sources.opened(source).secret == "Authorization: Bearer 1234"
    answer = client.post(answer["Location"], {**FORM, "secret": "", "url": "https://elsewhere.example/x"})
    assert answer.status_code == 422 and "another server needs its own" in answer.content.decode()


def test_a_password_in_the_address_is_kept_and_not_shown(world: World) -> None:
    client = signed_in(world.owner)
    form = {"url": "postgresql://reader:Geheim@db.example/amap", "query": "SELECT email FROM members", "feeds": "member", "every": "3600"}
    client.post(reverse("source-add", args=[world.list.pk, "sql"]), form)
    source = Source.objects.get()
    page = client.get(reverse("source", args=[source.pk])).content.decode()
    assert "Geheim" not in page and "reader:…@db.example" in page and "Geheim" not in source.name
    client.post(reverse("source", args=[source.pk]), {**form, "url": "postgresql://reader:…@db.example/amap", "query": "SELECT 2"})
    source.refresh_from_db()
    assert sources.opened(source).url == form["url"] and source.options["query"] == "SELECT 2"


def test_what_is_wrong_stays_typed(world: World) -> None:
    client = signed_in(world.owner)
    for wrong, words in (({"url": "ftp://x"}, "not an address of that kind"), ({"mapping": "email"}, "write which column is what"), ({"secret": "1234"}, "Name: value")):
        answer = client.post(reverse("source-add", args=[world.list.pk, "csv"]), FORM | wrong)
        assert answer.status_code == 422 and words in answer.content.decode() and "Adhérents" in answer.content.decode()
    assert not Source.objects.exists()


def test_only_administrators_of_the_site_point_inside(world: World, data: dict[str, bytes]) -> None:
    owner, admin = signed_in(world.owner), signed_in(world.admin)
    where = reverse("source-add", args=[world.list.pk, "csv"])
    assert "It may lie inside our network" not in owner.get(where).content.decode() and "It may lie inside our network" in admin.get(where).content.decode()
    owner.post(where, FORM | {"url": f"{data['base'].decode()}/members", "internal": "on"})
    source = Source.objects.get()
    assert not source.internal
    data["/members"] = b"anna@a.example\n"
    assert "lies inside a network of its own" in owner.post(reverse("source-try", args=[source.pk])).content.decode()
    assert owner.get(reverse("source-add", args=[world.list.pk, "file"])).status_code == 404
    assert owner.post(reverse("source-add", args=[world.list.pk, "sql"]), {"url": "sqlite:///etc/x", "query": "SELECT 1", "feeds": "member", "every": "3600"}).status_code == 422
    assert admin.post(reverse("source", args=[source.pk]), FORM | {"url": f"{data['base'].decode()}/members", "internal": "on"}).status_code == 302
    assert owner.post(reverse("source", args=[source.pk]), FORM | {"url": "http://127.0.0.1:1/"}).status_code == 200, "the form is not theirs any more"
    source.refresh_from_db()
    assert sources.opened(source).url.endswith("/members")


def test_a_try_shows_what_would_change_and_changes_nothing(world: World, data: dict[str, bytes]) -> None:
    before = Membership.objects.count()
    source = sources.add(world.list, Setting(Kind.CSV, f"{data['base'].decode()}/members", internal=True), timezone.now(), by="test")
    data["/members"] = b"nouvelle@a.example\nanna.rivoire@courriel.example\nnobody at all\n"
    page = signed_in(world.owner).post(reverse("source-try", args=[source.pk])).content.decode()
    assert "nouvelle@a.example" in page and "nobody at all" in page and "nothing was changed" in page
    data["/members"] = b""
    del data["/members"]
    assert "answers 404 instead of the data" in signed_in(world.owner).post(reverse("source-try", args=[source.pk])).content.decode()
    assert Membership.objects.count() == before


def test_an_owner_agrees_to_removals_and_takes_the_source_away(world: World) -> None:
    now, client = timezone.now(), signed_in(world.owner)
    source = sources.add(world.list, Setting(Kind.CSV, "https://data.example/x"), now, by="test")
    for hour, names in ((1, "abcde"), (2, "ab")):
        claimed = sources.claim_one(source.pk, now + timedelta(hours=hour))
        assert claimed
        sources.take(claimed, table_of("".join(f"{name}@a.example\n" for name in names).encode(), {}), now + timedelta(hours=hour))
    page = client.get(reverse("source", args=[source.pk])).content.decode()
    assert "3 of 5 people would go" in page and "c@a.example, d@a.example, e@a.example" in page
    assert "Waits for you" in client.get(reverse("sources", args=[world.list.pk])).content.decode()
    client.post(reverse("source-do", args=[source.pk]), {"wish": "approve"})
    source.refresh_from_db()
    assert source.approved == 3
    client.post(reverse("source-do", args=[source.pk]), {"wish": "end"})
    assert not Source.objects.filter(pk=source.pk).exists() and not Membership.objects.filter(address__email="a@a.example", until__isnull=True).exists()


def test_a_stranger_learns_nothing(world: World) -> None:
    source = sources.add(world.list, Setting(Kind.CSV, "https://data.example/x"), timezone.now(), by="test")
    for person in (world.stranger, world.member, world.moderator):
        client = signed_in(person)
        assert client.get(reverse("source", args=[source.pk])).status_code == 404
        assert client.post(reverse("source-do", args=[source.pk]), {"wish": "end"}).status_code == 404
    assert Source.objects.filter(pk=source.pk).exists()
