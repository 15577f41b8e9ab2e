"""What was written becomes one message with places for what differs from reader to reader, frozen when it is sent."""

from __future__ import annotations

import re
import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from colporteur.domain.addresses import Service
from colporteur.flow import tracking
from colporteur.flow.campaigns import content, files, readers
from colporteur.flow.letters import service_address
from colporteur.flow.mailings import transport_for
from colporteur.flow.rewriting import frozen
from colporteur.mail.campaigns import message
from colporteur.mail.campaigns.fields import Compiled
from colporteur.mail.campaigns.message import File, Manner, Newsletter
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.policies import policy

TEST = "[TEST] "


class Composed(NamedTuple):
    """``raw``: the message all copies are made from; ``rewriting``: how (``mailing.rewriting``)."""

    raw: bytes
    rewriting: dict[str, Any]
    subject: str


def compiled(campaign: Campaign) -> Compiled:
    """The texts of a campaign as they are now, ready to be read by any of its readers. Raises ``Invalid`` with what is wrong in its fields."""
    return content.rendered(campaign).compiled(readers.attributes_of(campaign))


def composed(campaign: Campaign, now: datetime, *, test: bool = False) -> Composed:
    """The message of a campaign as it is written now. ``test``: its subject says so, and nothing is counted.

    Raises ``Invalid`` when it cannot be made, or its fields are wrong.
    """
    list_, made, attributes = campaign.list, content.to_send(campaign), readers.attributes_of(campaign)
    subject = f"{TEST}{made.subject}" if test else made.subject
    html, text = (made.html, made.text) if test else tracking.track(campaign, made.html, made.text)
    used = made._replace(subject=subject, html=html, text=text).compiled(attributes).fields
    language = campaign.language or list_.language or list_.organisation.language
    raw = message.compose(
        Newsletter(
            sender_name=campaign.sender_name or list_.title or list_.address, sender=campaign.sender_address or list_.address, subject=subject, text=text, html=html,
            message_id=f"{uuid.uuid4().hex}@{list_.host}", date=now, language=language, reply_to=campaign.reply_to or service_address(list_, Service.OWNER)[0],
            feedback_id=f"{campaign.pk}:{list_.pk}:newsletter:{_sender_id(list_.host)}", files=[File(*file) for file in files.parts_of(campaign)],
        )
    )  # fmt: skip
    return Composed(raw, _manner(list_, language, used, attributes).to_json(), subject)


def _manner(list_: List, language: str, used: frozenset[str], attributes: tuple[str, ...]) -> Manner:
    """As the list's policy has it; no prefix and no footer, a newsletter has what was written; nobody may post to it."""
    listed = asdict(frozen(Mailing(list=list_, transport=transport_for(list_), language=language), policy(list_)))
    pages = readers.addresses("{token}")
    return Manner(
        **listed | {"prefix": "", "footer": "", "reply_to": (), "post": "NO"},
        leave_url=pages["url_unsubscribe"], preferences_url=pages["url_preferences"], web_url=pages["url_web"], used=tuple(sorted(used)), attributes=attributes,
    )  # fmt: skip


def _sender_id(host: str) -> str:
    """What large receivers know this sender by: 5 to 15 letters and digits."""
    return re.sub(r"[^a-z0-9]", "", host.lower())[:15].ljust(5, "0")
