"""A moderator decides, or nobody does in time. The first decision wins by compare-and-set."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from colporteur.domain import tokens
from colporteur.domain.posts import DECIDED, MOVES, Decision, PostState
from colporteur.flow import mailings
from colporteur.flow.moderation import telling
from colporteur.store import jobs, journal
from colporteur.store.lists import List, RoleKind
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy
from colporteur.store.posts import Post
from colporteur.store.rights import holds

log = logging.getLogger("colporteur.moderation")
mail = logging.getLogger("colporteur.mail")

EXPIRED_A_DAY = 5
"""Letters a sender we do not know gets about expired posts of one list in a day: what is held may be forged."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision: ``won``, or who was first (``by``, "" when nobody decided in time) and when.

    ``author_told``: this decision wrote a letter to the author.
    """

    won: bool
    state: PostState
    by: str
    at: datetime | None
    author_told: bool = False


@dataclass(frozen=True, slots=True)
class ModerationLink:
    """What a moderation token names. ``expired``: nobody may decide any more because the time is over."""

    post: Post
    address: Address
    expired: bool


def read_moderation_token(token: str, now: datetime | None = None) -> ModerationLink | None:
    """The post and moderator a token names; None when we did not make it, or the address may not decide (any more)."""
    found = tokens.read(settings.TOKEN_KEY, tokens.Purpose.MODERATE, token.strip().lower())
    if found is None:
        return None
    post = Post.objects.select_related("list__organisation", "list__domain", "arrival").filter(pk=found[0]).first()
    address = Address.objects.select_related("person").filter(pk=found[1]).first()
    if post is None or address is None or not may_decide(post.list, address):
        return None
    over = post.state == PostState.HELD and now is not None and post.expires_at is not None and post.expires_at <= now
    return ModerationLink(post, address, over or post.state == PostState.EXPIRED)


def may_decide(list_: List, address: Address) -> bool:
    """Whether the holder of this address decides about posts of the list: moderators, owners, administrators."""
    if address.person and not address.person.is_active:
        return False
    return holds(list_, address, RoleKind.MODERATOR, RoleKind.OWNER) or bool(address.person and address.person.is_admin)


def decide(post_id: int, decision: Decision, now: datetime, *, person: int | None = None, address: str = "", reason: str = "") -> Decided:
    """Decide about a held or quarantined post, for a signed-in ``person`` (id) or the moderator at ``address``.

    ``reason``: words to the author of a rejected post. Whoever is late changes nothing and is told who was first.
    Raises ``Post.DoesNotExist``.
    """
    with transaction.atomic():
        target = DECIDED[decision]
        holder = Person.objects.filter(pk=person).first() if person else Person.objects.filter(addresses__email=address).first()
        words = reason.replace("\x00", "").strip()[:4000]
        movable = [state for state in (PostState.HELD, PostState.QUARANTINED) if target in MOVES[state]]
        moved = Post.objects.filter(pk=post_id, state__in=movable).exclude(state=PostState.HELD, expires_at__lte=now).update(
            state=target, decided_at=now, decided_by=holder, decided_by_address=address, decision_reason=words, expires_at=None, error=""
        )
        if not moved:
            _expire(post_id, now)  # the time is over, though no worker has come by yet: the same whichever way the decision came
        post = Post.objects.select_related("list__organisation", "list__domain", "arrival", "decided_by").get(pk=post_id)
        outcome = Decided(bool(moved), PostState(post.state), decided_by(post), post.decided_at)
        if moved:
            journal.write("post.decided", now, actor=post.decided_by_id, organisation=post.list.organisation_id, list=post.list_id, post=post.pk, by=outcome.by, decision=decision.value, reason=words)
            mail.info("decided post=%s list=%s decision=%s by=%s", post.pk, post.list.address, decision, outcome.by)
            outcome = replace(outcome, author_told=_act(post, decision, now))
    return outcome


def _act(post: Post, decision: Decision, now: datetime) -> bool:
    """What follows from a decision; whether the author is told."""
    rules = policy(post.list)
    if decision is Decision.REJECT:
        return telling.tell_rejected(post, rules, post.decision_reason, now)
    if decision is Decision.DISCARD:
        return False
    mailings.create_for_post(post, now)
    told = rules.tell_distributed and telling.tell_author("distributed", post, now)
    jobs.wake(jobs.Wake.PLAN)
    return told


def decided_by(post: Post) -> str:
    """Who decided, in words; empty when nobody did."""
    return (str(post.decided_by) if post.decided_by else "") or post.decided_by_address


def expire_due(now: datetime, limit: int = 200) -> int:
    """End the waiting of posts nobody decided about in time, and tell their authors; how many."""
    due = Post.objects.filter(state=PostState.HELD, expires_at__lte=now).order_by("id").values_list("id", flat=True)[:limit]
    return sum(_expire(post_id, now) for post_id in list(due))


@transaction.atomic
def _expire(post_id: int, now: datetime) -> bool:
    if not Post.objects.filter(pk=post_id, state=PostState.HELD, expires_at__lte=now).update(state=PostState.EXPIRED):
        return False
    post = Post.objects.select_related("list__organisation", "list__domain").get(pk=post_id)
    journal.write("post.expired", now, organisation=post.list.organisation_id, list=post.list_id, post=post.pk)
    mail.info("expired post=%s list=%s sender=%s", post.pk, post.list.address, post.sender or "-")
    try:
        with transaction.atomic():
            if policy(post.list).tell_expired:
                telling.tell_author("expired", post, now, a_day=EXPIRED_A_DAY if telling.stranger(post) else 0, received=post.received_at, owner=telling.owner_address(post.list))
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # the end of the waiting matters more than the letter about it, and others wait behind this one
        log.exception("author not told of expired post=%s", post_id)
    return True
