"""Received posts become held, accepted, rejected or discarded; each in a transaction of its own.

An attempt is booked before it is made, so that a message which kills the process is counted too; after the first failure
a post is tried alone, so that it takes no other with it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.utils import translation

from colporteur.domain.moderation import Action, Facts, Verdict, judge
from colporteur.domain.posts import PostState
from colporteur.flow import archive, mailings, standing
from colporteur.flow.moderation import telling
from colporteur.flow.moderation.facts import Case, gather, read
from colporteur.flow.moderation.sentences import reasons
from colporteur.store import jobs, journal
from colporteur.store.posts import Finding, Post, book, judged
from colporteur.store.standing import address_of

log = logging.getLogger("colporteur.moderation")
mail = logging.getLogger("colporteur.mail")

BATCH_POSTS, BATCH_BYTES = 50, 32 * 1024 * 1024
MOST = 200
"""Posts judged in one go."""
ATTEMPTS = 5
LEASE = timedelta(seconds=20)
"""How long a batch may take before somebody else looks at it again; deciding twice is stopped by compare-and-set."""
WAITS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
"""Waits after the first failures."""

STATES = {Action.ACCEPT: PostState.ACCEPTED, Action.HOLD: PostState.HELD, Action.REJECT: PostState.REJECTED, Action.DISCARD: PostState.DISCARDED}


def judge_due(now: datetime, limit: int = MOST) -> int:
    """Judge received posts, at most about ``limit``; how many were looked at, fewer when no more is due. The caller plans what was
    accepted."""
    done = 0
    while done < limit and (batch := book(now, now + LEASE, posts=BATCH_POSTS, size=BATCH_BYTES)):
        done += len(batch)
        _judge(batch, now)
    return done


def _judge(batch: Sequence[Post], now: datetime) -> None:
    cases: list[tuple[Post, Case]] = []
    for post in batch:
        try:
            if post.attempts > ATTEMPTS:
                raise RuntimeError(post.error or "the process ended while it worked on this message")
            cases.append((post, read(post.list, bytes(post.arrival.blob.raw), post.arrival.mail_from, post.pk, post.arrival.door)))
        except Exception as error:
            _failed(post, error, now)
    full = archive.without_room(post.list for post, _case in cases)
    for post, case, facts in _gathered(cases, now):
        post.unkept_at = now + archive.GRACE if post.list_id in full else None
        try:
            _record(post, case, facts, judge(facts), now)
        except (OperationalError, InterfaceError):
            raise  # the database's trouble, not the post's
        except Exception as error:
            _failed(post, error, now)


def _gathered(cases: Sequence[tuple[Post, Case]], now: datetime) -> list[tuple[Post, Case, Facts]]:
    """Facts of the batch; when that fails, of each alone, so that only the one to blame fails."""
    try:
        with transaction.atomic():
            return [(post, case, facts) for (post, case), facts in zip(cases, gather([case for _post, case in cases]), strict=True)]
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(cases) == 1:
            _failed(cases[0][0], error, now)
            return []
        return [found for one in cases for found in _gathered([one], now)]


@transaction.atomic
def _record(post: Post, case: Case, facts: Facts, verdict: Verdict, now: datetime) -> None:
    """Write the verdict and act on it; nothing happens when somebody else was first."""
    state = STATES[verdict.action]
    post.state, post.judged_at = state, now
    post.subject, post.sender, post.sender_name, post.defects = case.skim.subject, facts.sender, facts.sender_name, list(case.skim.defects)
    post.address = address_of(facts.sender) if facts.sender else None
    post.expires_at = now + timedelta(days=facts.policy.expire_days) if state is PostState.HELD else None
    if not judged(post, [Finding(rule=one.rule, action=one.action, reason=one.reason, values=dict(one.values), evidence=one.evidence[:1000]) for one in verdict.findings], now):
        return
    with translation.override("en"):  # what was said stays readable whatever becomes of the rules; screens show the findings in the reader's language
        why = reasons(verdict.findings)
    journal.write(f"post.{state}", now, organisation=post.list.organisation_id, list=post.list_id, post=post.pk, reasons=why, findings=[{"rule": f.rule, "action": f.action, "reason": f.reason, "values": dict(f.values)} for f in verdict.findings])
    _act(post, facts, verdict, now)
    mail.info("%s post=%s list=%s sender=%s rules=%s", state, post.pk, post.list.address, facts.sender or "-", ",".join(f"{f.rule}:{f.action}" for f in verdict.findings) or "-")


def _act(post: Post, facts: Facts, verdict: Verdict, now: datetime) -> None:
    """What follows from a verdict: the mailing, the notices."""
    policy, findings = facts.policy, verdict.findings
    known = facts.known or facts.member
    if verdict.action is Action.ACCEPT:
        if post.address and getattr(post.address, "standing", None):
            standing.heard_from([post.address.pk], now, by="post")
        mailings.create_for_post(post, now, policy)
        if policy.tell_unmoderated:
            telling.tell_author("sent", post, now, a_day=0 if known else 1)
    elif verdict.action is Action.HOLD:
        telling.tell_moderators(post, bytes(post.arrival.blob.raw), findings, now)
        telling.tell_held(post, policy, known, findings, now)
    elif verdict.action is Action.REJECT:
        telling.tell_rejected(post, policy, lambda: reasons(findings), now, a_day=1)


def _failed(post: Post, error: Exception, now: datetime) -> None:
    """Try again later, or set the post aside after the last attempt."""
    log.warning("judging failed post=%s attempt=%s", post.pk, post.attempts, exc_info=error)
    text = f"{type(error).__name__}: {error}".replace("\x00", "")[:500]
    if post.attempts >= ATTEMPTS:
        quarantine(post.pk, text, now, PostState.RECEIVED)
    else:
        Post.objects.filter(pk=post.pk, state=PostState.RECEIVED).update(error=text, next_try=now + WAITS[post.attempts - 1])


def quarantine(post_id: int, error: str, now: datetime, state: PostState) -> bool:
    """Set aside a post that stands in ``state`` and cannot be processed, and tell owners and administrators; False when it moved on."""
    with transaction.atomic():
        if not Post.objects.filter(pk=post_id, state=state).update(state=PostState.QUARANTINED, error=error, next_try=None):
            return False
        post = Post.objects.select_related("list__organisation", "list__domain").get(pk=post_id)
        journal.write("post.quarantined", now, organisation=post.list.organisation_id, list=post.list_id, post=post.pk, error=error)
        mail.error("quarantined post=%s list=%s error=%s", post.pk, post.list.address, error)
    try:
        with transaction.atomic():
            telling.tell_quarantined(post, now)
    except Exception:  # being set aside matters more than the letter about it
        log.exception("nobody told of quarantined post=%s", post_id)
    return True


@transaction.atomic
def retry(post_id: int, now: datetime, by: str) -> bool:
    """Process a quarantined post again; False when it is not quarantined any more."""
    moved = Post.objects.filter(pk=post_id, state=PostState.QUARANTINED).update(state=PostState.RECEIVED, attempts=0, next_try=None, error="")
    if moved:
        post = Post.objects.select_related("list").get(pk=post_id)
        journal.write("post.retried", now, organisation=post.list.organisation_id, list=post.list_id, post=post_id, by=by)
        jobs.wake(jobs.Wake.JUDGE)
    return bool(moved)
