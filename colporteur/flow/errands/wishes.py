"""What a message with commands asks for, read again when it is confirmed: the token of the letter names the errand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.addresses import Service
from colporteur.domain.commands import read
from colporteur.domain.tokens import Purpose
from colporteur.flow import commands
from colporteur.flow.commands import Asked, Said
from colporteur.flow.errands.message import Message, message_of
from colporteur.mail.compose import first_lines
from colporteur.store.arrivals import Errand
from colporteur.store.lists import List
from colporteur.store.people import Address

GOOD_FOR = timedelta(days=7)


class Wish(NamedTuple):
    """Changes somebody asked for by mail and has not confirmed; ``list`` is None for addresses of a whole domain."""

    author: Address
    changes: Sequence[Asked]
    list: List | None


def asked(message: Message, author: Address) -> list[Asked]:
    """The commands of a message, each with its list."""
    list_ = message.list
    own = {list_.name, list_.address, *list_.aliases.values_list("address", flat=True)} if list_ else set()
    host = list_.host if list_ else message.errand.recipient.rpartition("@")[2]
    return commands.resolve(read(message.skim.subject, first_lines(message.raw), own), list_, host, author)


def wish(token: str, now: datetime) -> Wish | None:
    """What the token of a confirmation letter names; None when it is not ours or too old."""
    found = tokens.read(settings.TOKEN_KEY, Purpose.CONFIRM, token.strip().lower())
    if found is None:
        return None
    errand = Errand.objects.select_related("arrival__blob", "list__organisation", "list__domain").filter(pk=found[0], service=Service.REQUEST, received_at__gt=now - GOOD_FOR).first()
    author = Address.objects.select_related("person").filter(pk=found[1]).first()
    if errand is None or author is None:
        return None
    changes = [one for one in asked(message_of(errand, now), author) if one.changes and commands.refused(one, author) is None]
    return Wish(author, changes, errand.list)


def fulfil(wished: Wish, now: datetime) -> list[Said]:
    """Do what was wished; what became of each change."""
    return [commands.do(one, wished.author, now) for one in wished.changes]
