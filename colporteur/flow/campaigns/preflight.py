"""Before a newsletter is sent: every copy is made for trial, links are followed, and what is to mend is said in words.

A few hundred copies are tried at once; a worker goes on with more, in ranges of some seconds, and its progress is a row
(``store.preflight``). Links are looked at by a worker, too: the network is not ours to touch.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext, ngettext

from colporteur.domain import preflight as rules
from colporteur.domain.campaigns import CampaignState, Editor
from colporteur.domain.preflight import Answer, Facts
from colporteur.domain.services import is_service
from colporteur.domain.signing import KeyState
from colporteur.domain.words import Invalid
from colporteur.flow import senders
from colporteur.flow.campaigns import audience, content, files, readers
from colporteur.flow.campaigns.readers import Asked
from colporteur.flow.mailings import transport_for
from colporteur.mail.campaigns.fields import Compiled
from colporteur.mail.campaigns.links import links_of
from colporteur.store import preflight as rows
from colporteur.store.campaigns import Campaign
from colporteur.store.copies.audience import Recipient, recipients
from colporteur.store.organisations import Domain
from colporteur.store.people import Address
from colporteur.store.policies import policy
from colporteur.store.preflight import LinkCheck, Trial
from colporteur.store.signing import SigningKey

log = logging.getLogger("colporteur.planning")

NAMED = 100
"""Failing recipients that are named; the others are counted."""
AT_ONCE_SECONDS = 1.5
"""So long whoever asks waits for copies to be tried; a worker takes ranges of ``_RANGE_SECONDS``."""
_RANGE, _RANGE_SECONDS = 500, 2.0
_FRESH = timedelta(hours=1)
_LINKS = 200
_IMAGE = re.compile(r"<img\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>")
_ATTRIBUTE = re.compile(r"\s(alt|src)=\"([^\"]*)\"")
_OPEN = (CampaignState.DRAFT, CampaignState.SCHEDULED)


class Finding(NamedTuple):
    """Something to mend, in the reader's language. ``grave``: it cannot be sent so."""

    code: str
    grave: bool
    words: str
    mend: str


class Failing(NamedTuple):
    """A recipient whose copy cannot be made, and why."""

    email: str
    reason: str


class Preflight(NamedTuple):
    """``verdict`` in words. ``tried`` of ``recipients`` copies were made for trial, ``waiting`` links are still looked at; while
    ``checking`` there is more to come, while ``trying`` not every copy was made. ``failing`` names the first hundred of ``failing_count``."""

    verdict: str
    findings: tuple[Finding, ...]
    recipients: int
    failing: tuple[Failing, ...]
    failing_count: int
    tried: int
    waiting: int
    checking: bool
    trying: bool

    @property
    def blocked(self) -> bool:
        """Whether it cannot be sent, not even by force."""
        return any(finding.grave for finding in self.findings)


def preflight(campaign: Campaign, now: datetime) -> Preflight:
    """What is known now; asked again it knows more until nothing is ``checking``."""
    made = content.rendered(campaign)
    found = _of_audience(campaign)
    found += [Finding("content", problem.grave, problem.words, gettext("correct it where it is written")) for problem in made.problems]
    compiled = None
    try:
        compiled = made.compiled(readers.attributes_of(campaign))
    except Invalid as error:
        found += [Finding("fields", True, sentence.into(gettext), gettext("fields are written {{ name }}; the editor lists those there are")) for sentence in error.sentences]
    counted = _counted(campaign, now)
    trial = _tried(campaign, compiled, counted, now) if compiled and counted and not any(finding.grave for finding in found) else None
    links = _links(made.html, now)
    found += [Finding(one.code, one.grave, one.words.into(gettext), one.mend.into(gettext)) for one in rules.findings(_facts(campaign, made, compiled, counted, trial, links))]
    found.sort(key=lambda finding: not finding.grave)
    waiting = sum(row.checked_at is None for row in links.values())
    unfinished = trial is not None and trial.finished is None
    failing = _named(trial) if trial else ()
    return Preflight(_verdict(found, unfinished), tuple(found), counted, failing, trial.failing if trial else 0, trial.made if trial else 0, waiting, unfinished or bool(waiting), unfinished)


def to_the_end(campaign: Campaign, now: datetime) -> Preflight:
    """The same when every copy was tried, however long that takes; a worker may help. Each range is committed by itself."""
    while (found := preflight(campaign, now)).trying:
        try_more(now, campaign)
    return found


def try_more(now: datetime, campaign: Campaign | None = None) -> int:
    """Go on with the trial that waits longest, or with that of one campaign; how many copies were made. For the worker."""
    with transaction.atomic():
        waiting = Trial.objects.select_for_update(of=("self",), skip_locked=campaign is None).filter(finished__isnull=True).select_related("campaign__list__organisation", "campaign__list__domain")
        trial = (waiting.filter(campaign=campaign) if campaign else waiting).order_by("asked_at").first()
        if trial is None:
            return 0
        campaign = trial.campaign
        try:
            if campaign.version != trial.version or campaign.state not in _OPEN:
                raise Invalid("")  # asked about anew, or sent: nobody waits for this one
            with transaction.atomic():
                return _go_on(campaign, trial, content.rendered(campaign).compiled(readers.attributes_of(campaign)), now, _RANGE_SECONDS)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # one that breaks keeps no other waiting
            if not isinstance(error, Invalid):
                log.exception("newsletter not tried campaign=%d", campaign.pk)
            trial.finished = now
            trial.save(update_fields=["finished"])
            return 1


def domains_to_look_up(now: datetime) -> list[str]:
    """Domains of others that newsletters being checked are sent from, whose DMARC policy is not known. For the worker."""
    asked = Trial.objects.filter(asked_at__gt=now - _FRESH).values_list("campaign__sender_address", "campaign__list__address")
    found = {senders.domain_of(sender or list_) for sender, list_ in asked}
    return sorted(domain for domain in found - set(Domain.objects.filter(name__in=found).values_list("name", flat=True)) if not senders.known(domain, now))


def forget(now: datetime) -> int:
    """Drop trials and answers of links nobody asked about for a day. For the worker."""
    return rows.forget(now)


def _counted(campaign: Campaign, now: datetime) -> int:
    """Recipients; while a trial of many goes on those it began with, so that asking for its progress costs little."""
    going_on = Trial.objects.filter(campaign=campaign, version=campaign.version, asked_at__gte=now - _FRESH, finished=None, after__gt=0)
    known = going_on.values_list("recipients", flat=True).first()
    return audience.counted(campaign, now).recipients if known is None else known


# --- trial ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def _tried(campaign: Campaign, compiled: Compiled, counted: int, now: datetime) -> Trial:
    """The trial of what is written now, begun and gone on with as far as somebody can wait."""
    trial, _new = Trial.objects.get_or_create(campaign=campaign, defaults={"version": campaign.version, "asked_at": now})
    if trial.version == campaign.version and trial.asked_at >= now - _FRESH and (trial.after or trial.finished):
        return trial  # a worker may have it locked
    trial = Trial.objects.select_for_update(of=("self",)).get(campaign=campaign)
    if trial.version != campaign.version or trial.asked_at < now - _FRESH:
        trial.version, trial.asked_at, trial.after, trial.made, trial.failing, trial.failures, trial.finished = campaign.version, now, 0, 0, 0, [], None
    trial.recipients = counted
    if trial.finished is None and not trial.after:
        if not compiled.fields:  # every copy is the same
            trial.made, trial.finished = counted, now
            trial.save()
        else:
            _go_on(campaign, trial, compiled, now, AT_ONCE_SECONDS)
    return trial


def _go_on(campaign: Campaign, trial: Trial, compiled: Compiled, now: datetime, seconds: float) -> int:
    """Make the next copies of a trial for so many seconds."""
    until, before = time.monotonic() + seconds, trial.made
    reach = audience.reach_of(campaign)
    while trial.finished is None and time.monotonic() < until:
        last, page = recipients(trial.asked_at, reach, after=trial.after, limit=_RANGE)
        if last is None:
            trial.finished = now
            break
        values = _values(campaign, page, compiled)
        for one in page:
            _try(trial, one, values.get(one.address, {}), compiled)
            trial.after = one.address
            if time.monotonic() > until:
                break
        else:
            trial.after = last
    trial.save()
    return trial.made - before


def _try(trial: Trial, one: Recipient, values: Mapping[str, object], compiled: Compiled) -> None:
    trial.made += 1
    try:
        compiled.render(values)
    except Invalid as error:
        trial.failing += 1
        if len(trial.failures) < NAMED:  # by number: an address that is erased is not kept here
            trial.failures.append([one.address, error.sentences[0].msgid, {name: str(value)[:200] for name, value in error.sentences[0].values.items()}])


def _values(campaign: Campaign, page: Sequence[Recipient], compiled: Compiled) -> dict[int, dict[str, object]]:
    """What the copies use of their readers, by the list each comes by."""
    by_list: dict[int, list[Asked]] = {}
    for one in page:
        by_list.setdefault(one.through or campaign.list_id, []).append(Asked(one.address, one.email, one.name))
    found: dict[int, dict[str, object]] = {}
    for list_, asked in by_list.items():
        found |= readers.on_list(campaign, list_, asked, compiled.fields)
    return found


def _named(trial: Trial) -> tuple[Failing, ...]:
    emails = dict(Address.objects.filter(pk__in=[address for address, _msgid, _values in trial.failures]).values_list("pk", "email"))
    return tuple(Failing(emails[address], gettext(msgid) % values) for address, msgid, values in trial.failures if address in emails)


def _of_audience(campaign: Campaign) -> list[Finding]:
    """What makes it uncertain who would get it."""
    found = []
    if campaign.lost:
        found.append(Finding("audience", True, gettext("whom it goes to is not what somebody chose any more: %(lists)s was deleted for good") % {"lists": campaign.lost}, gettext("choose anew to whom it goes, and save")))
    if audience.unknown(campaign):
        found.append(Finding("same", True, gettext("the details of the same newsletter for another list are gone: nobody can tell any more who has it"), gettext("copy this one to send it to everybody, also to those who have it")))
    return found


# --- facts ---------------------------------------------------------------------------------------------------------


def _facts(campaign: Campaign, made: content.Rendered, compiled: Compiled | None, counted: int, trial: Trial | None, links: Mapping[str, LinkCheck]) -> Facts:
    list_ = campaign.list
    rule, transport = policy(list_), transport_for(list_)
    sender = campaign.sender_address or list_.address
    host = sender.rpartition("@")[2]
    domain = Domain.objects.filter(name=host).first()
    files_size = files.weight(campaign)
    used = compiled.html.fields | compiled.text.fields if compiled else frozenset()
    return Facts(
        subject=made.subject, text=made.text, html_size=len(made.html.encode()), recipients=counted, failing=trial.failing if trial else 0, without_alt=_without_alt(made.html, campaign.editor),
        unsubscribe=compiled is None or "url_unsubscribe" in used, identity=_identified(rule.identity, made),
        links=tuple(Answer(url, row.status, row.detail) for url, row in links.items() if row.checked_at), waiting=sum(row.checked_at is None for row in links.values()),
        attachments=files_size, size=files_size + len(made.html.encode()) + len(made.text.encode()), max_size=rule.max_size, sender=sender, own_domain=domain is not None,
        signed=domain is None or bool(transport and is_service(transport.kind)) or SigningKey.objects.filter(domain=domain, state=KeyState.USED).exists(),
        strict=senders.strict(senders.domain_of(sender)), transport=transport.name if transport else "", trouble=transport.last_error if transport and transport.failures else "",
        kept_here=transport is not None and transport.kind == "folder",
    )  # fmt: skip


def _identified(identity: str, made: content.Rendered) -> bool:
    """Whether the first line of who sends stands in the newsletter: by its frame, or written there."""
    first = next((line.strip() for line in identity.splitlines() if line.strip()), "")
    return bool(first) and first in made.text


def _without_alt(html: str, editor: str) -> tuple[str, ...]:
    """Pictures that say nothing to who does not see them. An empty text in HTML was meant so; in Markdown it was forgotten."""
    found = []
    for image in _IMAGE.findall(html):
        given = dict(_ATTRIBUTE.findall(image))
        if given.get("src", "").startswith(f"{settings.BASE_URL}/look/"):
            continue
        if "alt" not in given or (editor == Editor.MARKDOWN and not given["alt"].strip()):
            found.append(given.get("src", "?").rpartition("/")[2])
    return tuple(dict.fromkeys(found))


def _links(html: str, now: datetime) -> dict[str, LinkCheck]:
    """The links to others' pages, with what is known of each; what is not known is asked for."""
    urls = [link.url for link in links_of(html) if not link.url.startswith(f"{settings.BASE_URL}/")]
    return rows.ask(urls[:_LINKS], now) if urls else {}


def _verdict(found: Sequence[Finding], unfinished: bool) -> str:
    grave = [finding for finding in found if finding.grave]
    if grave:
        return gettext("not ready: %(first)s") % {"first": grave[0].words}
    if unfinished:
        return gettext("copies are being tried")
    if found:
        return ngettext("ready, %(n)s remark", "ready, %(n)s remarks", len(found)) % {"n": len(found)}
    return gettext("ready")
