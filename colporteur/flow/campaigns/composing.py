"""What was written becomes one message with places for what differs from reader to reader, frozen when it is sent."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from colporteur.domain.addresses import Service
from colporteur.flow.campaigns import content
from colporteur.flow.letters import service_address
from colporteur.flow.mailings import transport_for
from colporteur.flow.rewriting import frozen
from colporteur.mail.compose import Letter, compose
from colporteur.store.campaigns import Campaign
from colporteur.store.mailings import Mailing
from colporteur.store.policies import policy

TEST = "[TEST] "


class Composed(NamedTuple):
    """``raw``: the message all copies are made from; ``rewriting``: how (``mailing.rewriting``)."""

    raw: bytes
    rewriting: dict[str, Any]
    subject: str


def composed(campaign: Campaign, now: datetime, *, test: bool = False) -> Composed:
    """The message of a campaign as it is written now. ``test``: its subject says so."""
    list_ = campaign.list
    made = content.rendered(campaign)
    subject = f"{TEST}{made.subject}" if test else made.subject
    sender = campaign.sender_address or list_.address
    letter = Letter(
        sender_name=campaign.sender_name or list_.title or list_.address, sender=sender, to_name=list_.title, to=list_.address, subject=subject, text=made.text, html=made.html,
        message_id=f"<{uuid.uuid4().hex}@{list_.host}>", date=now, language=campaign.language or list_.language or list_.organisation.language,
        reply_to=campaign.reply_to or service_address(list_, Service.OWNER)[0], auto_submitted="",
    )  # fmt: skip
    rewriting = frozen(Mailing(list=list_, transport=transport_for(list_), language=letter.language), policy(list_))
    return Composed(compose(letter), replace(rewriting, prefix="", reply_to=()).to_json(), subject)
