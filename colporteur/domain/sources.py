"""Sources: members, owners, moderators or free senders that follow somebody's own data.

What a source is made of, how its answer is read, and when a change waits for an owner. Nothing here touches a network.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from colporteur.domain import entries
from colporteur.domain.addresses import normal
from colporteur.domain.entries import Refused
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

SHARE, NUMBER = 20, 25
"""More removals than so many percent of what the source feeds, or than this number, wait for an owner."""
LEAST_SECONDS, MOST_SECONDS = 300, 7 * 86_400
ROWS = 1_000_000
"""Lines one source may have."""
ATTRIBUTES, ATTRIBUTE_LENGTH = 20, 200
PATIENCE = 2
"""Failures in a row after which owners are told of what may pass by itself."""


class Kind(StrEnum):
    """Where the data lies."""

    CSV = "csv"  # CSV or one address per line, over HTTP(S)
    SQL = "sql"
    LDAP = "ldap"
    LIST = "list"
    FILE = "file"


class Feeds(StrEnum):
    """What those named by a source become on the list."""

    MEMBER = "member"
    OWNER = "owner"
    MODERATOR = "moderator"
    FREE_SENDER = "free_sender"


KINDS: dict[str, str] = {
    Kind.CSV: _("Table or text at a web address"), Kind.SQL: _("Database (PostgreSQL, MySQL, SQLite)"), Kind.LDAP: _("Directory (LDAP)"),
    Kind.LIST: _("Another list"), Kind.FILE: _("File on the server"),
}  # fmt: skip
FEEDS: dict[str, str] = {Feeds.MEMBER: _("Members"), Feeds.OWNER: _("Owners"), Feeds.MODERATOR: _("Moderators"), Feeds.FREE_SENDER: _("Free senders")}


class Option(NamedTuple):
    """Something a kind of source is told: its label and one sentence."""

    label: str
    sentence: str = ""
    needed: bool = False
    lines: bool = False


URL, SECRET = "url", "secret"
_USER = Option(_("User"), _("Empty: as the address says, or nobody in particular."))
_PASSWORD = Option(_("Password"), _("Kept sealed, never shown again. Empty: as it is."))
OPTIONS: dict[str, dict[str, Option]] = {
    Kind.CSV: {
        URL: Option(_("Web address"), _("Like https://example.org/members.csv. One address per line, or CSV with a first line that names the columns."), True),
        SECRET: Option(_("Secret header"), _("Sent with the request, like “Authorization: Bearer …”. Kept sealed, never shown again. Empty: as it is.")),
    },
    Kind.SQL: {
        URL: Option(_("Database"), _("Like postgresql://db.example.org/name, mysql://db.example.org/name or sqlite:///path/to/file."), True),
        "user": _USER, SECRET: _PASSWORD,
        "query": Option(_("Query"), _("One SELECT; it is run read-only. The column called email, or the first one, holds the address."), True, True),
    },
    Kind.LDAP: {
        URL: Option(_("Directory"), _("Like ldaps://ldap.example.org, or ldap://ldap.example.org with STARTTLS."), True),
        "user": Option(_("Sign in as"), _("A name like cn=reader,dc=example,dc=org. Empty: anonymously.")), SECRET: _PASSWORD,
        "base": Option(_("Search below"), _("Like ou=people,dc=example,dc=org."), True),
        "filter": Option(_("Search for"), _("Like (objectClass=inetOrgPerson).")),
        "scope": Option(_("How deep"), _("sub (everything below, as usual), one or base.")),
        "value": Option(_("Two levels: take"), _("For a group that only names its members: the attribute that names them, like member or memberUid.")),
        "base2": Option(_("Two levels: then search below"), _("Like ou=people,dc=example,dc=org, or {value} where the attribute holds whole names.")),
        "filter2": Option(_("Two levels: search for"), _("Like (uid={value}); {value} is what was found first.")),
        "tls": Option(_("Encryption"), _("With ldap:// only: starttls (as usual), or none inside your own network.")),
    },
    Kind.LIST: {URL: Option(_("List"), _("Address of a list of the same organisation: its members are taken."), True)},
    Kind.FILE: {URL: Option(_("File"), _("Whole path on the server. One address per line, or CSV with a first line that names the columns."), True)},
}  # fmt: skip
"""Kind -> what it is told. Forms, commands and documentation follow from it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A source as somebody sets it. ``secret`` empty: as it was. ``every`` in seconds. ``internal``: it may lie inside our own
    network, or on the server. ``refresh``: asked again before each message to the list is sent."""

    kind: Kind
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    feeds: Feeds = Feeds.MEMBER
    name: str = ""
    every: int = 3600
    refresh: bool = False
    internal: bool = False


class Table(NamedTuple):
    """What a source answered. ``numbers``: the line of each row, None when they are simply counted from 1."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] | None = None
    refused: Sequence[Refused] = ()


class Entry(NamedTuple):
    """Somebody a source names."""

    email: str
    name: str
    attributes: Mapping[str, str]


class Contents(NamedTuple):
    """What a source names, each address once, and the lines that cannot be taken."""

    entries: list[Entry]
    refused: list[Refused]


class Change(NamedTuple):
    """What a run does (or would do): counts, and some of those concerned. ``away``: who left or was removed and stays so.
    ``before``: how many the source fed."""

    added: int
    removed: int
    unchanged: int
    away: int
    before: int
    some_added: Sequence[str] = ()
    some_removed: Sequence[str] = ()
    some_away: Sequence[str] = ()


def checked(setting: Setting) -> Setting:
    """The setting, with its texts in order. Raises ``Invalid`` with a sentence for everything that is wrong."""
    wrong: list[Invalid] = []
    known = OPTIONS[setting.kind]
    options = {name: text.strip() for name, text in setting.options.items() if text.strip()}
    for name in sorted(set(options) - set(known)):
        wrong.append(Invalid(_("a source of kind %(kind)s has no option %(option)r; known: %(known)s"), kind=setting.kind.value, option=name, known=", ".join(known)))
    for name, option in known.items():
        if option.needed and not (setting.url.strip() if name == URL else options.get(name)):
            wrong.append(Invalid(_("%(option)s is missing"), option=name))
    if not LEAST_SECONDS <= setting.every <= MOST_SECONDS:
        wrong.append(Invalid(_("a source is asked at most every %(least)s and at least every %(most)s seconds"), least=LEAST_SECONDS, most=MOST_SECONDS))
    try:
        _check_url(setting.kind, setting.url.strip(), setting.internal)
    except Invalid as error:
        wrong.append(error)
    if options.get("scope", "sub") not in ("sub", "one", "base"):
        wrong.append(Invalid(_("%(name)s must be one of: %(known)s"), name="scope", known="sub, one, base"))
    if options.get("tls", "starttls") not in ("starttls", "none"):
        wrong.append(Invalid(_("%(name)s must be one of: %(known)s"), name="tls", known="starttls, none"))
    if setting.kind is Kind.LDAP and len({bool(options.get(name)) for name in ("value", "base2", "filter2")}) > 1:
        wrong.append(Invalid(_("two levels need all three: what to take, where to search then, and for what")))
    if setting.secret and not setting.secret.isprintable():
        wrong.append(Invalid(_("%(name)s must be one line"), name="secret"))
    if setting.kind is Kind.CSV and setting.secret and not _HEADER.fullmatch(setting.secret.strip()):
        wrong.append(Invalid(_("the secret header is written Name: value, like Authorization: Bearer 1234")))
    if wrong:
        raise Invalid.all_of(wrong)
    name = " ".join("".join(sign if sign.isprintable() else " " for sign in setting.name).split())[:100]
    return Setting(setting.kind, setting.url.strip(), setting.secret.strip(), options, dict(setting.mapping), setting.feeds, name, setting.every, setting.refresh, setting.internal)


_HEADER = re.compile(r"[A-Za-z0-9-]{1,80}:\s*[\x21-\x7e][\x20-\x7e]*")
_SCHEMES = {Kind.CSV: ("http", "https"), Kind.SQL: ("postgresql", "postgres", "mysql", "mariadb", "sqlite"), Kind.LDAP: ("ldap", "ldaps")}


def _check_url(kind: Kind, url: str, internal: bool) -> None:
    if not url:
        return
    if kind is Kind.LIST:
        normal(url)
        return
    if kind is Kind.FILE:
        if not url.startswith("/") or not url.isprintable():
            raise Invalid(_("write the whole path of the file, beginning with /"))
    else:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Invalid(_("this is not an address of that kind: write it like %(form)s"), form=_FORMS[kind]) from None
        if not url.isprintable() or " " in url or parts.scheme not in _SCHEMES[kind] or port == 0 or not (parts.path.strip("/") if parts.scheme == "sqlite" else parts.hostname):
            raise Invalid(_("this is not an address of that kind: write it like %(form)s"), form=_FORMS[kind])
    if on_server(kind, url) and not internal:
        raise Invalid(_("only an administrator of the site may use a file of the server"))


_FORMS = {Kind.CSV: "https://example.org/members.csv", Kind.SQL: "postgresql://db.example.org/name", Kind.LDAP: "ldaps://ldap.example.org"}


def on_server(kind: Kind, url: str) -> bool:
    """Whether the source is a file of the server itself."""
    return kind is Kind.FILE or (kind is Kind.SQL and url.startswith("sqlite:"))


def same_place(kind: Kind, one: str, other: str) -> bool:
    """Whether two addresses lead to the same server by the same way: a secret given for one may be sent to the other."""
    if kind in (Kind.LIST, Kind.FILE):
        return True
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port)


def shown_url(url: str) -> str:
    """The address without a password, for people."""
    head, at, rest = url.partition("://")
    if not at or "@" not in rest.partition("/")[0]:
        return url
    place, slash, path = rest.partition("/")
    user, _at, host = place.rpartition("@")
    return f"{head}://{user.partition(':')[0]}{':…' if ':' in user else ''}@{host}{slash}{path}"


def read_mapping(text: str) -> dict[str, str]:
    """Which column is what: ``email=Courriel, name=Nom, section=Groupe``, one each, by commas or lines.

    ``email name first_name last_name`` have a meaning, others become attributes. Raises ``Invalid``.
    """
    found = {}
    for part in re.split(r"[,\n]", text):
        key, equals, column = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not (equals and key and column and key.isprintable() and column.isprintable() and len(key) <= 60):
            raise Invalid(_("write which column is what like %(form)s"), form="email=Courriel, name=Nom")
        found[key.lower() if key.lower() in _MEANT else key] = column
    return found


def written_mapping(mapping: Mapping[str, str]) -> str:
    """The text ``read_mapping`` reads."""
    return ", ".join(f"{key}={column}" for key, column in mapping.items())


# --- reading ----------------------------------------------------------------------------------------------------------

_MEANT = ("email", "name", "first_name", "last_name")


def table_of(raw: bytes, mapping: Mapping[str, str]) -> Table:
    """The bytes of a file: CSV when its first line names the column of the address, else one address per line."""
    lines = entries.lines_of(entries.decode(raw))
    first = next((line for line in lines if line.strip()), "")
    for delimiter in (";", ",", "\t"):
        head = tuple(cell.strip().strip('"').strip() for cell in first.split(delimiter))
        if _column(head, mapping.get("email"), "email") is not None:
            return _csv(lines, delimiter)
    if mapping.get("email"):
        return Table((), [])
    read = entries.of_lines(lines)
    return Table(("email", "name"), [(entry.email, entry.name) for entry in read.taken], [entry.line for entry in read.taken], read.refused)


def _csv(lines: list[str], delimiter: str) -> Table:
    refused: list[Refused] = []
    whole = any('"' in line for line in lines)  # without quotes a line is a row, read five times as fast
    read = entries.csv_rows(lines, delimiter, refused) if whole else enumerate((line.split(delimiter) for line in lines), 1)
    rows, numbers = [], []
    for number, row in read:
        if any(map(str.strip, row)):
            rows.append(row)
            numbers.append(number)
    head = tuple(cell.strip() for cell in rows[0]) if rows else ()
    return Table(head, rows[1:], numbers[1:], refused)


def read(table: Table, mapping: Mapping[str, str], own: Collection[str] = ()) -> Contents:
    """Those a table names. ``own``: addresses of the list itself, which never become its members.

    Raises ``Invalid`` when the column of the address, or one the mapping names, is not there.
    """
    columns = _columns(table, mapping)
    email_at, name_at, first_at, last_at = (columns.pop(key, None) for key in _MEANT)
    named = [at for at in (name_at, first_at, last_at) if at is not None]
    once: dict[str, Entry] = {}
    refused = list(table.refused)
    for number, row in zip(table.numbers or range(1, len(table.rows) + 1), table.rows, strict=True):
        email = _cell(row, email_at)
        if not email and not any(_cell(row, at) for at in (*named, *columns.values())):
            continue
        try:
            address = normal(email)
            if address in own:
                raise Invalid(_("this is an address of the list itself"))
        except Invalid as error:
            refused.append(Refused(number, error.sentences[0] if email else _("there is no address on this line"), " ".join(row)[:80]))
            continue
        if address not in once:
            name = _cell(row, name_at) or f"{_cell(row, first_at)} {_cell(row, last_at)}" if named else ""
            once[address] = Entry(address, entries.display_name(name), {key: text for key, at in columns.items() if (text := _one_line(_cell(row, at)))})
    refused.sort()
    return Contents(list(once.values()), refused)


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""


def _one_line(text: str) -> str:
    return text[:ATTRIBUTE_LENGTH] if text.isprintable() else " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:ATTRIBUTE_LENGTH]


def _columns(table: Table, mapping: Mapping[str, str]) -> dict[str, int]:
    """Key -> place in the row. Without a word in the mapping every further column is an attribute."""
    if not table.columns and not table.rows and not mapping:
        return {}
    found: dict[str, int] = {}
    for key in (*_MEANT, *(key for key in mapping if key not in _MEANT)):
        place = _column(table.columns, mapping.get(key), key)
        if place is None and (key in mapping or key == "email"):
            if key == "email" and key not in mapping and table.columns:
                place = 0  # of a query: the first column
            else:
                raise Invalid(_("there is no column %(column)r; the source has: %(known)s"), column=mapping.get(key, key), known=", ".join(table.columns)[:200])
        if place is not None:
            found[key] = place
    if not any(key not in _MEANT for key in mapping):
        taken = set(found.values())
        further = [(name, place) for place, name in enumerate(table.columns) if place not in taken and name][:ATTRIBUTES]
        found |= {name[:60]: place for name, place in further if name not in found}
    return found


def _column(head: Sequence[str], wanted: str | None, key: str) -> int | None:
    folded = [cell.casefold() for cell in head]
    names = (wanted.casefold(),) if wanted else entries.HEADS.get(key, ())
    return next((folded.index(name) for name in names if name in folded), None)


# --- deciding ---------------------------------------------------------------------------------------------------------


class Doubt(NamedTuple):
    """Why an answer is not taken: a sentence with its values."""

    sentence: str
    values: Mapping[str, object]


def unbelievable(contents: Contents, before: int) -> Doubt | None:
    """Why an answer must not change anything: it names nobody, or most of it cannot be read.

    An empty answer of a source that never fed anybody is no failure: there is simply nothing yet.
    """
    if len(contents.entries) > ROWS:
        return Doubt(_("it names more than {limit} addresses"), {"limit": ROWS})
    if not contents.entries and contents.refused:
        return Doubt(_("none of its {lines} lines has an address that can be used; line {line}: {text}"), {"lines": len(contents.refused), "line": contents.refused[0].line, "text": contents.refused[0].text})
    if not contents.entries and before:
        return Doubt(_("it names nobody, where it named {before} before: nobody was removed"), {"before": before})
    if len(contents.refused) > len(contents.entries):
        return Doubt(_("most of its lines cannot be used: {refused} of {lines}; line {line}: {text}"), {
            "refused": len(contents.refused), "lines": len(contents.refused) + len(contents.entries), "line": contents.refused[0].line, "text": contents.refused[0].text})
    return None


def waits(removed: int, before: int, approved: int = 0) -> bool:
    """Whether so many removals wait for an owner, who may have agreed to ``approved`` of them."""
    return removed > approved and (removed > NUMBER or removed * 100 > before * SHARE)


def next_run(now: datetime, every: int, failures: int = 0) -> datetime:
    """When a source is asked again: every ``every`` seconds; after a failure at first sooner."""
    return now + timedelta(seconds=min(every, 300 * 2 ** min(failures - 1, 10)) if failures else every)


def circle(of: str, follows: Mapping[str, Collection[str]]) -> list[str]:
    """The way from a list back to itself when lists take their members from each other; empty when there is none."""

    before: dict[str, str] = {}
    ahead = [of]
    while ahead:
        here = ahead.pop(0)
        for there in sorted(follows.get(here, ())):
            if there == of:
                path = [there, here]
                while here != of:
                    here = before[here]
                    path.append(here)
                return path[::-1]
            if there not in before:
                before[there] = here
                ahead.append(there)
    return []
