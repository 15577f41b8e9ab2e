"""Newsletters as the pages list them, and who may open one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from colporteur.domain.campaigns import CampaignState
from colporteur.domain.mailings import MailingState
from colporteur.flow.mailings import Totals, totals_of
from colporteur.store.campaigns import Campaign
from colporteur.store.people import Person
from colporteur.store.rights import Right, lists_for
from colporteur.web.guard import person_of
from colporteur.web.templatetags.look import mailing_words, to_come

UNSENT = (CampaignState.DRAFT, CampaignState.SCHEDULED)
"""Still being written: may be changed, copied, deleted."""


class Row(NamedTuple):
    """One newsletter of a table. ``totals``: None before it is sent."""

    campaign: Campaign
    shape: str
    words: str
    totals: Totals | None


def campaigns_of(person: Person) -> QuerySet[Campaign]:
    """Newsletters of the lists the person may send for."""
    return Campaign.objects.filter(list__in=lists_for(person, Right.MANAGE)).select_related("list__organisation", "list__domain", "mailing")


def campaign_or_404(request: HttpRequest, number: int) -> Campaign:
    """The newsletter, for somebody who may send for its list; nobody else learns that it exists."""
    found = campaigns_of(person_of(request)).filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def draft_or_404(request: HttpRequest, number: int) -> Campaign:
    """A newsletter that may still be changed."""
    found = campaign_or_404(request, number)
    if found.state not in UNSENT:
        raise Http404
    return found


def kind_of(wish: str) -> Q:
    """What a filter of the list of newsletters leaves."""
    return {
        "draft": Q(state__in=UNSENT),
        "running": Q(mailing__state__in=[MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED]),
        "sent": Q(mailing__state__in=[MailingState.DONE, MailingState.CANCELLED]),
    }.get(wish, Q())


def rows(found: Sequence[Campaign], now: datetime) -> list[Row]:
    """Newsletters with their states in words and what became of their copies, in a fixed number of queries."""
    counted = totals_of([one.mailing_id for one in found if one.mailing_id], now)
    return [Row(one, *in_words(one), counted.get(one.mailing_id) if one.mailing_id else None) for one in found]


def in_words(campaign: Campaign) -> tuple[str, str]:
    """The dot and the words of a newsletter's state."""
    if campaign.mailing is not None:
        return mailing_words(campaign.mailing.state)
    if campaign.state == CampaignState.SCHEDULED:
        return "waiting", _("Leaves %(when)s") % {"when": to_come(campaign.send_at)}
    return "draft", _("Draft")
