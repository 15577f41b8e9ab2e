"""An association's groups: a list follows three of them, keeps a hand-picked outsider and an exclusion, and a message
reaches those who belong to it at that moment. Real MariaDB, OpenLDAP and web server, asked by a real worker."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colporteur.store.lists import RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.sources import Source
from tests.flow.posts import letters
from tests.servers import mariadb, openldap
from tests.servers.http import Web, with_login
from tests.servers.mariadb import MariaDb
from tests.servers.openldap import OpenLdap, people
from tests.servers.ports import wait_until
from tests.servers.sink import Sink
from tests.story.scenes import Installation, a_list, a_transport, give_role, message

pytestmark = pytest.mark.django_db(transaction=True)
LIST, OWNER = "amapiens@lists.example", "helene@amap.test"
GROUP = f"dn: cn=bureau,{openldap.SUFFIX}\nobjectClass: groupOfNames\ncn: bureau\n" + "".join(f"member: uid={name},ou=people,{openldap.SUFFIX}\n" for name in ("claire", "denis"))
ON_DUTY = "SELECT user_email AS email, display_name AS name, panier FROM adherents WHERE actif ORDER BY id"
BEARER = "Bearer 1234"


@pytest.fixture
def association() -> Iterator[tuple[MariaDb, OpenLdap, Web]]:
    """What an association has: members in the database of its site, its board in a directory, its growers in a table on the web."""
    with MariaDb() as database, OpenLdap(people("claire", "denis", "ernest", more=GROUP)) as directory, Web() as web:
        database.do("CREATE TABLE adherents (id int AUTO_INCREMENT PRIMARY KEY, user_email varchar(100), display_name varchar(100), panier varchar(20), actif bool DEFAULT 1)")
        database.do(*(f"INSERT INTO adherents (user_email, display_name, panier) VALUES ('{name}@courriel.test', '{name.title()}', 'grand')" for name in ("anna", "bert", "cyril", "dora", "emma", "fanny")))
        web.held["/growers.csv"] = with_login(BEARER, b"Courriel;Nom\nferme@courriel.test;La Ferme\nanna@courriel.test;Anna\n")
        yield database, directory, web


def present() -> set[str]:
    return {email.partition("@")[0] for email in Membership.objects.filter(list__address=LIST, until__isnull=True).values_list("address__email", flat=True)}


def follow(installation: Installation, *words: str, secret: str) -> dict[str, Any]:
    return json.loads(installation.cli("source", "add", LIST, *words, "--secret", "--internal", "--json", stdin=f"{secret}\n".encode()))  # type: ignore[no-any-return]


def follow_all(installation: Installation, database: MariaDb, directory: OpenLdap, web: Web) -> list[dict[str, Any]]:
    board = ["--set", f"user={openldap.USER}", "--set", f"base=cn=bureau,{openldap.SUFFIX}", "--set", "value=member", "--set", "base2={value}", "--set", "filter2=(mail=*)", "--set", "tls=none"]
    return [
        follow(installation, "sql", database.url, "--set", f"user={mariadb.USER}", "--set", f"query={ON_DUTY}", "--refresh", "--every", "86400", "--name", "Adhérents", secret=mariadb.PASSWORD),
        follow(installation, "ldap", directory.url, *board, "--name", "Bureau", secret=openldap.PASSWORD),
        follow(installation, "csv", f"{web.url}/growers.csv", "--map", "email=Courriel,name=Nom", "--name", "Producteurs", secret=f"Authorization: {BEARER}"),
    ]


def test_a_list_follows_three_groups_an_outsider_and_an_exclusion(installation: Installation, association: tuple[MariaDb, OpenLdap, Web], tmp_path: Path) -> None:
    database, directory, web = association
    with Sink() as sink:
        list_ = a_list(LIST, members=[OWNER], transport=a_transport(f"smtp://127.0.0.1:{sink.port}"), posting="members")
        give_role(list_, RoleKind.OWNER, OWNER)
        installation.start("receive", "worker")
        first, board, growers = follow_all(installation, database, directory, web)
        wait_until(lambda: Source.objects.filter(list=list_, last_good__isnull=False).count() == 3, 60, installation.words("worker"))
        everybody = {"helene", "anna", "bert", "cyril", "dora", "emma", "fanny", "claire", "denis", "ferme"}
        assert present() == everybody

        installation.cli("member", "add", LIST, "voisine@ailleurs.test")
        installation.cli("member", "remove", LIST, "denis@amap.test")
        for source in (first, board, growers):
            assert json.loads(installation.cli("source", "run", str(source["id"]), "--json"))["state"] == "ok"
        assert present() == everybody - {"denis"} | {"voisine"}, "the outsider stays, who was excluded stays away"

        # Somebody leaves the association, another joins, and a message is written before the next run: it is asked first.
        database.do("UPDATE adherents SET actif = 0 WHERE user_email LIKE 'bert@%'", "INSERT INTO adherents (user_email, display_name) VALUES ('gabrielle@courriel.test', 'Gabrielle')")
        web.held["/growers.csv"] = with_login("Bearer 5678", b"")
        with smtplib.LMTP("127.0.0.1", installation.lmtp_port) as client:
            client.sendmail(OWNER, [LIST], message(f"Hélène <{OWNER}>", LIST, "Distribution de jeudi"))
        wanted = everybody - {"denis", "bert"} | {"voisine", "gabrielle"}
        wait_until(lambda: len([one for one in sink.taken if b"jeudi" in one.data]) >= len(wanted), 60, installation.words("worker"))
        assert {one.recipient.partition("@")[0] for one in sink.taken if b"jeudi" in one.data} == wanted

        # The table on the web wants another password: nobody goes, and the owner is told once.
        for _again in range(2):
            installation.cli("source", "run", str(growers["id"]), status=1)
        assert "ferme" in present() and [to for _letter, to, _message in letters("trouble")] == [OWNER]

        # The site was emptied: that waits for the owner.
        database.do("UPDATE adherents SET actif = 0 WHERE user_email NOT LIKE 'gabrielle@%'")
        answer = json.loads(installation.cli("source", "dry-run", str(first["id"]), "--json"))
        assert (answer["removed"], answer["unchanged"], answer["waits"]) == (4, 1, True), "Anna is a grower too"
        installation.cli("source", "run", str(first["id"]), status=1)
        assert present() == wanted and [to for _letter, to, _message in letters("removals")] == [OWNER]
        installation.cli("source", "approve", str(first["id"]))
        wait_until(lambda: present() == {"helene", "voisine", "gabrielle", "claire", "ferme", "anna"}, 60, installation.words("worker"))
        assert "secret" not in installation.cli("source", "list", LIST, "--json") and BEARER not in installation.words("worker")
