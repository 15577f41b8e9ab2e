"""The file any newsletter tool writes of its subscribers (CSV): what its columns and its states mean.

Sources: the exports of Mailchimp, Brevo, listmonk, Sendy, phpList, Keila and SPIP, in English and French.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from colporteur.domain.addresses import normal
from colporteur.domain.attributes import MOST, key_from
from colporteur.domain.entries import Refused, csv_rows, display_name, lines_of

_DELIMITERS = (",", ";", "\t", "|")


class State(StrEnum):
    """What became of a subscriber over there."""

    MEMBER = "member"
    LEFT = "left"
    BOUNCED = "bounced"
    PENDING = "pending"  # never confirmed
    OPPOSED = "opposed"  # may be written to by nobody
    UNKNOWN = "unknown"


FIELDS: dict[str, tuple[str, ...]] = {
    "email": ("email", "e mail", "email address", "e mail address", "adresse e mail", "adresse email", "adresse mail", "adresse de courriel", "courriel", "mail", "subscriber email", "contact email", "address", "adresse"),
    "name": ("name", "full name", "nom complet", "display name", "contact name"),
    "first_name": ("first name", "firstname", "fname", "prenom", "given name"),
    "last_name": ("last name", "lastname", "lname", "surname", "nom", "nom de famille", "family name"),
    "status": ("status", "statut", "etat", "state", "subscription status", "email marketing status", "email status", "subscriber status"),
    "since": ("confirm time", "optin time", "opt in time", "double opt in at", "optin date", "opt in date", "subscribed at", "subscription date", "date d inscription", "inscription", "date inscription", "subscribe date", "created at", "added time", "entered", "joined", "date"),
    "left_at": ("unsub time", "unsubscribed at", "unsubscription date", "date de desinscription", "date de desabonnement"),
    "bounced_at": ("clean time", "bounced at"),
    "client": ("confirm ip", "optin ip", "opt in ip", "ip", "ip address", "adresse ip"),
    "language": ("language", "langue", "lang", "locale"),
    "consent": ("optin", "opt in", "consent", "consentement", "gdpr", "source", "subscription source"),
    "confirmed": ("confirmed", "confirme", "is the email of this user confirmed"),
    "blocked": ("blacklisted", "blocklisted", "email blacklisted", "email blocklisted", "is this user blacklisted", "disabled", "is this account disabled"),
    "data": ("attributes", "attribs", "data", "custom data"),
}  # fmt: skip
"""What a column is for -> what it may be called, folded, in the order believed. ``data`` holds attributes as JSON."""
_STATES: dict[State, str] = {
    State.MEMBER: "subscribed active enabled confirmed valide abonne abonnee inscrit inscrite actif on yes oui soft_bounced 1 publie",
    State.LEFT: "unsubscribed desabonne desabonnee desinscrit desinscrite refuse opted_out optout opt_out left off complained complaint spam abuse marked_as_spam plainte",
    State.BOUNCED: "bounced bounce cleaned hard_bounce hard_bounced unreachable invalid invalide injoignable rejected",
    State.PENDING: "unconfirmed pending prop prepa non_confirme en_attente not_confirmed transactional non_subscribed nonsubscribed disabled inactive archived poubelle",
    State.OPPOSED: "blocklisted blacklisted blocked bloque liste_noire",
}
STATES = {word: state for state, words in _STATES.items() for word in words.split()}
_YES = {"1", "yes", "oui", "true", "vrai", "y", "o"}
_NO = {"0", "no", "non", "false", "faux", "n"}
# What Mailchimp, Sendy and others keep for themselves, not about somebody.
_NOTHING = {"leid", "euid", "member_rating", "timezone", "gmtoff", "dstoff", "cc", "last_changed", "modified_time", "updated_at", "uuid", "id", "external_id", "clean_campaign_title", "clean_campaign_id", "unsub_campaign_title", "unsub_campaign_id", "unsub_reason", "unsub_reason_other", "listes", "lists"}  # fmt: skip
_FRENCH = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?:\D+(\d{1,2})[:h](\d\d)(?::(\d\d))?)?")
_EPOCH = re.compile(r"1\d{9}")


_ASIDE = {name for field in ("since", "left_at", "bounced_at", "client", "confirmed", "blocked") for name in FIELDS[field]}
"""Columns about the subscription, none of which becomes an attribute when another one of them is read."""


class Line(NamedTuple):
    """One subscriber. ``email`` None: what is ``written`` there is no address. Moments are those of a clock in the given zone, ISO 8601."""

    number: int
    email: str | None
    written: str
    name: str
    state: State
    status: str
    since: str | None
    left_at: str | None
    language: str
    consent: str
    extra: dict[str, str]


class Sheet(NamedTuple):
    """A file whose header was understood: field -> column (from 0); attribute's key -> column."""

    delimiter: str
    lines: list[str]
    columns: dict[str, int]
    extra: dict[str, int]
    heads: list[str]


def folded(text: str) -> str:
    """A column's name as it is compared: small letters without accents, one space for anything else."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", plain).split())


def sheet(text: str, chosen: Mapping[str, str]) -> Sheet:
    """Read the header. ``chosen``: column -> field, attribute's key, or "-" for nothing, for what cannot be guessed.

    Raises ``ValueError`` when no column holds addresses or one that was named is not there.
    """
    lines = lines_of(text)
    while lines and not lines[0].strip():
        lines.pop(0)
    delimiter = max(_DELIMITERS, key=(lines[0] if lines else "").count)
    heads = [cell.strip() for cell in next((row for _number, row in csv_rows(lines[:20], delimiter, [])), [])]
    names = [folded(head) for head in heads]
    columns, extra, used = dict[str, int](), dict[str, int](), set[int]()
    for column, field in chosen.items():
        if folded(column) not in names:
            raise ValueError(f"there is no column {column!r}; there are: {', '.join(heads)[:500]}")
        place = names.index(folded(column))
        used.add(place)
        if field in FIELDS:
            columns[field] = place
        elif key := ("" if field == "-" else key_from(field)):
            extra[key] = place
    for field, known in FIELDS.items():
        guess = next((names.index(name) for name in known if name in names and names.index(name) not in used), None)
        if field not in columns and guess is not None:
            columns[field] = guess
            used.add(guess)
    if "email" not in columns:
        raise ValueError(f"no column is known to hold addresses: say which with --map COLUMN=email; there are: {', '.join(heads)[:500]}")
    for place, head in enumerate(heads):
        key = key_from(head)
        if place not in used and key and key.rstrip("_") not in _NOTHING and names[place] not in _ASIDE and key not in extra and len(extra) < MOST:
            extra[key] = place
    return Sheet(delimiter, lines, columns, extra, heads)


def subscribers(found: Sheet, zone: ZoneInfo, refused: list[Refused]) -> Iterator[Line]:
    """Every line behind the header that is not empty; what cannot be read as CSV goes to ``refused``."""
    for count, (number, row) in enumerate(csv_rows(found.lines, found.delimiter, refused)):
        if count and any(cell.strip() for cell in row):
            yield _line(number, row, found, zone)


def _line(number: int, row: Sequence[str], found: Sheet, zone: ZoneInfo) -> Line:
    said = {field: row[place].strip() for field, place in found.columns.items() if place < len(row)}
    written = said.get("email", "").strip("<> ")
    try:
        email = normal(written)
    except ValueError:
        email = None
    name = said.get("name") or f"{said.get('first_name', '')} {said.get('last_name', '')}"
    extra = {key: value for key, place in found.extra.items() if place < len(row) and (value := display_name(row[place]))}
    since, left = _moment(said.get("since", ""), zone), _moment(said.get("left_at", ""), zone)
    proof = [f"line {number}", *(f"{found.heads[found.columns[field]]}: {said[field]}" for field in ("since", "client", "consent") if said.get(field))]
    return Line(number, email, written, display_name(name), _state(said), said.get("status", ""), since, left, said.get("language", "")[:20], "\n".join(proof).replace("\x00", ""), extra | _data(said.get("data", "")))


def _state(said: Mapping[str, str]) -> State:
    """The strongest of what the columns say."""
    if said.get("blocked", "").casefold() in _YES:
        return State.OPPOSED
    if said.get("left_at"):
        return State.LEFT
    if said.get("bounced_at"):
        return State.BOUNCED
    status = said.get("status", "")
    found = STATES.get(folded(status).replace(" ", "_"), State.UNKNOWN) if status else State.MEMBER
    return State.PENDING if found is State.MEMBER and said.get("confirmed", "").casefold() in _NO else found


def _data(text: str) -> dict[str, str]:
    """Attributes written as JSON: what is a text, a number or yes or no."""
    if not text.startswith("{") or len(text) > 100_000:
        return {}
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {key: display_name(str(value)) for name, value in list(read.items())[:MOST] if isinstance(value, str | int | float) and (key := key_from(str(name)))}


def _moment(text: str, zone: ZoneInfo) -> str | None:
    """A moment as a clock in the zone shows it; None for what is none."""
    if not text:
        return None
    try:
        if _EPOCH.fullmatch(text):
            found = datetime.fromtimestamp(int(text), zone)
        elif french := _FRENCH.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in french.groups())
            found = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        else:
            found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    found = found.astimezone(zone).replace(tzinfo=None) if found.tzinfo else found
    return found.isoformat(" ", "seconds") if 1970 <= found.year <= 2200 else None
