"""What every directory keeps, whatever it is. A new kind needs a place here or this fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from colporteur.adapters.directories import Asked, Trouble
from colporteur.adapters.directories.kinds import KINDS
from colporteur.domain.sources import Contents, read
from tests.servers import mariadb, openldap
from tests.servers.http import Web, slowly, with_login
from tests.servers.mariadb import MariaDb
from tests.servers.openldap import OpenLdap, people
from tests.servers.ports import free_port
from tests.servers.postgresql import PostgreSql, postgresql
from tests.story.databases import open_folder

EVERYBODY = {"anna@amap.test": ("Anna Amap", {"ville": "Lyon"}), "bert@amap.test": ("Bert Amap", {"ville": "Lyon"}), "zoe@amap.test": ("Zoé", {})}
CSV = "email;nom;ville\nanna@amap.test;Anna Amap;Lyon\nbert@amap.test;Bert Amap;Lyon\nzoe@amap.test;Zoé;\nno address;Nobody;\n".encode()
ROWS = "SELECT 'anna@amap.test' AS email, 'Anna Amap' AS nom, 'Lyon' AS ville UNION ALL SELECT 'bert@amap.test', 'Bert Amap', 'Lyon' UNION ALL SELECT 'zoe@amap.test', 'Zoé', NULL UNION ALL SELECT 'no address', 'Nobody', NULL"
MAPPING = {"email": "email", "name": "nom", "ville": "ville"}
ZOE = f"dn: uid=zoe,ou=people,{openldap.SUFFIX}\nobjectClass: inetOrgPerson\nuid: zoe\nsn: Z\ncn:: Wm/DqQ==\nmail: zoe@amap.test\n\n"
NOBODY = f"dn: uid=nobody,ou=people,{openldap.SUFFIX}\nobjectClass: inetOrgPerson\nuid: nobody\nsn: N\ncn: Nobody\nmail: no address\n\n"


@dataclass
class Place:
    """One directory that answers. ``wrong``: the same with a secret it refuses. ``slow``: what takes longer than it may."""

    kind: str
    asked: Asked
    away: str
    wrong: Asked | None = None
    slow: Asked | None = None

    def contents(self) -> Contents:
        """What it names."""
        return read(KINDS[self.kind](self.asked), self.asked.columns)


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaDb]:
    with MariaDb() as server:
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgreSql]:
    with open_folder() as folder, postgresql(folder) as server:
        yield server


@pytest.fixture(params=["csv", "file", "ldap", "postgresql", "mysql", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place of each kind, all with the same people."""
    yield from globals()[f"_{request.param}"](request, tmp_path)


def _csv(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with Web() as web:
        web.held = {"/members": with_login("Bearer 1234", CSV), "/slow": slowly}
        asked = Asked(f"{web.url}/members", "Authorization: Bearer 1234", columns=MAPPING, internal=True)
        yield Place("csv", asked, f"http://localhost:{free_port()}/", replace(asked, secret="Authorization: Bearer 5678"), replace(asked, url=f"{web.url}/slow", seconds=0.2))


def _file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "members.csv").write_bytes(CSV)
    yield Place("file", Asked(str(tmp_path / "members.csv"), columns=MAPPING, internal=True), str(tmp_path / "missing"))


def _ldap(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with OpenLdap(people("anna", "bert", more=ZOE + NOBODY)) as server:
        options = {"user": openldap.USER, "base": f"ou=people,{openldap.SUFFIX}", "filter": "(objectClass=inetOrgPerson)", "tls": "none"}
        asked = Asked(server.url, openldap.PASSWORD, options, {"email": "mail", "name": "cn", "ville": "l"}, internal=True)
        yield Place("ldap", asked, f"ldap://localhost:{free_port()}", replace(asked, secret="Geheim"))


def _postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: PostgreSql = request.getfixturevalue("postgres")
    asked = Asked(server.url, "secret", {"user": "amap", "query": ROWS}, MAPPING, internal=True)
    yield Place("sql", asked, f"postgresql://127.0.0.1:{free_port()}/amap", replace(asked, secret="Geheim"), replace(asked, options={"user": "amap", "query": "SELECT pg_sleep(600)"}, seconds=1.0))


def _mysql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: MariaDb = request.getfixturevalue("maria")
    asked = Asked(server.url, mariadb.PASSWORD, {"user": mariadb.USER, "query": ROWS}, MAPPING, internal=True)
    slow = replace(asked, options={"user": mariadb.USER, "query": "SELECT sleep(600)"}, seconds=1.0)
    yield Place("sql", asked, f"mysql://127.0.0.1:{free_port()}/amap", replace(asked, secret="Geheim"), slow)


def _sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    path = tmp_path / "data.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    asked = Asked(f"sqlite://{path}", options={"query": ROWS}, columns=MAPPING, internal=True)
    yield Place("sql", asked, f"sqlite://{tmp_path}/missing.sqlite", slow=replace(asked, options={"query": endless}, seconds=0.2))


def test_every_kind_has_a_place() -> None:
    assert set(KINDS) == {"csv", "file", "ldap", "sql"}


def test_everybody_with_name_and_attributes_and_the_line_that_cannot_be_taken(place: Place) -> None:
    found = place.contents()
    assert {entry.email: (entry.name, dict(entry.attributes)) for entry in found.entries} == EVERYBODY
    assert [line.text.split()[0] for line in found.refused] == ["no"]


def test_nobody_there_is_trouble_that_names_no_secret(place: Place) -> None:
    with pytest.raises(Trouble) as trouble:
        KINDS[place.kind](replace(place.asked, url=place.away, secret="Authorization: Geheim"))
    assert "Geheim" not in f"{trouble.value} {trouble.value.detail}" and str(trouble.value)


def test_our_own_network_is_only_reached_where_it_was_allowed(place: Place) -> None:
    with pytest.raises(Trouble, match="administrator of the site") as trouble:
        KINDS[place.kind](replace(place.asked, internal=False))
    assert trouble.value.lasting


def test_a_secret_that_is_refused_is_trouble(place: Place) -> None:
    if place.wrong is None:
        assert place.kind == "file" or place.asked.url.startswith("sqlite:")
        return
    with pytest.raises(Trouble) as trouble:
        KINDS[place.kind](place.wrong)
    assert "Geheim" not in f"{trouble.value} {trouble.value.detail}"


def test_what_takes_too_long_is_trouble(place: Place) -> None:
    if place.slow is None:
        assert place.kind in ("file", "ldap")
        return
    with pytest.raises(Trouble, match="take"):
        KINDS[place.kind](place.slow)


@pytest.mark.parametrize("query", ["CREATE TABLE x (a int)", "DELETE FROM t", "SELECT 1; SELECT 2", "SELECT FROM WHERE", "COMMIT", "SET TRANSACTION READ WRITE"])
def test_a_query_reads_once_and_nothing_else(place: Place, query: str) -> None:
    if place.kind != "sql":
        assert "query" not in place.asked.options
        return
    with pytest.raises(Trouble) as trouble:
        KINDS[place.kind](replace(place.asked, options={**place.asked.options, "query": query}))
    assert str(trouble.value)
