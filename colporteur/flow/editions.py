"""What a digest says, in its list's language: subject, introduction, contents; and what stands for a message whose subject only is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain.digests import Cadence, DeliveryMode, Number
from colporteur.flow import moments
from colporteur.mail import digests
from colporteur.mail.digests import Digest, Message, Words
from colporteur.store.lists import List
from colporteur.store.posts import Post


class Edition(NamedTuple):
    """One digest, whatever its form."""

    cadence: Cadence
    number: Number
    at: datetime


def about(edition: Edition, list_: List, count: int, language: str) -> str:
    """The subject."""
    values = {"title": list_.title or list_.name, "volume": edition.number.volume, "issue": edition.number.issue, "n": count}
    with translation.override(language):
        if edition.cadence is Cadence.WEEKLY:
            return ngettext("%(title)s, weekly digest, vol. %(volume)s, no. %(issue)s: %(n)s message", "%(title)s, weekly digest, vol. %(volume)s, no. %(issue)s: %(n)s messages", count) % values
        return ngettext("%(title)s, digest, vol. %(volume)s, no. %(issue)s: %(n)s message", "%(title)s, digest, vol. %(volume)s, no. %(issue)s: %(n)s messages", count) % values


def written(edition: Edition, mode: DeliveryMode, part: str, posts: Sequence[Post], list_: List, language: str, zone: ZoneInfo, *, most: int) -> bytes:
    """The message of a digest. ``part`` tells apart digests of one number with other messages; of a message beyond ``most``
    bytes only the text is in it."""
    number = edition.number
    messages = [Message(bytes(post.arrival.blob.raw), post.size <= most) for post in posts]
    with translation.override(language):
        digest = Digest(
            sender_name=list_.title or list_.name, sender=list_.address, subject=about(edition, list_, len(posts), language),
            message_id=f"digest-{list_.pk}-{edition.cadence}-{number.volume}-{number.issue}-{mode}-{part}@{list_.host}", date=edition.at.astimezone(zone), language=language,
            introduction=_introduction(list_, edition, mode, zone), words=_words(list_, edition),
        )  # fmt: skip
        return digests.plain(digest, messages) if mode.plain else digests.mime(digest, messages)


def of_message(raw: bytes, post: Post, list_: List, language: str, now: datetime) -> bytes:
    """What members get who want subjects only: author and subject in the header, as in the message itself; its attachments named."""
    with translation.override(language):
        lines = [_("%(author)s wrote to %(list)s. You chose to receive only the subject.") % {"author": post.sender_name or post.sender or "?", "list": list_.title or list_.address}]
        if named := digests.attachments(raw, _("- {name} ({size})")):
            lines += ["", _("Attached to it:"), *named]
    return digests.subject_only(raw, list_.address, "\n".join([*lines, ""]), f"subject-{post.pk}@{list_.host}", now, language)


def reading_words(language: str, *, one: bool) -> str:
    """What stands before the link to the page of a message or of a digest."""
    with translation.override(language):
        return _("Read the message:") if one else _("Read these messages on the web, with their attachments:")


def _introduction(list_: List, edition: Edition, mode: DeliveryMode, zone: ZoneInfo) -> str:
    day = moments.day(edition.at.astimezone(zone).date())
    values = {"title": list_.title or list_.name, "address": list_.address, "day": day, "volume": edition.number.volume, "issue": edition.number.issue}
    lines = [
        _("%(title)s <%(address)s>") % values,
        _("Digest of %(day)s, volume %(volume)s, number %(issue)s") % values,
        "",
        _("Your answer goes to the list. Please write in its subject what it is about instead of the name of this digest, and quote only what you answer to.")
        if mode.plain
        else _("Each message is attached as it was written: open it to answer it alone. An answer to the digest goes to the list; please write in its subject what it is about."),
    ]
    return "\n".join(lines)


def _words(list_: List, edition: Edition) -> Words:
    return Words(
        contents=_("In this digest:"),
        left_out=_("[Left out here: {name}, {size}]"),
        encrypted=_("[This message is encrypted; it can only be read as it was sent.]"),
        empty=_("[This message has no text.]"),
        numbered=_("Message: {n}"),
        end=_("End of %(title)s digest, vol. %(volume)s, no. %(issue)s") % {"title": list_.title or list_.name, "volume": edition.number.volume, "issue": edition.number.issue},
    )
