"""What became of one person's copy, in one sentence: "did X get it?"."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.bounces import Kind
from colporteur.domain.mailings import CopyState, MailingState
from colporteur.domain.standing import Standing
from colporteur.flow import standing
from colporteur.store.campaigns import CampaignAudience
from colporteur.store.copies import PARKED
from colporteur.store.mailings import Copy, Mailing, Refusal, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding, DeliveryEvent
from colporteur.store.tracking import NamedHit
from colporteur.web.campaigns.whose import on
from colporteur.web.templatetags.look import on_day, to_come


class Fate(NamedTuple):
    """An address, the dot of its state, and what happened, as a person says it. ``copy``: it has one, sent or not."""

    email: str
    shape: str
    sentence: str
    copy: bool


def fate(mailing: Mailing, email: str, own: Collection[int] | None = None) -> Fate:
    """What became of the copy for this address, or why there is none. In a fixed number of questions. ``own``: as far as these lists
    know; who is on others only was never on the list."""
    address = Address.objects.filter(email=email).first()
    if address is None:
        return Fate(email, "paused", _("This address is not known here: nothing was meant for it."), False)
    shown = own is None or on(own, mailing.audience_at).filter(address=address).exists()
    copy = Copy.objects.filter(mailing=mailing, address=address).first() if shown else None
    shape, sentence = _of_copy(mailing, copy, address) if copy else ("paused", _why_none(mailing, address, _lists(mailing) if own is None else own))
    return Fate(email, shape, sentence, copy is not None)


def _of_copy(mailing: Mailing, copy: Copy, address: Address) -> tuple[str, str]:
    state = CopyState(copy.state)
    if state is CopyState.SENT:
        return _since_accepted(mailing, address)
    refusal = Refusal.objects.filter(mailing_id=mailing.pk, address_id=address.pk).order_by("-pk").first()
    reply = refusal.text if refusal else ""
    if state is CopyState.FAILED:
        return "broken", _("It was refused for good: %(reply)s") % {"reply": reply} if reply else _("It was refused for good.")
    if state is CopyState.CANCELLED:
        if mailing.state == MailingState.CANCELLED:
            return "paused", _("It did not leave: the sending was abandoned first.")
        return "paused", _("It did not leave: this person left the list, or paused, before its turn came.")
    if state is CopyState.DEFERRED:
        return "running", _deferred(mailing, copy, reply)
    if mailing.state == MailingState.PAUSED:
        return "paused", _("It has not left yet: the sending is paused.")
    return "draft", _("It has not left yet; its turn comes.")


def _deferred(mailing: Mailing, copy: Copy, reply: str) -> str:
    due = Slice.objects.filter(mailing=mailing, number=copy.slice, due_at__lt=PARKED).values_list("due_at", flat=True).first()
    text = _("It was deferred; next try %(when)s.") % {"when": to_come(due)} if due else _("It was deferred; the next try comes soon.")
    return _("%(text)s The answer was: %(reply)s") % {"text": text, "reply": reply} if reply else text


def _since_accepted(mailing: Mailing, address: Address) -> tuple[str, str]:
    """What was learnt since the copy was accepted: a report or a complaint goes before anything good."""
    event = DeliveryEvent.objects.filter(mailing_id=mailing.pk, address_id=address.pk).order_by("-at").first()
    if event and event.kind == Kind.COMPLAINT:
        return "broken", _("It was delivered, and reported as spam on %(day)s.") % {"day": on_day(event.at)}
    if event and event.severity == "hard":
        return "broken", _("It was accepted, then came back on %(day)s: %(reason)s") % {"day": on_day(event.at), "reason": standing.reason_in_words(event.reason)}
    hits = NamedHit.objects.filter(campaign=mailing.campaign_id, address=address).order_by("link").values_list("link", "first_at") if mailing.campaign_id else ()
    for link, at in list(hits)[-1:]:  # known only of who agreed to it
        return "done", (_("It was delivered; a link in it was followed on %(day)s.") if link else _("It was delivered, and opened on %(day)s.")) % {"day": on_day(at)}
    return "done", _("It was delivered: the mail server of the address accepted it.")


def _why_none(mailing: Mailing, address: Address, lists: Collection[int]) -> str:
    """Why no copy was made for somebody."""
    if not mailing.planned:
        return _("The copies are still being written; look again in a moment.")
    at = mailing.audience_at
    if address.pk in mailing.excluded:
        return _("It was not meant for this address: it was left out.")
    then = Q(since__lte=at) & (Q(until__isnull=True) | Q(until__gt=at))
    memberships = Membership.objects.filter(list__in=lists, address=address)
    member = memberships.filter(then).first()
    if member is None:
        return _not_a_member(memberships.order_by("-since").first(), at)
    row = AddressStanding.objects.filter(address=address).first()
    if row and row.state >= Standing.PAUSED:
        return _("It was not sent: mail does not reach this address. %(why)s") % {"why": standing.in_words(row)}
    if member.paused:
        return _("It was not sent: this person has paused the list.")
    if member.delivery != mailing.delivery:
        return _("It was not sent on its own: this person receives the list in another way.")
    return _("It was not meant for this address: it is not in the audience, or the same person has it at another address.")


def _lists(mailing: Mailing) -> set[int]:
    """The lists it went to, as they were frozen; else its own, or those a campaign names."""
    if "lists" in mailing.nested:
        return set(mailing.nested["lists"])
    named = CampaignAudience.objects.filter(campaign=mailing.campaign_id, left_out=False) if mailing.campaign_id else CampaignAudience.objects.none()
    found = {list_ or of for list_, of in named.values_list("list_id", "segment__list_id")}
    return found or {mailing.list_id or 0}


def _not_a_member(last: Membership | None, at: datetime) -> str:
    if last is None:
        return _("It was not meant for this address: it was never on the list.")
    if last.since > at:
        return _("It was not meant for this address: it joined on %(day)s, after the sending began.") % {"day": on_day(last.since)}
    return _("It was not meant for this address: it left the list on %(day)s.") % {"day": on_day(last.until)}
