"""Whose a recipient is: the list, and what is asked of it, for many recipients in a fixed number of queries."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.conf import settings

from colporteur.domain import addresses, tokens
from colporteur.domain.addresses import Reading, Service
from colporteur.domain.policy import Layer, ServiceOff, policy_of
from colporteur.domain.tokens import Purpose
from colporteur.mail import headers, parse, reports
from colporteur.store.lists import Alias, List, ListState, at
from colporteur.store.mailboxes import Mailbox
from colporteur.store.organisations import Domain, Site
from colporteur.store.policies import policy

log = logging.getLogger("colporteur.routing")
_TOKEN_IN_SUBJECT = re.compile(rf"\[#([a-z2-7]{{{tokens.LENGTH}}})\]", re.IGNORECASE)
_LEAVE = re.compile(r"\s*(?:unsubscribe|leave|d[eé]sabonne\w*|d[eé]sinscri\w*)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recipient leads. ``list`` is None for addresses of a whole domain; ``off``: it takes nothing now,
    ``defers``: senders are then told to try later; ``of_domain``: its domain's service is off; ``ended``: it is closed for good."""

    recipient: str
    list: List | None
    service: Service
    token: str = ""
    off: bool = False
    defers: bool = False
    of_domain: str = ""
    ended: bool = False

    @property
    def is_post(self) -> bool:
        """Whether it makes a post; everything else is an errand."""
        return self.service is Service.POST


class Ways:
    """Lists, domains and mailboxes a batch may be about, loaded once."""

    def __init__(self, lists: dict[str, List], domains: dict[str, Domain], of_mailboxes: dict[int, Mailbox]) -> None:
        self._lists, self._domains, self._of_mailboxes = lists, domains, of_mailboxes
        self._defer: dict[str, bool] = {}

    def find(self, recipient: str) -> Place | None:
        """The first reading whose address exists; None when nobody here is called that."""
        for reading in addresses.readings(_plain(recipient)):
            if reading.address.startswith("@"):
                if domain := self._domains.get(reading.address[1:]):
                    return Place(recipient, None, reading.service, reading.token, not domain.enabled, self._domain_defers(domain), "" if domain.enabled else domain.name)
            elif list_ := self._lists.get(reading.address):
                return self._on(list_, recipient, reading)
        return None

    def of_mailbox(self, mailbox: int, recipients: Iterable[str], raw: bytes, mail_from: str) -> Place | None:
        """Where collected mail leads: the mailbox's list; a token in a plus-part or the subject, or a report, makes it
        an errand. In a mailbox for reports everything else is one, too. None when the mailbox is gone."""
        box = self._of_mailboxes.get(mailbox)
        if box is None:
            return None
        list_ = box.list
        parts = [recipient.rpartition("@")[0].partition("+")[2].lower() for recipient in recipients]
        try:
            skim = parse.skim(raw)
            # An empty sender alone is no report: a mailbox without Return-Path cannot tell who sent.
            subject, kind = skim.subject, reports.automatic(skim, mail_from or None)[0]
        except Exception:  # a message nobody can read is a post, with its defects shown when it is judged
            log.exception("unreadable mailbox=%s size=%s", mailbox, len(raw))
            subject, kind = "", reports.Automatic.NONE
        report = kind in (reports.Automatic.REPORT, reports.Automatic.COMPLAINT)
        if service := next((found for token in (*parts, *_TOKEN_IN_SUBJECT.findall(subject)) if (found := _asked(token.lower(), subject, report))), None):
            return self._on(list_, list_.address, Reading(list_.address, *service))
        return self._on(list_, list_.address, Reading(list_.address, Service.BOUNCES if report or box.only_reports else Service.POST))

    def returned(self, place: Place, raw: bytes) -> Place:
        """Where mail from the null sender to a list's own address leads: a report that returns one of our copies is no post
        (a transport that takes one envelope sender only has the list's address there)."""
        if place.is_post and any(tokens.read(settings.TOKEN_KEY, Purpose.COPY, token) for token in headers.returned_tokens(raw)):
            return replace(place, service=Service.BOUNCES)
        return place

    def _on(self, list_: List, recipient: str, reading: Reading) -> Place:
        of_domain = list_.domain.name if list_.domain and not list_.domain.enabled else ""
        ended = list_.state == ListState.CLOSED
        off = list_.state != ListState.ACTIVE or bool(of_domain)
        place = Place(recipient, list_, reading.service, reading.token, off, off and not ended and self._list_defers(list_), of_domain, ended)
        if place.is_post and place.token and (asked := _asked(place.token, "", False)):
            return replace(place, service=asked[0], token=asked[1])
        return place

    def _list_defers(self, list_: List) -> bool:
        if list_.address not in self._defer:
            self._defer[list_.address] = policy(list_).service_off is ServiceOff.DEFER
        return self._defer[list_.address]

    def _domain_defers(self, domain: Domain) -> bool:
        if domain.enabled:
            return False
        key = f"@{domain.name}"
        if key not in self._defer:
            site = Site.objects.filter(id=1).values_list("policy", flat=True).first() or {}
            layers = {Layer.SITE: site, Layer.ORGANISATION: domain.organisation.policy, Layer.DOMAIN: domain.policy}
            self._defer[key] = policy_of(layers).service_off is ServiceOff.DEFER
        return self._defer[key]


def ways(recipients: Iterable[str], of_mailboxes: Iterable[int] = ()) -> Ways:
    """Load what the recipients and mailboxes may be about: at most four queries, a further one for each that is off."""
    read = [[reading.address for reading in addresses.readings(_plain(recipient))] for recipient in set(recipients)]
    hosts, names = {address[1:] for each in read for address in each if address.startswith("@")}, {address for each in read for address in each if not address.startswith("@")}
    lists = {list_.address: list_ for list_ in at(names)} if names else {}
    if further := {address for each in read if each[0] not in lists for address in each}:
        for alias in Alias.objects.filter(address__in=further).exclude(list__state=ListState.DELETED).select_related("list__organisation", "list__domain"):
            lists.setdefault(alias.address, alias.list)
    domains = {domain.name: domain for domain in Domain.objects.filter(name__in=hosts).select_related("organisation")} if hosts else {}
    keys = list(of_mailboxes)
    fed = {}
    if keys:
        found = Mailbox.objects.filter(id__in=keys).exclude(list__state=ListState.DELETED).select_related("list__organisation", "list__domain")
        fed = {mailbox.id: mailbox for mailbox in found}
    return Ways(lists, domains, fed)


def _plain(recipient: str) -> str:
    """Normal form, or the lower-case text of what has none (a local part beyond 64 octets)."""
    try:
        return addresses.normal(recipient)
    except ValueError:
        return recipient.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode().lower()


def _asked(token: str, subject: str, report: bool) -> tuple[Service, str] | None:
    """What one of our own tokens asks for; None when it is not ours."""
    key = settings.TOKEN_KEY
    if not report and tokens.read(key, Purpose.MODERATE, token):
        return (Service.MODERATE, token)
    if not report and any(tokens.read(key, purpose, token) for purpose in (Purpose.CONFIRM, Purpose.JOIN, Purpose.ADMIT)):
        return (Service.CONFIRM, token)
    if tokens.read(key, Purpose.COPY, token):
        # The same token names the copy in its envelope sender and in its unsubscribe address; the latter brings the word.
        return (Service.UNSUBSCRIBE if _LEAVE.match(subject) and not report else Service.BOUNCES, token)
    return None
