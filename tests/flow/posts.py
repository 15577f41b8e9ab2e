"""Posts and errands as the doors leave them, and what our letters say."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

from colporteur.mail import headers
from colporteur.store.arrivals import Arrival, Errand, keep
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.posts import Post

NOW = datetime(2026, 11, 21, 9, 27, tzinfo=UTC)


def arrives(list_: List, raw: bytes, now: datetime = NOW, mail_from: str = "anybody@envelope.example", door: str = "lmtp") -> Post:
    """A received post."""
    arrival = Arrival.objects.create(blob_id=keep(raw), door=door, mail_from=mail_from, recipients=[list_.address], received_at=now)
    return Post.objects.create(list=list_, arrival=arrival, message_id=headers.message_id(raw), content_key=headers.content_key(raw), size=len(raw), received_at=now)


def asked(list_: List, service: str, raw: bytes, token: str = "", now: datetime = NOW, mail_from: str = "anybody@envelope.example") -> Errand:
    """A received errand."""
    recipient = f"{list_.name}-{service}{'+' + token if token else ''}@{list_.host}"
    arrival = Arrival.objects.create(blob_id=keep(raw), door="lmtp", mail_from=mail_from, recipients=[recipient], received_at=now)
    return Errand.objects.create(arrival=arrival, list=list_, service=service, token=token, recipient=recipient, received_at=now)


def letters(name: str = "") -> list[tuple[str, str, EmailMessage]]:
    """(letter, recipient, message) of every letter written so far, or of those called ``name``, oldest first."""
    rows = Mailing.objects.filter(kind="letter", **({"letter": name} if name else {})).select_related("blob").order_by("id")
    return [(row.letter, copy.address.email, read(bytes(row.blob.raw))) for row in rows for copy in Copy.objects.filter(mailing=row).select_related("address").order_by("address_id")]


def read(raw: bytes) -> EmailMessage:
    """A message as the standard library sees it."""
    return email.message_from_bytes(raw, policy=email.policy.default)


def text(message: EmailMessage) -> str:
    """The plain text of a letter."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def html(message: EmailMessage) -> str:
    """The HTML of a letter."""
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())
