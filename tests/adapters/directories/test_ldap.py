"""A directory of OpenLDAP: two levels, pages, encryption."""

from __future__ import annotations

from dataclasses import replace

import pytest

from colporteur.adapters.directories import Asked, Trouble
from colporteur.adapters.directories.ldap import fetch
from tests.servers.openldap import PASSWORD, SUFFIX, USER, OpenLdap, people

NAMES = [f"name{number:03}" for number in range(120)]
GROUPS = f"""\
dn: ou=groups,{SUFFIX}
objectClass: organizationalUnit
ou: groups

dn: cn=paniers,ou=groups,{SUFFIX}
objectClass: groupOfNames
cn: paniers
{"".join(f"member: uid={name},ou=people,{SUFFIX}" + chr(10) for name in ("name000", "name001", "gone"))}
dn: cn=bureau,ou=groups,{SUFFIX}
objectClass: posixGroup
cn: bureau
gidNumber: 100
{"".join(f"memberUid: {name}" + chr(10) for name in [*NAMES[:60], "gone", "*)(uid=name119"])}
"""


def asked(server: OpenLdap, **options: str) -> Asked:
    return Asked(server.url, PASSWORD, {"user": USER, "base": f"ou=people,{SUFFIX}", "filter": "(objectClass=inetOrgPerson)", "tls": "none", **options}, internal=True)


def emails(found: Asked) -> set[str]:
    return {row[0].partition("@")[0] for row in fetch(found).rows}


def test_more_than_the_server_gives_at_once_comes_by_pages() -> None:
    with OpenLdap(people(*NAMES), limit=50) as server:
        assert emails(asked(server)) == set(NAMES)


def test_groups_that_only_name_their_members_are_two_levels() -> None:
    with OpenLdap(people(*NAMES, more=GROUPS)) as server:
        names = asked(server, base=f"cn=paniers,ou=groups,{SUFFIX}", filter="", value="member", base2="{value}", filter2="(objectClass=inetOrgPerson)")
        assert emails(names) == {"name000", "name001"}, "who is gone is passed over"
        users = asked(server, base=f"ou=groups,{SUFFIX}", filter="(cn=bureau)", value="memberUid", base2=f"ou=people,{SUFFIX}", filter2="(uid={value})")
        assert emails(users) == set(NAMES[:60]), "a value is never read as a filter"
        with pytest.raises(Trouble, match="has nothing called"):
            fetch(asked(server, base=f"cn=nobody,ou=groups,{SUFFIX}", value="member", base2="{value}", filter2="(mail=*)"))
        with pytest.raises(Trouble, match="cannot be asked like that"):
            fetch(asked(server, filter="((("))


def test_it_is_encrypted_with_a_certificate_somebody_vouches_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenLdap(people("anna")) as server:
        ways = [replace(asked(server), url=server.tls_url), asked(server, tls="starttls")]
        for way in ways:
            with pytest.raises(Trouble):
                fetch(way)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        for way in ways:
            assert emails(way) == {"anna"}
            with pytest.raises(Trouble):
                fetch(replace(way, url=way.url.replace("localhost", "127.0.0.1")))
