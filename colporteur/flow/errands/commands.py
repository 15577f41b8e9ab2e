"""Mail to ``name-request``, ``name-subscribe`` and ``lists@domain``: commands in the subject or the text.

What only tells is answered to the address that asked. What changes something is confirmed first: anybody can write any
address into From. The answer to that letter, or its page, names this errand and is good for a week.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.addresses import Service
from colporteur.domain.commands import Verb, read
from colporteur.domain.tokens import Purpose
from colporteur.flow import commands, letters
from colporteur.flow.commands import Asked, Said
from colporteur.flow.errands import wishes
from colporteur.flow.errands.confirming import confirm
from colporteur.flow.errands.message import Message
from colporteur.flow.errands.request import answerable, tell_help
from colporteur.store.people import Address

mail = logging.getLogger("colporteur.mail")

A_DAY = 20
"""Letters one address gets in a day in answer to commands: senders are forged to make others' mailboxes overflow."""
LETTERS = ("answer", "commands", "joining", "help")


def request(message: Message) -> None:
    """Do what a message asks, as far as it can be done without a further word."""
    if not answerable(message):
        return
    author = message.author()
    if message.token:
        confirm(message)
        return
    if letters.written_today(author, LETTERS, message.now) >= A_DAY:
        mail.info("commands-unanswered errand=%s address=%s reason=%s", message.errand.pk, author.email, "too-many")
        return
    asked = wishes.asked(message, author)
    if asked and asked[0].command.verb is Verb.CONFIRM:
        confirm(replace(message, said=asked[0].command.word))
    elif not asked or asked[0].command.verb is Verb.HELP:
        tell_help(message)
    else:
        _answer(message, author, asked)


def subscribe(message: Message) -> None:
    """Mail to ``name-subscribe``: whatever it says, its author wants to join."""
    if not answerable(message) or message.list is None:
        return
    author = message.author()
    if letters.written_today(author, LETTERS, message.now) < A_DAY:
        asked = read("subscribe", [], [message.list.address])
        _answer(message, author, [Asked(asked[0], message.list)])


def _answer(message: Message, author: Address, asked: Sequence[Asked]) -> None:
    host = message.errand.recipient.rpartition("@")[2]
    said: list[Said] = []
    changes: list[Asked] = []
    for one in asked:
        if one.command.verb is Verb.SUBSCRIBE:
            if (words := commands.subscribe(one, author, message.now, message.skim.message_id, message.proof(one.list))) is not None:
                said.append(words)
        elif not one.changes:
            said.append(commands.look(one, author, host))
        elif (why := commands.refused(one, author)) is not None:
            said.append(why)
        elif one.command.verb is Verb.UNSUBSCRIBE and (words := commands.unsubscribe(one, author, message.now, message.proof(one.list))) is not None:
            said.append(words)
        else:
            changes.append(one)
    if said:
        fields = _about(message) | {"results": lambda: "\n\n".join(dict.fromkeys(words() for words in said))}
        letters.send("answer", author, message.now, list_=message.list, fields=fields, in_reply_to=message.skim.message_id)
    if changes:
        _ask(message, author, changes)


def _ask(message: Message, author: Address, changes: Sequence[Asked]) -> None:
    token = tokens.sign(settings.TOKEN_KEY, Purpose.CONFIRM, message.errand.pk, author.pk)
    address, tag = letters.service_address(message.list, Service.CONFIRM, token) if message.list else (message.errand.recipient, token)
    public = message.list is None or letters.public(message.list)
    fields = _about(message) | {
        "email": author.email, "wanted": lambda: "\n".join(commands.wanted(one) for one in changes), "link": f"{settings.BASE_URL}/c/{token}" if public else "", "reply": address,
    }  # fmt: skip
    letters.send("commands", author, message.now, list_=message.list, fields=fields, reply_to=address, tag=tag, in_reply_to=message.skim.message_id)


def _about(message: Message) -> dict[str, object]:
    list_ = message.list
    return {"list": list_.address if list_ else "", "title": (list_.title or list_.address) if list_ else message.errand.recipient.rpartition("@")[2]}
