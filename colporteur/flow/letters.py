"""Letters: what we write to one person. Each is a mailing of one copy with the highest priority.

Every letter is automatic mail (RFC 3834): it says so, leaves with the null envelope sender, and callers never answer
automatic mail with one.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.utils import timezone, translation

from colporteur import notices
from colporteur.domain.addresses import Service
from colporteur.flow import look, mailings, moments
from colporteur.mail.compose import Letter, Picture, compose
from colporteur.store import wordings
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.organisations import Domain
from colporteur.store.people import Address, zone_of

ANSWERS = frozenset({"waiting", "rejected", "distributed", "sent", "expired", "late", "decided", "unclear", "help", "leaving", "left", "joining", "commands", "answer"})
"""Letters that answer a message; the others are written of our own accord (RFC 3834 section 5)."""

LOCAL_PART = 64  # octets, RFC 5321 section 4.5.3.1.1


def send(
    letter: str,
    to: Address,
    now: datetime,
    *,
    fields: Mapping[str, object],
    list_: List | None = None,
    original: bytes | None = None,
    reply_to: str = "",
    language: str = "",
    tag: str = "",
    in_reply_to: str = "",
    headers: Sequence[tuple[str, str]] = (),
    envelope_sender: str = "",
) -> int:
    """Write ``letter`` to one address within the caller's transaction; the id of its mailing.

    ``fields``: exactly those of ``notices.NOTICES``; lazy texts, functions, dates and moments are put in the letter's language.
    ``tag``: a token that must stand in the subject because no address can carry it. ``original`` is attached.
    ``envelope_sender``: where a report about it goes, ``{token}`` naming the copy; "": nowhere.
    """
    language = language or language_of(to, list_)
    with translation.override(language), timezone.override(zone_of(to.person)):
        values = {name: shown(value) for name, value in fields.items()}
    sender = sender_of(list_)
    head, picture = _head(list_, sender)
    texts = notices.render(letter, language, values, _own(letter, language, list_), head)
    subject = f"[#{tag}] {texts.subject}" if tag else texts.subject
    raw = compose(
        Letter(
            sender_name=(list_.title or list_.address) if list_ else "Colporteur",
            sender=sender,
            to_name=_name(to),
            to=to.email,
            subject=subject,
            text=texts.text,
            html=texts.html,
            message_id=f"<{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>",
            date=now,
            language=language,
            reply_to=reply_to,
            in_reply_to=in_reply_to,
            original=original,
            auto_submitted="auto-replied" if letter in ANSWERS else "auto-generated",
            headers=tuple(headers),
            picture=picture,
        )
    )
    return mailings.create_letter(raw, to, now, letter=letter, subject=subject, list_=list_, language=language, envelope_sender=envelope_sender).id


def language_of(to: Address, list_: List | None) -> str:
    """The person's language, else the list's, the organisation's, the site's; always one we have letters in."""
    wishes = [to.person.language if to.person else "", list_.language if list_ else "", list_.organisation.language if list_ else "", settings.LANGUAGE_CODE]
    return next((wish for wish in wishes if wish in notices.LANGUAGES), "en")


def sender_of(list_: List | None) -> str:
    """Who letters come from: a list's owners' address (its only address when it lives in a mailbox), else the site's."""
    if list_:
        return service_address(list_, Service.OWNER)[0]
    first = Domain.objects.order_by("id").values_list("name", flat=True).first()
    return f"colporteur@{first or urlsplit(settings.BASE_URL).hostname or 'localhost'}"


def service_address(list_: List, service: Service, token: str = "") -> tuple[str, str]:
    """Address of a list's service, and the tag the subject must carry when the address cannot hold the token."""
    mailbox = Mailbox.objects.filter(list=list_, only_reports=False).values_list("traits", flat=True).first()
    if mailbox is not None:
        if token and mailbox.get("plus_part"):
            return f"{list_.name}+{token}@{list_.host}", ""
        return list_.address, token
    local = f"{list_.name}-{service}"
    with_token = f"{local}+{token}" if token else local
    if len(with_token) <= LOCAL_PART:
        return f"{with_token}@{list_.host}", ""
    return f"{local}@{list_.host}", token


def mailto(address: str, tag: str, subject: str, body: str) -> str:
    """A link that opens an answer which only needs to be sent."""
    title = f"[#{tag}] {subject}" if tag else subject
    return f"mailto:{quote(address, safe='@')}?subject={quote(title)}&body={quote(body)}"


def public(list_: List) -> bool:
    """Whether web links are of use: not when the list lives in a mailbox and nobody outside reaches our web server."""
    if not Mailbox.objects.filter(list=list_, only_reports=False).exists():
        return True
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal"))


def today(letter: str, to: Address, list_: List | None, now: datetime) -> int:
    """How often this address got this letter of this list in the last 24 hours; senders of spam are forged, so what is
    sent to people we do not know is bounded by it."""
    return Mailing.objects.filter(addressee=to.pk, list=list_, letter=letter, created__gt=now - timedelta(days=1)).count()


def written_today(to: Address, names: Collection[str], now: datetime) -> int:
    """How many letters of these kinds this address got in the last 24 hours, of whatever list."""
    return Mailing.objects.filter(addressee=to.pk, letter__in=names, created__gt=now - timedelta(days=1)).count()


def moment(at: datetime) -> str:
    """A date with its time, in the active language and time zone."""
    return moments.exact(at)


def shown(value: object) -> str:
    """A field's value as text, in the active language."""
    if callable(value):
        value = value()
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return moments.day(value)
    return str(value)


def _name(to: Address) -> str:
    return (to.person.name if to.person else "") or to.name


def _head(list_: List | None, sender: str) -> tuple[notices.Head, Picture | None]:
    """The look of the organisation the list belongs to; its logo at half its pixels, as pages show it."""
    if list_ is None:
        return notices.OF_THE_SITE, None
    organisation = list_.organisation
    head = notices.Head(organisation.name, organisation.colour)
    logo = look.logo_of(organisation.pk, organisation.logo)
    if logo is None:
        return head, None
    picture = Picture(f"logo-{organisation.logo}@{sender.rpartition('@')[2]}", bytes(logo.png))
    return head._replace(logo=picture.cid, width=max(logo.width // 2, 1), height=max(logo.height // 2, 1)), picture


def _own(letter: str, language: str, list_: List | None) -> notices.Texts | None:
    """The nearest own text: list, domain, organisation, site."""
    found = wordings.nearest(letter, language, wordings.above(list_))
    return notices.Texts(found[0].subject, found[0].text, found[0].html) if found else None
