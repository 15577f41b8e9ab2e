"""Mail to ``name-request`` and ``name-subscribe``: a short letter that says how the list works, once a day to each sender."""

from __future__ import annotations

import logging

from colporteur.domain.addresses import Service, readings
from colporteur.domain.policy import Leaving
from colporteur.flow import letters
from colporteur.flow.errands.message import Message
from colporteur.flow.moderation.telling import owner_address
from colporteur.store.lists import Alias, List
from colporteur.store.policies import policy

mail = logging.getLogger("colporteur.mail")


def request(message: Message) -> None:
    """Answer with help."""
    if message.list is None:
        _tell_domain(message)
    else:
        tell_help(message, message.list)


def _tell_domain(message: Message) -> None:
    """Mail to ``lists@domain``: how to reach a list's owners and to leave, whichever list it is; nothing about who is on which."""
    if not message.by_a_person:
        return
    to = message.author()
    if any(reading.service is not Service.POST for reading in readings(to.email)) or _one_of_ours(to.email) or letters.today("help", to, None, message.now):
        mail.info("request-unanswered errand=%s recipient=%s", message.errand.pk, message.errand.recipient)
        return
    domain = message.errand.recipient.rpartition("@")[2]
    name = {"en": "name", "fr": "nom"}[letters.language_of(to, None)]
    fields = {"list": "", "title": domain, "owner": f"{name}-owner@{domain}", "unsubscribe": f"{name}-unsubscribe@{domain}"}
    letters.send("help", to, message.now, fields=fields, in_reply_to=message.skim.message_id)


def _one_of_ours(email: str) -> bool:
    return List.objects.filter(address=email).exists() or Alias.objects.filter(address=email).exists()


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
