"""Transports: the ways out, their secret URL, and their health."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.transports import read_url
from colporteur.flow import letters, mailings, routes
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.organisations import Organisation
from colporteur.store.people import Person
from colporteur.store.rights import addresses_of, administrators
from colporteur.store.routes import RouteStep
from colporteur.store.sealed import seal, unseal
from colporteur.store.transports import Transport

log = logging.getLogger("colporteur.mail")

PATIENCE = 3
"""Failures in a row after which people hear of a trouble that may pass by itself."""
BACK_OFF_FIRST, BACK_OFF_MOST = 30, 1800  # seconds between tries of a transport in trouble, doubling
_LISTS_TOLD = 50
_NAME = re.compile(r"[\w][\w .-]{0,62}", re.UNICODE)


def find(name: str) -> Transport:
    """The transport of that name. Raises ``ValueError`` when there is none."""
    if found := Transport.objects.filter(name=name, removed__isnull=True).first():
        return found
    raise ValueError(_("there is no transport called %(name)r") % {"name": name})


@transaction.atomic
def add(name: str, url: str, now: datetime, organisation: Organisation | None = None, *, by: Person | str = "") -> Transport:
    """A new way out; of the organisation, or for everybody. The first one becomes the default.

    Raises ``ValueError`` on a name that is taken or a URL that cannot be one.
    """
    name, way = name.strip(), read_url(url)
    if not _NAME.fullmatch(name):
        raise ValueError(_("%(name)r cannot be a transport's name: use up to 63 letters, digits, spaces, dots and hyphens") % {"name": name[:80]})
    with connection.cursor() as cursor:  # two first ones at once: one of them is the default
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('colporteur transports'))")
    if Transport.objects.filter(name=name).exists():
        raise ValueError(_("there is a transport called %(name)r already") % {"name": name})
    first = not Transport.objects.filter(organisation=organisation, is_default=True, removed__isnull=True).exists()
    made = Transport.objects.create(name=name, kind=way.kind, url_sealed=seal(url.strip()), organisation=organisation, is_default=first)
    journal.write("transport.added", now, actor=actor(by), organisation=organisation.id if organisation else None, transport=name, by=str(by))
    return made


@transaction.atomic
def set_url(transport: Transport, url: str, now: datetime, *, by: Person | str) -> None:
    """Another URL (a new password, another host); it is tried at once. Raises ``ValueError``."""
    way = read_url(url)
    Transport.objects.filter(pk=transport.pk).update(kind=way.kind, url_sealed=seal(url.strip()), next_try=None)
    transport.refresh_from_db()
    _changed(transport, way.shown, now, by)


@transaction.atomic
def switch(transport: Transport, enabled: bool, now: datetime, *, by: Person | str) -> bool:
    """Use the transport or leave it alone; False when it was so."""
    if not Transport.objects.filter(pk=transport.pk, enabled=not enabled).update(enabled=enabled, next_try=None):
        return False
    transport.enabled = enabled
    _changed(transport, "on" if enabled else "off", now, by)
    if enabled:
        routes.came_back(transport)
    else:
        routes.leave_stranded()
    return True


@transaction.atomic
def remove(transport: Transport, now: datetime, *, by: Person | str) -> None:
    """Take the transport out of every route and forget its password; its name is free again. The row stays for the mailings
    that left by it. Open slices move to what their route says then, or wait."""
    row = Transport.objects.select_for_update(of=("self",)).get(pk=transport.pk, removed__isnull=True)
    _changed(row, "removed", now, by)
    RouteStep.objects.filter(transport=row).delete()
    was_default, row.name = row.is_default, f"{row.name} ({row.pk})"
    row.enabled, row.is_default, row.removed, row.url_sealed, row.failures, row.next_try, row.last_error = False, False, now, seal(""), 0, None, ""
    row.save()
    if was_default and (heir := Transport.objects.filter(organisation=row.organisation_id, removed__isnull=True).order_by("-enabled", "id").first()):
        make_default(heir, now, by=by)
    routes.leave_stranded()


@transaction.atomic
def make_default(transport: Transport, now: datetime, *, by: Person | str) -> None:
    """Lists that name no transport use this one (of the same organisation, or of the site)."""
    Transport.objects.filter(organisation=transport.organisation_id, is_default=True).exclude(pk=transport.pk).update(is_default=False)
    if Transport.objects.filter(pk=transport.pk, is_default=False).update(is_default=True):
        transport.is_default = True
        _changed(transport, "default", now, by)


def url_of(transport: Transport) -> str:
    """The URL with its password. Raises ``store.sealed.SealBroken`` when the key is another one."""
    return unseal(transport.url_sealed)


def shown(transport: Transport) -> str:
    """The URL without its password."""
    return read_url(url_of(transport)).shown


def health(transport: Transport) -> str:
    """One word: ``trouble``, ``ok``, or ``unused`` when it was never tried."""
    if transport.failures:
        return "trouble"
    return "ok" if transport.last_success else "unused"


def listed(organisation: Organisation | None = None) -> list[Transport]:
    """Transports, newest first: all, or those an organisation may use."""
    rows = Transport.objects.filter(removed__isnull=True).select_related("organisation").order_by("-id")
    return list(rows.filter(Q(organisation=organisation) | Q(organisation__isnull=True)) if organisation else rows)


@transaction.atomic
def trouble(transport: Transport, error: str, now: datetime, *, lasting: bool = False) -> datetime:
    """The transport refused as a whole: no slice is claimed for it before the time returned, growing from 30 s to 30 min.

    Lanes that fail together count once. The time goes on growing when a look without mail found it well but it took none.
    The journal has the first failure of a row; people are told once, at the third failure or at once when it is ``lasting``
    (a wrong password).
    """
    row = Transport.objects.select_for_update(of=("self",)).get(pk=transport.pk)
    if row.failures and row.next_try and row.next_try > now:
        return row.next_try  # another lane said so already
    wait = min(BACK_OFF_FIRST * 2 ** min(row.failures + row.trials, 16), BACK_OFF_MOST)
    row.failures, row.last_error = row.failures + 1, error.replace("\x00", "")[:1000]
    row.next_try = now + timedelta(seconds=wait)
    if row.failures == 1:
        journal.write("transport.trouble", now, organisation=row.organisation_id, transport=row.name, error=row.last_error)
    row.save(update_fields=["failures", "next_try", "last_error"])  # before anybody is told: letters about it leave by another
    if row.told_at is None and (lasting or row.failures + row.trials >= PATIENCE) and _tell("trouble", row, now, error=row.last_error, since=row.last_success or now):
        row.told_at = now
        row.save(update_fields=["told_at"])
    log.warning("transport-trouble transport=%s failures=%d next=%s error=%s", row.name, row.failures, row.next_try.isoformat(), row.last_error)
    return row.next_try


def recovered(transport: Transport, now: datetime, *, looked: bool = False) -> bool:
    """The transport took mail, or (``looked``) lets us in. True when it was in trouble before; cheap enough to be called after
    every slice.

    Who was told of a trouble that came back after a look hears of its end when mail was taken.
    """
    if not looked:
        minute_ago = now - timedelta(minutes=1)  # a row written each minute, not each slice
        Transport.objects.filter(Q(last_success__isnull=True) | Q(last_success__lt=minute_ago), pk=transport.pk, failures=0).update(last_success=now)
    if not Transport.objects.filter(Q(failures__gt=0) | Q(trials__gt=0), pk=transport.pk).exists():
        return False
    with transaction.atomic():
        row = Transport.objects.select_for_update(of=("self",)).get(pk=transport.pk)
        was, told = row.failures, row.told_at if not (looked and row.trials) else None
        if looked:
            row.trials += bool(was)
        else:
            row.trials, row.last_success = 0, now
        row.failures, row.next_try, row.last_error, row.told_at = 0, None, "", None if told else row.told_at
        row.save(update_fields=["failures", "trials", "next_try", "last_error", "told_at", "last_success"])
        if was:
            journal.write("transport.recovered", now, organisation=row.organisation_id, transport=row.name)
            log.info("transport-recovered transport=%s", row.name)
        if told:
            _tell("recovered", row, now)
    return bool(was)


def _tell(letter: str, transport: Transport, now: datetime, **fields: object) -> bool:
    """Write to the administrators and to the owners of lists that chose this transport; False when a letter would have
    to leave by the very transport it is about."""
    if letter == "trouble" and mailings.transport_for(None) == transport:
        return False
    owners = [address for list_ in List.objects.filter(steps__transport=transport, state=ListState.ACTIVE).order_by("id")[:_LISTS_TOLD] for address in addresses_of(list_, RoleKind.OWNER)]
    for address in {address.pk: address for address in (*administrators(), *owners)}.values():
        try:
            with transaction.atomic():
                letters.send(letter, address, now, fields={"thing": transport.name, "link": f"{settings.BASE_URL}/", **fields})
        except (ValueError, LookupError):  # somebody's own text that cannot be used must not hide the trouble itself
            logging.getLogger("colporteur.transports").exception("letter not written letter=%s transport=%s", letter, transport.name)
    return True


def _changed(transport: Transport, words: str, now: datetime, by: Person | str) -> None:
    journal.write("transport.changed", now, actor=actor(by), organisation=transport.organisation_id, transport=transport.name, by=str(by), change=words)
