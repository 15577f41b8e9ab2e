"""The short letter that says how a list works and which commands it knows: once a day to each sender."""

from __future__ import annotations

import logging

from colporteur.domain.addresses import Service, readings
from colporteur.flow import leaving, letters
from colporteur.flow.errands.message import Message
from colporteur.flow.moderation.telling import owner_address
from colporteur.store.lists import Alias, List
from colporteur.store.people import Address

mail = logging.getLogger("colporteur.mail")


def answerable(message: Message) -> bool:
    """Whether a person wrote it, not from an address of a list: nothing else is ever answered."""
    if not message.by_a_person:
        return False
    assert message.skim.sender is not None
    sender = message.skim.sender.email
    ours = any(reading.service is not Service.POST for reading in readings(sender)) or List.objects.filter(address=sender).exists() or Alias.objects.filter(address=sender).exists()
    if ours:
        mail.info("request-unanswered errand=%s recipient=%s", message.errand.pk, message.errand.recipient)
    return not ours


def tell_help(message: Message) -> None:
    """Say how the list works, or the lists of a domain, to a person who was not told today."""
    if not answerable(message):
        return
    to, list_ = message.author(), message.list
    if letters.today("help", to, list_, message.now):
        return
    fields = _of_list(list_) if list_ else _of_domain(message, to)
    letters.send("help", to, message.now, list_=list_, fields=fields, in_reply_to=message.skim.message_id)


def _of_list(list_: List) -> dict[str, object]:
    leave = leaving.asked_for(list_)
    return {"list": list_.address, "title": list_.title or list_.address, "owner": owner_address(list_), "unsubscribe": leave, "request": letters.service_address(list_, Service.REQUEST)[0]}


def _of_domain(message: Message, to: Address) -> dict[str, object]:
    """How to reach a list's owners and to leave, whichever list it is; nothing about who is on which."""
    domain = message.errand.recipient.rpartition("@")[2]
    name = {"en": "name", "fr": "nom"}[letters.language_of(to, None)]
    return {"list": "", "title": domain, "owner": f"{name}-owner@{domain}", "unsubscribe": f"{name}-unsubscribe@{domain}", "request": f"lists@{domain}"}
