"""Demo data: an organisation in the spirit of the charter's pictures, so that a newcomer sees a message wait, be let
through and arrive within a minute. All names are invented, all addresses end in .example."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from colporteur.flow import lists, memberships, organisations, people, policies, roles, transports
from colporteur.store.lists import RoleKind
from colporteur.store.organisations import Domain
from colporteur.store.transports import Transport

BY = "demo"
ORGANISATION, DOMAIN = "Les Paniers du Saule", "paniersdusaule.example"
ADMINISTRATOR = "helene.marchand@paniersdusaule.example"
AMAPIENS, BUREAU, LETTRE = (f"{name}@{DOMAIN}" for name in ("amapiens", "bureau", "lettre-du-saule"))


class DemoPerson(NamedTuple):
    """Somebody "Try it" can write as. ``part`` is what happens to a message of theirs to the list amapiens."""

    name: str
    email: str
    part: str  # member, stranger, moderator
    sentence: str  # English, translated where it is shown


ANNA = DemoPerson("Anna Rivoire", "anna.rivoire@courriel.example", "member", gettext_noop("A member: the message leaves at once."))
MARC = DemoPerson("Marc Le Goff", "marc.legoff@courriel.example", "stranger", gettext_noop("Not a member: the message waits for a moderator."))
ODILE = DemoPerson("Odile Perrin", "odile.perrin@courriel.example", "moderator", gettext_noop("A moderator: may write, and decides about messages that wait."))
HELENE = DemoPerson("Hélène Marchand", ADMINISTRATOR, "owner", gettext_noop("Owner of the lists and administrator of the site."))

_FIRST = ("Annick", "Yann", "Fatima", "Loïc", "Gwenola", "Jean-Pierre", "Solène", "Mehdi", "Bernadette", "Ronan", "Claire", "Thomas", "Aïcha", "Benoît", "Maëlle", "Pascal")
_LAST = ("Abgrall", "Bescond", "Chérif", "Dantec", "Evenou", "Floc'h", "Guivarc'h", "Hamdani", "Inizan", "Jaouen", "Kerneis")
_HOSTS = ("courriel.example", "laposte.example", "etu.example")


def demo_people() -> tuple[DemoPerson, ...]:
    """Whom the page "Try it" can write as."""
    return (ANNA, MARC, ODILE)


def filled() -> bool:
    """Whether the demo is there."""
    return Domain.objects.filter(name=DOMAIN).exists()


@transaction.atomic
def fill(now: datetime) -> bool:
    """Make the demo; False when it was there. Writes rows only: the outbox folder is made by the first message."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('colporteur demo'))")
    if filled():
        return False
    organisation = organisations.organisation_called(ORGANISATION, language=settings.DEMO_LANGUAGE)
    organisations.add_domain(DOMAIN, organisation, now, by=BY)
    policies.set_policy(organisation, {"trusted_servers": f"mail.{DOMAIN}"}, BY, now)
    people.add(HELENE.email, HELENE.name, admin=True, now=now)
    people.add(ODILE.email, ODILE.name, now=now)
    if not Transport.objects.filter(name="outbox").exists():
        transports.add("outbox", f"folder://{quote(str(settings.DATA / 'outbox'))}", now, by=BY)
    with override(settings.DEMO_LANGUAGE):
        _lists(now - timedelta(days=400), now)
    return True


def _lists(since: datetime, now: datetime) -> None:
    crowd = _crowd()
    amapiens = lists.create(AMAPIENS, "discussion", HELENE.email, now, title="Amapiens", by=BY)
    lists.change(amapiens, now, by=BY, description=_("Everybody who takes a basket. Members write freely; other messages wait."))
    lists.set_policy(amapiens, {"prefix": "[amapiens]", "footer": "{list} · {address}\n{unsubscribe}", "max_size": "5M"}, BY, now)
    roles.give(amapiens, ODILE.email, RoleKind.MODERATOR, now, by=BY)
    memberships.add(amapiens, [(person.email, person.name) for person in (HELENE, ODILE, ANNA)] + crowd[:140], since, by=BY)
    bureau = lists.create(BUREAU, "distribution", HELENE.email, now, title="Bureau", by=BY)
    memberships.add(bureau, [(person.email, person.name) for person in (HELENE, ODILE)] + crowd[:7], since, by=BY)
    lettre = lists.create(LETTRE, "announce", HELENE.email, now, title="La lettre du Saule", by=BY)
    roles.give(lettre, ODILE.email, RoleKind.FREE_SENDER, now, by=BY)
    memberships.add(lettre, crowd, since, by=BY)


def _crowd() -> list[tuple[str, str]]:
    """(address, name) of 176 invented people, always the same and in the same order."""
    mixed = [(first, last) for turn in range(len(_LAST)) for number, first in enumerate(_FIRST) for last in [_LAST[(number + turn) % len(_LAST)]]]
    return [(f"{_plain(first)}.{_plain(last)}@{_HOSTS[index % len(_HOSTS)]}", f"{first} {last}") for index, (first, last) in enumerate(mixed)]


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFD", name.lower())
    return "".join(character for character in decomposed if character.isascii() and (character.isalnum() or character == "-"))
