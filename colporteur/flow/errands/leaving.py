"""Mail to ``name-unsubscribe``: leaving a list by mail.

With the token of a copy it is done at once, and without one where the list takes a named server's word for who wrote. Else
anybody could have written it, so the member is asked first; the answer carries a token that names this errand and is good for
a week. Where an owner decides, the member is told so.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.addresses import Service
from colporteur.domain.tokens import Purpose
from colporteur.flow import commands, leaving, letters, memberships
from colporteur.flow.errands.message import Message
from colporteur.flow.errands.request import answerable, tell_help
from colporteur.flow.leaving import Outcome, Sure
from colporteur.flow.moderation.telling import owner_address
from colporteur.mail.reports import Automatic
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.policies import policy

REPORTS = (Automatic.REPORT, Automatic.COMPLAINT, Automatic.RECEIPT, Automatic.AUTO_REPLY)
"""What never asks to leave; a provider's one-click mail may well be made by a program."""


def unsubscribe(message: Message) -> None:
    """Leave by a copy's token, else ask the member."""
    if message.automatic in REPORTS:
        return
    if message.token:
        if found := leaving.by_token(message.token, message.now, by="unsubscribe mail", door="mail"):
            tell(found[1], found[0].list, found[0].address, message)
        return
    if message.list is not None and message.by_a_person:
        _ask(message, message.list)


def _ask(message: Message, list_: List) -> None:
    """Leave, or ask the member's own address; somebody who is no member, or may not ask, is told how it works here."""
    author = message.author()
    mine = Address.objects.filter(person=author.person_id) if author.person_id else Address.objects.filter(pk=author.pk)
    membership = Membership.objects.filter(list=list_, until__isnull=True, address__in=mine).select_related("address__person").order_by("id").first()
    if membership is None:
        tell_help(message)
        return
    member = membership.address
    vouched = (author.pk == member.pk or author.verified_at) and message.proof(list_)
    outcome = leaving.ask(list_, member, message.now, by=author.email, sure=Sure.VOUCHED if vouched else Sure.NO, door="mail")
    if outcome is not Outcome.UNSURE:
        tell(outcome, list_, member, message)
        return
    if letters.today("leaving", member, list_, message.now):
        return
    token = tokens.sign(settings.TOKEN_KEY, Purpose.CONFIRM, message.errand.pk, member.pk)
    address, tag = letters.service_address(list_, Service.CONFIRM, token)
    fields = {"list": list_.address, "title": list_.title or list_.address, "email": member.email, "decides": _decides(list_), "link": _link(list_, member), "reply": address}
    letters.send("leaving", member, message.now, list_=list_, fields=fields, reply_to=address, tag=tag, in_reply_to=message.skim.message_id)


def ask_to_leave(list_: List, member: Address, now: datetime, language: str = "") -> None:
    """The letter that asks a member whether to leave, for who asked on a page: the link or an answer says yes."""
    address, tag = letters.service_address(list_, Service.UNSUBSCRIBE, memberships.leave_token(list_, member))
    fields = {"list": list_.address, "title": list_.title or list_.address, "email": member.email, "decides": _decides(list_), "link": _link(list_, member), "reply": address}
    letters.send("leaving", member, now, list_=list_, fields=fields, reply_to=address, tag=tag, language=(member.person.language if member.person else "") or language)


def _decides(list_: List) -> str:
    """Not empty where an owner decides once the member said so."""
    return "" if policy(list_).leaving.by_oneself else "yes"


def _link(list_: List, member: Address) -> str:
    """The page that asks; "" where no page is reached."""
    return f"{settings.BASE_URL}/u/{memberships.leave_token(list_, member)}" if letters.public(list_) else ""


def tell(outcome: Outcome, list_: List, member: Address, message: Message) -> None:
    """Say to a member what became of the wish to leave; nothing to who is none."""
    if outcome is Outcome.LEFT:
        told_left(list_, member, message)
    elif outcome is Outcome.CLOSED:
        tell_help(message)
    elif outcome in (Outcome.WAITING, Outcome.REFUSED) and answerable(message) and not letters.today("answer", member, list_, message.now):
        fields = {"list": list_.address, "title": list_.title or list_.address, "results": lambda: commands.parted(outcome, list_)}
        letters.send("answer", member, message.now, list_=list_, fields=fields, in_reply_to=message.skim.message_id)


def told_left(list_: List, address: Address, message: Message) -> None:
    """Say to somebody who left that it is so."""
    fields = {"list": list_.address, "title": list_.title or list_.address, "email": address.email, "owner": owner_address(list_)}
    letters.send("left", address, message.now, list_=list_, fields=fields, in_reply_to=message.skim.message_id)
