"""A directory by LDAP (RFC 4511): one level, or two where a group only names its members; by pages (RFC 2696), with TLS.

Two levels: the values of one attribute of what is found first (``member``, ``memberUid``) are put for ``{value}`` in where and
what to search then. References to other servers are not followed.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ldap3 import BASE, LEVEL, NONE, SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import (
    LDAPException,
    LDAPInappropriateAuthenticationResult,
    LDAPInvalidCredentialsResult,
    LDAPInvalidDnError,
    LDAPInvalidDNSyntaxResult,
    LDAPInvalidFilterError,
    LDAPNoSuchObjectResult,
    LDAPSocketOpenError,
    LDAPSocketReceiveError,
    LDAPStartTLSError,
)
from ldap3.utils.conv import escape_filter_chars

from colporteur.adapters.directories import Asked, Trouble
from colporteur.adapters.directories.reaching import CONNECT_SECONDS, NO_ANSWER, address_of
from colporteur.domain.sources import ROWS, Table
from colporteur.domain.words import gettext_noop as _

PAGE = 500
TOGETHER = 50
"""So many values of the first level are asked for by one search of the second."""
NAMES = ("displayName", "cn")
"""What somebody is called when nobody said where it stands, the best first."""
_SCOPES = {"sub": SUBTREE, "one": LEVEL, "base": BASE}
_EVERYTHING = "(objectClass=*)"


def fetch(asked: Asked) -> Table:
    """Search. Raises ``Trouble``."""
    parts = urlsplit(asked.url)
    host, port = parts.hostname or "", parts.port or (636 if parts.scheme == "ldaps" else 389)
    columns = tuple(dict.fromkeys([asked.columns.get("email", "mail"), *asked.columns.values()]))
    names = () if {"name", "first_name", "last_name"} & set(asked.columns) else NAMES
    try:
        with _connection(asked, host, port, parts.scheme == "ldaps") as connection:
            rows = [[*(_first(entry, column) for column in columns), *_name(entry, names)] for entry in _search(connection, asked, (*columns, *names), host)]
    except (LDAPInvalidCredentialsResult, LDAPInappropriateAuthenticationResult) as error:
        raise Trouble(_("{host} refuses the user or the password"), host=host, lasting=True) from error
    except (LDAPInvalidFilterError, LDAPInvalidDnError, LDAPInvalidDNSyntaxResult) as error:
        raise Trouble(_("{host} cannot be asked like that"), host=host, detail=str(error), lasting=True) from error
    except LDAPNoSuchObjectResult as error:
        raise Trouble(_("{host} has nothing called {base}"), host=host, base=asked.options.get("base", ""), lasting=True) from error
    except LDAPStartTLSError as error:
        raise Trouble(_("{host} does not encrypt as it should"), host=host, detail=str(error), lasting=True) from error
    except (LDAPSocketOpenError, LDAPSocketReceiveError, OSError) as error:
        raise Trouble(NO_ANSWER, host=host, port=port, detail=str(error)) from error
    except LDAPException as error:
        raise Trouble(_("{host} does not answer the search"), host=host, detail=str(error)) from error
    return Table((*columns, "name") if names else columns, rows)


@contextlib.contextmanager
def _connection(asked: Asked, host: str, port: int, tls: bool) -> Iterator[Connection]:
    # By address, so that nobody can answer another one between the look and the connection; the certificate is for the name.
    names = Tls(validate=ssl.CERT_REQUIRED, valid_names=[host], sni=host, ca_certs_file=ssl.get_default_verify_paths().cafile, ca_certs_path=ssl.get_default_verify_paths().capath)
    server = Server(address_of(host, port, asked.internal, asked.networks), port=port, use_ssl=tls, tls=names, get_info=NONE, connect_timeout=CONNECT_SECONDS)
    user = asked.options.get("user") or None
    connection = Connection(server, user=user, password=asked.secret or None, read_only=True, auto_referrals=False, raise_exceptions=True, receive_timeout=int(asked.seconds), check_names=False)
    try:
        connection.open()
        if not tls and asked.options.get("tls", "starttls") == "starttls":
            connection.start_tls()
        connection.bind()
        yield connection
    finally:
        with contextlib.suppress(LDAPException, OSError):
            connection.unbind()


def _search(connection: Connection, asked: Asked, columns: tuple[str, ...], host: str) -> Iterator[Mapping[str, Any]]:
    options, deadline = asked.options, time.monotonic() + asked.seconds
    what, deep = options.get("filter") or _EVERYTHING, _SCOPES[options.get("scope", "sub")]
    if not options.get("value"):
        yield from _bounded(_pages(connection, options["base"], what, deep, columns), host, deadline, asked)
        return
    named: dict[str, None] = {}
    for entry in _bounded(_pages(connection, options["base"], what, deep, (options["value"],)), host, deadline, asked):
        named.update(dict.fromkeys(_texts(entry, options["value"])))
    yield from _bounded(_second(connection, list(named), options, columns), host, deadline, asked)


def _second(connection: Connection, named: list[str], options: Mapping[str, str], columns: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    base, what = options["base2"], options["filter2"]
    if "{value}" in base:
        for value in named:
            with contextlib.suppress(LDAPNoSuchObjectResult):  # a group may name who is gone
                yield from _pages(connection, base.replace("{value}", value), what.replace("{value}", escape_filter_chars(value)), BASE if base.strip() == "{value}" else SUBTREE, columns)
        return
    for start in range(0, len(named), TOGETHER):
        several = "".join(what.replace("{value}", escape_filter_chars(value)) for value in named[start : start + TOGETHER])
        yield from _pages(connection, base, f"(|{several})", SUBTREE, columns)


def _pages(connection: Connection, base: str, what: str, deep: str, columns: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for entry in connection.extend.standard.paged_search(base, what, search_scope=deep, attributes=list(columns), paged_size=PAGE, paged_criticality=False, generator=True):
        if entry["type"] == "searchResEntry":
            yield {name.casefold(): values for name, values in entry["raw_attributes"].items()}


def _bounded(found: Iterator[Mapping[str, Any]], host: str, deadline: float, asked: Asked) -> Iterator[Mapping[str, Any]]:
    for number, entry in enumerate(found):
        if number >= ROWS:
            raise Trouble(_("{host} has more than {limit} entries"), host=host, limit=ROWS, lasting=True)
        if time.monotonic() > deadline:
            raise Trouble(_("{host} takes longer than {seconds} seconds for the search"), host=host, seconds=int(asked.seconds))
        yield entry


def _texts(entry: Mapping[str, Any], column: str) -> list[str]:
    return [value.decode("utf-8", "replace") for value in entry.get(column.casefold()) or []]


def _first(entry: Mapping[str, Any], column: str) -> str:
    return next(iter(_texts(entry, column)), "")


def _name(entry: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    return [next((text for name in names if (text := _first(entry, name))), "")] if names else []
