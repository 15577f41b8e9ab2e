"""Campaigns are written: made, changed, copied, deleted. Two editors notice each other by the version."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from colporteur.domain.addresses import normal
from colporteur.domain.campaigns import CampaignState, Editor, Tracking
from colporteur.domain.mailings import Pace
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow.campaigns import files
from colporteur.flow.organisations import actor
from colporteur.mail.campaigns.frames import FRAMES
from colporteur.store import journal, preflight
from colporteur.store.campaigns import Campaign, CampaignAudience, CampaignFile
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.organisations import Domain
from colporteur.store.people import Person
from colporteur.store.rights import Right, rights_on
from colporteur.store.segments import Segment

SOURCE_MOST = 2_000_000
"""Characters of what is written."""
PER_DAY_MOST = 100_000_000
_QUIET = timedelta(hours=1)  # changes of one person in so long are one line of the journal
_OPEN = (CampaignState.DRAFT, CampaignState.SCHEDULED)
_FIELDS = frozenset({"subject", "preheader", "sender_name", "sender_address", "reply_to", "language", "editor", "template", "source", "text", "tracking", "public", "same_as", "pace", "per_day", "sample"})
_NOT_IN_COPIES = frozenset({"pace", "per_day", "sample"})
_LINES = ("subject", "preheader", "sender_name", "sender_address", "reply_to", "language", "template")


def may_write(by: Person | str, list_: List) -> bool:
    """Whether they may write and send newsletters of the list: owners, administrators, and commands on the server."""
    return Right.MANAGE in rights_on(by, list_) if isinstance(by, Person) else True


def not_theirs(campaign: Campaign, by: Person | str) -> List | None:
    """A list the newsletter goes to that is not theirs to write to, as somebody else chose it; None when there is none."""
    return next((list_ for list_, _row in _of_others(campaign, by, left_out=False)), None)


def left_out_by_others(campaign: Campaign, by: Person | str) -> list[List]:
    """Lists that somebody else left out, whole or a segment of them, and that are not theirs to write to: this stays, whatever they choose."""
    return list(dict.fromkeys(list_ for list_, _row in _of_others(campaign, by, left_out=True)))


def _of_others(campaign: Campaign, by: Person | str, *, left_out: bool) -> Iterator[tuple[List, int]]:
    """Lists that are not theirs to write to, with the row that names each."""
    named = CampaignAudience.objects.filter(campaign=campaign, left_out=left_out).select_related("list__organisation", "list__domain", "segment__list__organisation", "segment__list__domain")
    for row in named.order_by("id"):
        list_ = row.list or (row.segment.list if row.segment else None)
        if list_ and not may_write(by, list_):
            yield list_, row.pk


@transaction.atomic
def create(list_: List, now: datetime, *, by: Person | str, subject: str = "", editor: Editor = Editor.MARKDOWN, source: str = "", **fields: Any) -> Campaign:
    """A new draft; what is Markdown is set as a letter unless another frame is given. Raises ``Invalid`` for a wrong value."""
    fields.setdefault("template", "letter" if editor == Editor.MARKDOWN else "")
    values = checked(list_, {"subject": subject, "editor": editor, "source": source, **fields})
    campaign = Campaign.objects.create(list=list_, created_by=by if isinstance(by, Person) else None, created=now, changed=now, **values)
    tell("campaign.created", campaign, now, by)
    return campaign


@transaction.atomic
def change(campaign_id: int, version: int, now: datetime, by: Person | str, **fields: Any) -> Campaign:
    """Change what is given. Raises ``Invalid``: a wrong value, it was sent meanwhile, or another changed it since ``version``."""
    campaign = Campaign.objects.select_related("list__organisation", "list__domain").get(pk=campaign_id)
    values = checked(campaign.list, fields)
    if campaign.state == CampaignState.SCHEDULED and (foreign := not_theirs(campaign, by)):
        raise Invalid(_("%(list)s is not yours to write to"), list=foreign.address)
    if not Campaign.objects.filter(pk=campaign_id, version=version, state__in=_OPEN).update(version=version + 1, changed=now, **values):
        raise _stale(campaign_id)
    if values and values.keys() <= _NOT_IN_COPIES:
        preflight.still(campaign_id, version)
    _tell_changed(campaign, now, by)
    return Campaign.objects.select_related("list__organisation", "list__domain").get(pk=campaign_id)


@transaction.atomic
def address_to(campaign_id: int, version: int, now: datetime, by: Person | str, *, to: Sequence[List | Segment] = (), left_out: Sequence[List | Segment] = ()) -> Campaign:
    """Whom it goes to (none: its own list) and whom it leaves out, beside whom others left out (``left_out_by_others``). Raises ``Invalid``
    as ``change``, and for what they may not write to."""
    campaign = change(campaign_id, version, now, by)
    for one in (*to, *left_out):
        list_ = one if isinstance(one, List) else one.list
        if list_.organisation_id != campaign.list.organisation_id or not may_write(by, list_):
            raise Invalid(_("%(list)s is not yours to write to"), list=list_.address)
    stays = [row for _list, row in _of_others(campaign, by, left_out=True)]
    CampaignAudience.objects.filter(campaign=campaign).exclude(pk__in=stays).delete()
    Campaign.objects.filter(pk=campaign.pk).update(lost="")
    campaign.lost = ""
    CampaignAudience.objects.bulk_create(
        CampaignAudience(campaign=campaign, left_out=out, list=one if isinstance(one, List) else None, segment=one if isinstance(one, Segment) else None)
        for out, several in ((False, to), (True, left_out)) for one in dict.fromkeys(several)
    )  # fmt: skip
    return campaign


@transaction.atomic
def copy(campaign: Campaign, now: datetime, by: Person | str, list_: List | None = None) -> Campaign:
    """A new draft like it, with its files. For another list it is the same newsletter: who has the first gets no second one.

    Raises ``Invalid`` for a list they may not write to.
    """
    other = list_ is not None and list_.pk != campaign.list_id
    target = list_ or campaign.list
    if not may_write(by, target):
        raise Invalid(_("%(list)s is not yours to write to"), list=target.address)
    kept = ("subject", "preheader", "reply_to", "language", "editor", "template", "source", "text", "tracking", "public", "pace", "per_day", "sample", *(() if other else ("sender_name", "sender_address")))
    made = Campaign.objects.create(
        **{name: getattr(campaign, name) for name in kept}, list=target, same_as=campaign if other else None, lost="" if other else campaign.lost, created_by=by if isinstance(by, Person) else None, created=now, changed=now
    )
    for file in CampaignFile.objects.filter(campaign=campaign):
        old, file.pk, file.campaign, file.key, file.created = file.key, None, made, secrets.token_urlsafe(18), now
        file._state.adding = True
        file.save()
        made.source, made.text = made.source.replace(old, file.key), made.text.replace(old, file.key) if made.text else made.text
    made.save(update_fields=["source", "text"])
    if not other:
        CampaignAudience.objects.bulk_create(CampaignAudience(campaign=made, list_id=row.list_id, segment_id=row.segment_id, left_out=row.left_out) for row in CampaignAudience.objects.filter(campaign=campaign))
    tell("campaign.created", made, now, by)
    return made


@transaction.atomic
def delete(campaign: Campaign, now: datetime, by: Person | str) -> None:
    """Throw a draft away. Raises ``Invalid`` for one that was sent: what went out is kept."""
    tell("campaign.deleted", campaign, now, by)
    files.remove_all(campaign)
    if not Campaign.objects.filter(pk=campaign.pk, state__in=_OPEN).delete()[0]:
        raise Invalid(_("a newsletter that was sent is kept"))


def tell(event: str, campaign: Campaign, now: datetime, by: Person | str, **values: Any) -> None:
    """A line of the journal about a campaign."""
    journal.write(event, now, actor=actor(by), organisation=campaign.list.organisation_id, list=campaign.list_id, mailing=campaign.mailing_id, by=str(by), subject=campaign.subject, campaign=campaign.pk, **values)


def checked(list_: List, fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a campaign in their normal form. Raises ``Invalid`` with what is wrong."""
    if unknown := set(fields) - _FIELDS:
        raise ValueError(f"a newsletter has no {', '.join(sorted(unknown))}")
    values = dict(fields)
    for name in _LINES:
        if name in values:
            values[name] = " ".join(str(values[name] or "").replace("\x00", "").split())[:998]
    for name in ("source", "text"):
        if values.get(name) is not None:
            values[name] = str(values[name]).replace("\x00", "").replace("\r\n", "\n")
            if len(values[name]) > SOURCE_MOST:
                raise Invalid(_("the newsletter is longer than two million characters"))
    if values.get("template") and values["template"] not in FRAMES:
        raise Invalid(_("%(value)r is not one of: %(known)s"), value=values["template"][:40], known=", ".join(filter(None, FRAMES)))
    for name, kind in (("editor", Editor), ("pace", Pace), ("tracking", Tracking)):
        if values.get(name):
            values[name] = _one_of(kind, values[name])
    if values.get("language") and not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", values["language"]):
        raise Invalid(_("%(code)r is not a language: write it like fr or pt-BR"), code=values["language"][:20])
    for name in ("sender_address", "reply_to"):
        if values.get(name):
            values[name] = normal(values[name])
    if values.get("sender_address") and not _own(list_, values["sender_address"]):
        raise Invalid(_("%(address)s is not at a domain of the organisation: mail programs would refuse it"), address=values["sender_address"])
    if (per_day := values.get("per_day")) is not None and not 1 <= int(per_day) <= PER_DAY_MOST:
        raise Invalid(_("a number of copies a day is between 1 and %(most)d"), most=PER_DAY_MOST)
    if not 0 <= int(values.get("sample") or 0) <= 90:
        raise Invalid(_("a sample is between 0 and 90 percent"))
    return values


def _one_of(kind: type[Editor] | type[Pace] | type[Tracking], value: object) -> str:
    try:
        return kind(str(value)).value
    except ValueError:
        raise Invalid(_("%(value)r is not one of: %(known)s"), value=str(value)[:40], known=", ".join(kind)) from None


def _own(list_: List, address: str) -> bool:
    """Whether an address is at a domain of the list's organisation, or of the list itself."""
    host = address.rpartition("@")[2]
    return host == list_.host or Domain.objects.filter(organisation=list_.organisation_id, name=host).exists()


def _stale(campaign_id: int) -> Invalid:
    if Campaign.objects.filter(pk=campaign_id, state__in=_OPEN).exists():
        return Invalid(_("somebody else changed the newsletter meanwhile: load it again and write your change there"))
    return Invalid(_("the newsletter was sent and can no longer be changed: make a copy of it"))


def _tell_changed(campaign: Campaign, now: datetime, by: Person | str) -> None:
    mine = Q(actor_id=actor(by)) if isinstance(by, Person) else Q(values__by=str(by))
    if not JournalEntry.objects.filter(mine, list_id=campaign.list_id, event__in=("campaign.changed", "campaign.created"), at__gt=now - _QUIET, values__campaign=campaign.pk).exists():
        tell("campaign.changed", campaign, now, by)
