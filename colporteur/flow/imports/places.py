"""Lists that come from another system: an address for each, its settings, and what was imported before."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from colporteur.domain.addresses import is_address
from colporteur.domain.entries import display_name
from colporteur.flow import lists
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.imports import Imported
from colporteur.store.lists import List
from colporteur.store.organisations import Domain
from colporteur.store.people import Person

_TRIES = 20


@dataclass(frozen=True)
class Site:
    """Where things come from and where they go. ``name``: the key of what was imported; ``owners``: addresses that may own its lists, the best first."""

    name: str
    domain: Domain
    now: datetime
    by: Person | str
    owners: tuple[str, ...]
    language: str = ""


def domain_called(name: str | None) -> Domain:
    """The domain that takes the lists: the one named, or the only one. Raises ``ValueError`` saying what to do."""
    found = list(Domain.objects.select_related("organisation").filter(**({"name": name.strip().lower()} if name else {})).order_by("id")[:2])
    if len(found) == 1:
        return found[0]
    if name:
        raise ValueError(f"{name} is not a domain of this installation: add it with `colporteur domain add {name}`")
    raise ValueError("say with --domain which domain takes the lists" if found else "there is no domain that could take the lists: add one with `colporteur domain add NAME`")


def ours(site: Site, kind: str) -> dict[str, int]:
    """What was imported before from the site: its name there -> our id."""
    return dict(Imported.objects.filter(source=site.name, kind=kind).values_list("external", "ours"))


def remember(site: Site, kind: str, external: str, id_: int) -> None:
    """From now on it is imported."""
    Imported.objects.create(source=site.name, kind=kind, external=external, ours=id_)


def slug(text: str) -> str:
    """The beginning of an address made of a name: "Lettre d'été" is ``lettre-d-ete``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:36].strip("-._") or "newsletter"


def make(site: Site, wanted: str, title: str, description: str, opened: bool, language: str, notes: list[str]) -> List:
    """A newsletter list at ``<wanted>@<domain>``, or at an address like it when that one is taken, which is noted."""
    base, error = slug(wanted), ValueError()
    for number in range(1, _TRIES):
        name = base if number == 1 else f"{base}-news" if number == 2 else f"{base}-news{number}"
        try:
            with transaction.atomic():
                made = lists.create(f"{name}@{site.domain.name}", "newsletter", _owner(site), site.now, title=display_name(title)[:200], by=site.by)
        except ValueError as wrong:
            error = wrong
            continue
        if not opened:
            lists.set_policy(made, {"joining": "closed"}, site.by, site.now)
        language = language[:2].lower() if language[:2].lower() in ("en", "fr") else site.language
        lists.change(made, site.now, by=site.by, description=description[:5000], language=language)
        if name != base:
            notes.append(f"the list {wanted[:80]!r} is {made.address} here: {base}@{site.domain.name} cannot be had")
        return made
    raise error


def _owner(site: Site) -> str:
    return next((one for one in site.owners if is_address(one)), f"postmaster@{site.domain.name}")


def joined(list_: List, count: int, source: str, now: datetime, by: Person | str) -> None:
    """One line of the journal about a list's new members."""
    journal.write("memberships.joined", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, by=str(by), count=count, source=source)
