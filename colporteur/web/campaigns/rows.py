"""Newsletters as the pages list them, and who may open one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet, Sum
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain.campaigns import CampaignState
from colporteur.domain.mailings import MailingState
from colporteur.domain.tracking import FEWEST, Hit, Why
from colporteur.flow.mailings import Totals, totals_of
from colporteur.store.campaigns import Campaign
from colporteur.store.people import Person
from colporteur.store.rights import Right, lists_for
from colporteur.store.tracking import CampaignTotals, Hits
from colporteur.web.guard import person_of
from colporteur.web.templatetags.look import mailing_words, thousands, to_come

UNSENT = (CampaignState.DRAFT, CampaignState.SCHEDULED)
"""Still being written: may be changed, copied, deleted."""


class Row(NamedTuple):
    """One newsletter of a table. ``total``: its copies, None before it is sent; ``became``: what became of them."""

    campaign: Campaign
    shape: str
    words: str
    total: int | None
    became: str


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
    kept = dict(CampaignTotals.objects.filter(campaign__in=found).values_list("campaign", "values"))
    opened = dict(Hits.objects.filter(campaign__in=found, what=Hit.OPENED, who=Why.READER).values_list("campaign").annotate(n=Sum("n")))
    return [_row(one, counted.get(one.mailing_id or 0), kept.get(one.pk), opened.get(one.pk, 0)) for one in found]


def _row(campaign: Campaign, totals: Totals | None, kept: dict[str, Any] | None, opened: int) -> Row:
    shape, words = in_words(campaign)
    if totals is None and campaign.state == CampaignState.SCHEDULED:
        return Row(campaign, shape, _("Scheduled"), None, words)
    if totals is None:
        return Row(campaign, shape, words, None, "")
    total, sent, failed = kept["fates"][:3] if kept else (totals.total, totals.sent, totals.failed)
    parts = [ngettext("%(n)s delivered", "%(n)s delivered", sent) % {"n": thousands(sent)}]
    if opened and total >= FEWEST:  # of fewer a total would name somebody
        parts.append(ngettext("opened %(n)s time", "opened %(n)s times", opened) % {"n": thousands(opened)})
    if failed:
        parts.append(ngettext("%(n)s refused", "%(n)s refused", failed) % {"n": thousands(failed)})
    return Row(campaign, shape, words, total, ", ".join(parts))


def in_words(campaign: Campaign) -> tuple[str, str]:
    """The dot and the words of a newsletter's state."""
    if campaign.mailing is not None:
        return mailing_words(campaign.mailing.state)
    if campaign.state == CampaignState.SCHEDULED:
        return "waiting", _("Leaves %(when)s") % {"when": to_come(campaign.send_at)}
    return "draft", _("Draft")
