"""Sending a post or a newsletter again to those who have no accepted copy of it: whose copies failed, or who joined since.

Who has an accepted copy, by any mailing of the post, at this address or another one of the same person, gets nothing; nor
who has one still on its way. A copy whose outcome nobody knows may have arrived: it counts as failed only when asked for.
"""

from __future__ import annotations

import logging
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.posts import PostState
from colporteur.flow import campaigns, mailings, nesting
from colporteur.flow.organisations import actor
from colporteur.store import copies, journal
from colporteur.store.campaigns import Campaign
from colporteur.store.jobs import Wake, wake
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address, Person
from colporteur.store.posts import Post
from colporteur.store.tracking import CampaignTotals

log = logging.getLogger("colporteur.mail")

_OPEN = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)


class Whom(StrEnum):
    """To whom a post is sent again."""

    FAILED = "failed"  # whose copies failed for good
    UNKNOWN = "unknown"  # these, and those whose copies may have arrived
    NEW = "new"  # members who joined since the post was accepted


class Preview(NamedTuple):
    """What sending again would do now. ``unknown``: how many more there would be with ``Whom.UNKNOWN``."""

    number: int
    first: list[str]  # addresses, at most twenty
    unknown: int
    under_way: Mailing | None  # the same was asked for already and is not done yet


class Resent(NamedTuple):
    """The mailing; ``made`` False: somebody was faster, it is theirs."""

    mailing: Mailing
    made: bool


def preview(mailing: Mailing, whom: Whom, now: datetime, *, by: Person | str = "") -> Preview:
    """Counts and the first addresses. Raises ``ValueError`` with a sentence when the mailing cannot be sent again, or not by this person."""
    thing = _theirs(mailing, by)
    count, first = _whom(thing, whom, now)
    unknown = _whom(thing, Whom.UNKNOWN, now)[0] - count if whom is Whom.FAILED else 0
    emails = dict(Address.objects.filter(pk__in=first).values_list("pk", "email"))
    return Preview(count, [emails[id_] for id_ in first], unknown, _under_way(thing, whom))


@transaction.atomic
def resend(mailing: Mailing, whom: Whom, now: datetime, *, by: Person | str) -> Resent:
    """A mailing of the post to those of ``whom``; asked for twice, also at once, there is one.

    Raises ``ValueError`` with a sentence: not a message of a list, not accepted, nobody to send to.
    """
    thing = _theirs(mailing, by)
    type(thing).objects.select_for_update(of=("self",)).get(pk=thing.pk)
    if under_way := _under_way(thing, whom):
        return Resent(under_way, False)
    count, _first = _whom(thing, whom, now)
    if not count:
        raise ValueError(_("nobody is left to send it to: everybody has a copy, or it is on its way"))
    if isinstance(thing, Campaign):
        made = campaigns.make_again(thing, mailing, whom.value, now)
    else:
        made = mailings.create_for_post(thing, now)
        Mailing.objects.filter(pk=made.pk).update(chosen=whom)
        made.chosen = whom
    journal.write("mailing.resent", now, actor=actor(by), list=made.list_id, post=made.post_id, mailing=made.pk, by=str(by), whom=whom.value, count=count)
    log.info("resent mailing=%d post=%s list=%s whom=%s copies=%d", made.pk, made.post_id, thing.list.address, whom.value, count)
    wake(Wake.PLAN)
    return Resent(made, True)


def _sent(mailing: Mailing) -> Post | Campaign:
    """What a mailing carries."""
    if mailing.kind == MailingKind.CAMPAIGN and mailing.campaign_id:
        if CampaignTotals.objects.filter(campaign=mailing.campaign_id).exists():
            raise ValueError(_("the details of this newsletter are gone: nobody can tell any more who has it. Copy it to send it anew"))
        found = Campaign.objects.select_related("list__organisation", "list__domain", "mailing").get(pk=mailing.campaign_id)
        if campaigns.unknown(found):
            raise ValueError(_("the details of the same newsletter for another list are gone: nobody can tell any more who has it. Copy it to send it anew"))
        return found
    return _post_of(mailing)


def _theirs(mailing: Mailing, by: Person | str) -> Post | Campaign:
    """What a mailing carries, when it goes to lists only that are theirs to write to."""
    thing = _sent(mailing)
    if isinstance(thing, Campaign) and (foreign := campaigns.not_theirs(thing, by)):
        raise ValueError(_("%(list)s is not yours to write to") % {"list": foreign.address})
    return thing


def _post_of(mailing: Mailing) -> Post:
    post = Post.objects.select_related("list__organisation", "list__domain", "arrival__blob").filter(pk=mailing.post_id).first() if mailing.post_id else None
    if post is None:
        raise ValueError(_("only messages of a list can be sent again"))
    if post.state != PostState.ACCEPTED:
        raise ValueError(_("the message is not distributed: it is %(state)s") % {"state": post.state})
    if post.unkept:
        raise ValueError(_("the text of this message was not kept: the archive was full when it came"))
    return post


def _whom(post: Post | Campaign, whom: Whom, now: datetime) -> tuple[int, list[int]]:
    if isinstance(post, Campaign):
        return campaigns.again(post, whom.value, now)
    earlier = list(post.mailings.order_by("id").values_list("id", "audience_at"))
    return copies.whom(post.list_id, now, excluded=mailings.left_out(post), earlier=[id_ for id_, _at in earlier], chosen=whom, since=min(at for _id, at in earlier), nested=nesting.reached_again(post))


def _under_way(thing: Post | Campaign, whom: Whom) -> Mailing | None:
    """An open mailing of the post or newsletter to the same people."""
    alike = [Whom.NEW] if whom is Whom.NEW else [Whom.FAILED, Whom.UNKNOWN]
    return thing.mailings.filter(chosen__in=alike, state__in=_OPEN).order_by("id").first()
