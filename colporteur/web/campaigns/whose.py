"""Whose addresses somebody may see on a newsletter that goes to lists of others, too: those of readers of lists that are their own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from colporteur.flow import campaigns
from colporteur.flow.campaigns import readers
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Person
from colporteur.store.rights import Right, lists_for


def own_of(campaign: Campaign | None, person: Person) -> set[int] | None:
    """Of the lists it goes to, those whose readers somebody may see by name; None: all of them are theirs, so that everybody may be seen."""
    if campaign is None or person.is_admin:
        return None
    went = campaign.mailing.nested.get("lists", [campaign.list_id]) if campaign.mailing else []
    gone = List.objects.filter(pk__in=went).count() < len(went)  # whose it was nobody can tell any more
    if not gone and not campaigns.not_theirs(campaign, person):
        return None
    return set(lists_for(person, Right.MANAGE).filter(pk__in={*went, *readers.lists_of(campaign)}).values_list("pk", flat=True))


def own_of_mailing(mailing: Mailing, person: Person) -> set[int] | None:
    """The same for a mailing: of what is no newsletter to many, everybody may be seen by who sees it at all."""
    return own_of(mailing.campaign, person) if mailing.kind == "campaign" else None


def on(lists: Collection[int], at: datetime) -> QuerySet[Membership, int]:
    """Addresses that were on one of the lists at a moment."""
    return Membership.objects.filter(Q(until__isnull=True) | Q(until__gt=at), list__in=lists, since__lte=at).values_list("address", flat=True)
