"""Mail to ``name-confirm+TOKEN``, or with the token in the subject: the word a letter of ours asked for.

The token says what it is about: leaving, changes by command, joining, or an owner's decision about somebody who asks to
join or to leave.
"""

from __future__ import annotations

import logging

from colporteur.domain.addresses import Service
from colporteur.domain.posts import Decision
from colporteur.domain.tokens import Purpose
from colporteur.flow import joining, leaving, letters, memberships
from colporteur.flow.errands import wishes
from colporteur.flow.errands.leaving import tell
from colporteur.flow.errands.message import Message
from colporteur.flow.errands.moderate import Command, command
from colporteur.mail.compose import first_lines
from colporteur.store.arrivals import Errand
from colporteur.store.lists import List
from colporteur.store.people import Address

mail = logging.getLogger("colporteur.mail")


def confirm(message: Message) -> None:
    """Do what was asked, when the answer comes from a person, in time, and names something of this list."""
    if not message.by_a_person:
        return
    if message.numbers(Purpose.CONFIRM):
        _leave_or_change(message)
    elif found := joining.read_token(message.token, Purpose.JOIN):
        if found.request.list_id == message.errand.list_id and _from(message, found.address):
            joining.confirm(found.request.pk, message.now)
    elif found := joining.read_token(message.token, Purpose.ADMIT):
        if found.request.list_id == message.errand.list_id and _from(message, found.address):
            _admit(message, found)
    elif part := leaving.read_token(message.token):
        if part.request.list_id == message.errand.list_id and _from(message, part.owner) and (said := _verb(message)):
            leaving.decide(part.request.pk, said.decision is Decision.RELEASE, message.now, by=part.owner.email, reason=said.reason)
    elif (going := memberships.named_by_token(message.token)) and message.numbers(Purpose.LEAVE):
        if going.list.pk == message.errand.list_id and _from(message, going.address):
            _leave(message, going.list, going.address)
    else:
        mail.info("confirmation-ignored errand=%s recipient=%s", message.errand.pk, message.errand.recipient)


def _leave_or_change(message: Message) -> None:
    found = message.numbers(Purpose.CONFIRM)
    address = Address.objects.select_related("person").filter(pk=found[1]).first() if found else None
    asked = Errand.objects.filter(pk=found[0], list=message.list, received_at__gt=message.now - wishes.GOOD_FOR).first() if found else None
    if asked is None or address is None:
        return
    if asked.service == Service.UNSUBSCRIBE:
        if message.list is not None:
            _leave(message, message.list, address)
        return
    wished = wishes.wish(message.token, message.now)
    if wished is None or not wished.changes or not _from(message, address):
        return
    said = wishes.fulfil(wished, message.now)
    list_ = message.list
    title = (list_.title or list_.address) if list_ else message.errand.recipient.rpartition("@")[2]
    fields = {"list": list_.address if list_ else "", "title": title, "results": lambda: "\n".join(words() for words in said)}
    letters.send("answer", address, message.now, list_=list_, fields=fields, in_reply_to=message.skim.message_id)


def _leave(message: Message, list_: List, member: Address) -> None:
    tell(leaving.ask(list_, member, message.now, by=member.email, sure=leaving.Sure.SAID, door="mail"), list_, member, message)


def _verb(message: Message) -> Command | None:
    """An owner's verb in the first line of the answer, or in its subject."""
    return command(first_lines(message.raw)) or command([message.skim.subject])


def _admit(message: Message, link: joining.JoinLink) -> None:
    if said := _verb(message):
        joining.decide(link.request.pk, said.decision is Decision.RELEASE, message.now, by=link.address.email, reason=said.reason)


def _from(message: Message, address: Address) -> bool:
    """Whether a token that stands in subject or text, where answering and passing on spreads it, comes from whom it was given to."""
    if message.errand.token:
        return True
    author = message.author()
    return author.pk == address.pk or (author.person_id is not None and author.person_id == address.person_id)
