"""Own texts of letters and footers: per site, organisation, domain and list, in each language.

A text is a template of fields and conditions (``notices.check``); values are put into it as they are and never read as a
template. What nobody rewrote follows the place above, and at last what ships.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from colporteur import notices
from colporteur.domain.addresses import Service
from colporteur.flow import letters
from colporteur.flow.organisations import actor
from colporteur.store import journal, wordings
from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Person
from colporteur.store.posts import Post
from colporteur.store.wordings import Place, Wording

FOOTER = "footer"
"""The text under every message: no letter, but rewritten in the same place. Its slots are {list}, {address} ..."""
MOST = 20_000


class Current(NamedTuple):
    """The text that holds at a place. ``own``: set right there; ``origin``: where from, None the site; ``shipped``: it is ours."""

    texts: notices.Texts
    own: bool
    origin: Place | None
    shipped: bool


def names(place: Place | None) -> list[str]:
    """What can be rewritten there."""
    found = [name for name in notices.NOTICES if not isinstance(place, (List, Domain, Organisation)) or name not in notices.OF_SITE]
    return [*found, FOOTER]


def rewritten(place: Place | None) -> set[tuple[str, str]]:
    """(letter, language) with a text set right there."""
    return set(Wording.objects.filter(wordings.at(place)).values_list("letter", "language"))


def current(place: Place | None, letter: str, language: str) -> Current:
    """What holds there. Raises ``ValueError`` for a letter or language there is not."""
    _known(place, letter, language)
    places = wordings.above(place)
    if found := wordings.nearest(letter, language, places):
        row, origin = found
        return Current(notices.Texts(row.subject, row.text, row.html), origin is places[0], origin, False)
    return Current(notices.Texts("", "", "") if letter == FOOTER else notices.shipped(letter, language), False, None, True)


@transaction.atomic
def rewrite(place: Place | None, letter: str, language: str, subject: str, text: str, now: datetime, *, by: Person | str) -> Wording:
    """Set the text of one place and language. Raises ``ValueError`` with a sentence that says what to write."""
    texts = checked(place, letter, language, subject, text)
    list_, domain, organisation = wordings.key(place)
    row = Wording.objects.select_for_update().filter(wordings.at(place), letter=letter, language=language).first()
    row = row or Wording(letter=letter, language=language, list_id=list_, domain_id=domain, organisation_id=organisation)
    row.subject, row.text, row.html = texts
    row.save()
    _journal("wording.changed", place, letter, language, now, by)
    return row


@transaction.atomic
def reset(place: Place | None, letter: str, language: str, now: datetime, *, by: Person | str) -> bool:
    """Go back to what is inherited; False when nothing was set there."""
    _known(place, letter, language)
    gone = bool(Wording.objects.filter(wordings.at(place), letter=letter, language=language).delete()[0])
    if gone:
        _journal("wording.reset", place, letter, language, now, by)
    return gone


def checked(place: Place | None, letter: str, language: str, subject: str, text: str) -> notices.Texts:
    """The texts as they would be kept. Raises ``ValueError`` saying what is wrong."""
    _known(place, letter, language)
    subject, text = " ".join(subject.replace("\x00", "").split()), text.replace("\x00", "").replace("\r\n", "\n").strip() + "\n"
    if len(subject) + len(text) > MOST:
        raise ValueError(_("the text is longer than %(most)s characters") % {"most": MOST})
    if letter != FOOTER and (not subject or not text.strip()):
        raise ValueError(_("a letter needs a subject and a text"))
    texts = notices.Texts("" if letter == FOOTER else subject, text, "")
    if letter != FOOTER:
        notices.check(letter, texts)
    return texts


def preview(place: Place | None, letter: str, language: str, texts: notices.Texts, now: datetime) -> notices.Texts:
    """The letter as it would be sent, filled with data of the place. Raises ``ValueError``."""
    values = sample(place, letter, language, now)
    if letter == FOOTER:
        shown = texts.text
        for name, value in values.items():
            shown = shown.replace("{" + name + "}", value)
        return notices.Texts("", shown, "")
    if not texts.html:
        notices.check(letter, texts)
    return notices.render(letter, language, values, texts)


def sample(place: Place | None, letter: str, language: str, now: datetime) -> dict[str, str]:
    """Each field of the letter with a value: of a list of the place and its latest message where there is one."""
    fields = ("list", "address", "email", "name", "unsubscribe") if letter == FOOTER else notices.NOTICES[letter]
    list_ = place if isinstance(place, List) else _a_list(place)
    with translation.override(language):
        known = _values(list_, now)
        if letter == FOOTER:
            known |= {"list": lambda: list_.title or list_.name if list_ else "Amis", "unsubscribe": lambda: f"{settings.BASE_URL}/u/…"}
        return _filled(known, fields)


def subjects(place: Place | None, language: str, now: datetime) -> dict[str, str]:
    """Each letter that can be rewritten there, with what its readers see it called: its standard subject, filled as a sample is."""
    found = [name for name in names(place) if name != FOOTER]
    list_ = place if isinstance(place, List) else _a_list(place)
    with translation.override(language):
        values = _filled(_values(list_, now), {field for name in found for field in notices.NOTICES[name]})
    return {name: notices.subject(name, language, values) for name in found}


# --- how ---


def _known(place: Place | None, letter: str, language: str) -> None:
    if letter not in names(place):
        raise ValueError(_("there is no letter %(letter)s here; known: %(known)s") % {"letter": letter[:40], "known": ", ".join(names(place))})
    if language not in notices.LANGUAGES:
        raise ValueError(_("letters are written in: %(known)s") % {"known": ", ".join(notices.LANGUAGES)})


def _journal(event: str, place: Place | None, letter: str, language: str, now: datetime, by: Person | str) -> None:
    list_ = place.pk if isinstance(place, List) else None
    organisation = place.pk if isinstance(place, Organisation) else place.organisation_id if isinstance(place, (List, Domain)) else None
    where = str(place) if isinstance(place, (List, Domain, Organisation)) else "site"
    journal.write(event, now, actor=actor(by), organisation=organisation, list=list_, letter=letter, language=language, place=where, by=str(by))


def _a_list(place: Place | None) -> List | None:
    found = List.objects.select_related("organisation", "domain").order_by("id")
    if isinstance(place, Domain):
        found = found.filter(domain=place)
    elif isinstance(place, Organisation):
        found = found.filter(organisation=place)
    return found.first()


def _filled(known: dict[str, Callable[[], str]], fields: Iterable[str]) -> dict[str, str]:
    return {field: known[field]() if field in known else f"‹{field}›" for field in fields}


def _values(list_: List | None, now: datetime) -> dict[str, Callable[[], str]]:
    """Values by field name, written when asked for."""
    post = Post.objects.filter(list=list_).order_by("-id").first() if list_ else None
    address, host = (list_.address, list_.host) if list_ else ("amis@example.org", "example.org")
    name = address.partition("@")[0]
    days = timezone.localtime(now + timedelta(days=14)).date()
    email = "anna.rivoire@example.org"
    page = f"{settings.BASE_URL}/…"
    texts = {
        "list": address, "title": (list_.title if list_ else "") or address, "address": address, "email": email, "name": "Anna Rivoire", "who": "Anna Rivoire", "by": "Anna Rivoire",
        "subject": (post.subject if post else "") or _("(no subject)"), "sender": (post.sender if post else "") or email, "size": "12 KiB", "attached": "yes", "web": "yes", "proven": "yes",
        "audience": "42", "reason": "…", "reasons": "…", "excerpt": "…", "purpose": "…", "error": "…", "template": "discussion", "state": "…", "results": "…", "wanted": "…",
        "decides": "yes", "organisation": list_.organisation.name if list_ else "Amis", "old": "anna@example.net", "minutes": "30", "days": "7", "hours": "24", "failed": "2", "total": "42", "removed": "3", "before": "42", "some": email, "addresses": email, "lists": email, "many": "", "left": "yes", "thing": "smtp.example.org", "owners": email, "what": "…", "provider": "login.example.org",
    }  # fmt: skip
    services = {"owner": Service.OWNER, "unsubscribe": Service.UNSUBSCRIBE, "leave": Service.UNSUBSCRIBE, "request": Service.REQUEST, "reply": Service.CONFIRM}

    def of(service: Service) -> str:
        return letters.service_address(list_, service)[0] if list_ else f"{name}-{service}@{host}"

    return {
        **{field: partial(str, value) for field, value in texts.items()},
        **dict.fromkeys(("link", "page", "distribute", "reject", "discard", "activate", "refuse", "accept"), lambda: page),
        **dict.fromkeys(("received", "at", "since"), lambda: letters.moment(now)),
        "expires": lambda: letters.shown(days),
        **{field: partial(of, service) for field, service in services.items()},
    }
