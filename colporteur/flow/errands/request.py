"""Mail to ``name-request`` and ``name-subscribe``: a short letter that says how the list works, once a day to each sender."""

from __future__ import annotations

import logging

from colporteur.domain.addresses import Service
from colporteur.domain.policy import Leaving
from colporteur.flow import letters
from colporteur.flow.errands.message import Message
from colporteur.flow.moderation.telling import owner_address
from colporteur.store.lists import List
from colporteur.store.policies import policy

mail = logging.getLogger("colporteur.mail")


def request(message: Message) -> None:
    """Answer with help."""
    if message.list is None:
        mail.info("request to a whole domain ignored errand=%s recipient=%s", message.errand.pk, message.errand.recipient)
        return
    tell_help(message, message.list)


def tell_help(message: Message, list_: List) -> None:
    """Say how the list works, to a person who was not told today."""
    if not message.by_a_person:
        return
    to = message.author()
    if to.email == list_.address or letters.today("help", to, list_, message.now):
        return
    leave = letters.service_address(list_, Service.UNSUBSCRIBE)[0] if policy(list_).leaving is Leaving.FREE else ""
    fields = {"list": list_.address, "title": list_.title or list_.address, "owner": owner_address(list_), "unsubscribe": leave}
    letters.send("help", to, message.now, list_=list_, fields=fields, in_reply_to=message.skim.message_id)
