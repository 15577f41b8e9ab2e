"""Who is written to about a post: its author, the moderators, the owners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from colporteur.domain import tokens
from colporteur.domain.addresses import Service
from colporteur.domain.policy import Policy
from colporteur.domain.posts import Decision
from colporteur.flow import letters
from colporteur.flow.moderation.known import Known
from colporteur.flow.moderation.sentences import Reasoned, reasons, sized
from colporteur.mail.parse import readable
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import audience_count
from colporteur.store.people import Address
from colporteur.store.posts import Post
from colporteur.store.rights import addresses_of, administrators

ATTACH_MOST = 10 * 1024 * 1024
"""Bytes up to which the original travels with the notice; what is larger many servers would not take."""

EXCERPT_LINES, EXCERPT_CHARACTERS = 12, 800
UNANSWERED = frozenset({"automatic", "loop"})
"""Rules whose findings mean that no person wrote the message: it is never answered (RFC 3834 section 2)."""


def moderators(list_: List) -> list[Address]:
    """Whom notices go to: the list's moderators, else its owners, else the site's administrators."""
    return addresses_of(list_, RoleKind.MODERATOR) or owners(list_)


def owners(list_: List) -> list[Address]:
    """Who looks after the list: its owners, else the site's administrators."""
    return addresses_of(list_, RoleKind.OWNER) or administrators()


def alerted(list_: List | None) -> list[Address]:
    """Who hears that a message could not be processed: owners, who know what it was, and the site's administrators, who can mend it."""
    return list({address.pk: address for address in [*(addresses_of(list_, RoleKind.OWNER) if list_ else []), *administrators()]}.values())


def moderation_token(post_id: int, address_id: int) -> str:
    """Signed name of one post for one moderator; it is good until the post is decided or expires."""
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.MODERATE, post_id, address_id)


def subject_of(post: Post) -> object:
    """The subject as letters show it."""
    return post.subject or gettext_lazy("(no subject)")


def about(post: Post) -> dict[str, object]:
    """Fields nearly every letter about a post has."""
    return {"list": post.list.address, "title": post.list.title or post.list.address, "subject": subject_of(post)}


def tell_moderators(post: Post, raw: bytes, findings: Sequence[Reasoned], now: datetime) -> int:
    """One letter to each moderator; how many."""
    shown = about(post) | {
        "sender": post.sender or gettext_lazy("unknown"),
        "name": post.sender_name or post.sender or gettext_lazy("Somebody"),
        "received": post.received_at,
        "size": lambda: sized(post.size),
        "reasons": lambda: reasons(findings),
        "excerpt": _excerpt(raw),
        "attached": "yes" if len(raw) <= ATTACH_MOST else "",
        "expires": timezone.localtime(post.expires_at).date() if post.expires_at else "",
        "audience": _members(audience_count(post.list)),
    }
    told = moderators(post.list)
    web = letters.public(post.list)
    for to in told:
        token = moderation_token(post.pk, to.pk)
        address, tag = letters.service_address(post.list, Service.MODERATE, token)
        links = _web_links(token) if web else _mail_links(address, tag, post.subject)
        original = raw if len(raw) <= ATTACH_MOST else None
        letters.send("held", to, now, list_=post.list, reply_to=address, tag=tag, original=original, fields=shown | links | {"reply": address})
    return len(told)


def _members(count: int) -> object:
    return lambda: ngettext("%(count)d member", "%(count)d members", count) % {"count": count}


def _web_links(token: str) -> dict[str, object]:
    page = f"{settings.BASE_URL}/m/{token}"
    return {"web": "yes", "link": page, **{field: f"{page}?do={decision}" for field, decision in _BUTTONS.items()}}


def _mail_links(address: str, tag: str, subject: str) -> dict[str, object]:
    """Where nobody outside reaches our web server each button opens an answer by mail."""
    return {"web": "", "link": "", **{field: letters.mailto(address, tag, subject, field) for field in _BUTTONS}}


_BUTTONS = {"distribute": Decision.RELEASE, "reject": Decision.REJECT, "discard": Decision.DISCARD}


def _excerpt(raw: bytes) -> str:
    """The beginning of the message as text."""
    lines = [line.rstrip() for line in readable(raw, limit=20_000).text.strip().splitlines()]
    text = "\n".join(lines[:EXCERPT_LINES])
    return text[:EXCERPT_CHARACTERS] + ("…" if len(text) > EXCERPT_CHARACTERS or len(lines) > EXCERPT_LINES else "")


def tell_author(letter: str, post: Post, now: datetime, *, a_day: int = 0, **fields: object) -> bool:
    """Write to the author of a post; not to somebody who cannot be read, nor to a program, nor to the list itself.

    ``a_day``: at most so many of these letters a day, 0 any number; for senders we do not know, because senders of
    spam are forged. Whether it was written.
    """
    if not post.sender or post.sender == post.list.address or any(finding.rule in UNANSWERED for finding in post.findings.all()):
        return False
    to, _made = Address.objects.select_related("person").get_or_create(email=post.sender, defaults={"name": post.sender_name})
    if a_day and letters.today(letter, to, post.list, now) >= a_day:
        return False
    letters.send(letter, to, now, list_=post.list, in_reply_to=post.message_id, fields=about(post) | fields)
    return True


def stranger(post: Post) -> bool:
    """Whether the author is neither member nor role holder anywhere in the organisation."""
    return not Known({post.sender}, {post.list.organisation_id}).known(post.sender, post.list.organisation_id)


def owner_address(list_: List) -> str:
    """Where questions go."""
    return letters.service_address(list_, Service.OWNER)[0]


def tell_held(post: Post, policy: Policy, known: bool, findings: Sequence[Reasoned], now: datetime) -> None:
    """The author of a held post, where the policy says so."""
    if policy.tell_waiting and (known or policy.tell_stranger_waiting):
        expires = timezone.localtime(post.expires_at).date() if post.expires_at else ""
        tell_author("waiting", post, now, a_day=0 if known else 1, reasons=lambda: reasons(findings), expires=expires)


def tell_rejected(post: Post, policy: Policy, reason: object, now: datetime, *, a_day: int = 0) -> bool:
    """The author of a rejected post, with the moderator's words or the rule's reason. Whether it was written."""
    return policy.tell_rejected and tell_author("rejected", post, now, a_day=a_day, reason=reason, owner=owner_address(post.list))


def tell_quarantined(post: Post, now: datetime) -> None:
    """Owners and administrators about a post that could not be processed; once, because a post is quarantined once."""
    fields = about(post) | {"sender": post.sender or gettext_lazy("unknown"), "received": post.received_at, "error": post.error, "link": f"{settings.BASE_URL}/posts/{post.pk}/"}
    for to in alerted(post.list):
        letters.send("quarantined", to, now, list_=post.list, fields=fields)
