"""Mail to ``name-owner``: passed on to the owners as it came."""

from __future__ import annotations

import logging

from colporteur.domain.addresses import readings
from colporteur.domain.moderation.loop import HOPS
from colporteur.flow import mailings
from colporteur.flow.errands.message import Message
from colporteur.flow.moderation.telling import owners
from colporteur.mail.reports import Automatic
from colporteur.store import journal
from colporteur.store.lists import Alias, List
from colporteur.store.people import Address

mail = logging.getLogger("colporteur.mail")


def owner(message: Message) -> None:
    """Pass it on, unless a program wrote it or it goes in circles."""
    list_ = message.list
    if list_ is None:
        return
    if message.automatic not in (Automatic.NONE, Automatic.BULK, Automatic.LIST) or len(message.skim.fields.get("received", ())) >= HOPS:
        mail.info("owner-mail-dropped errand=%s list=%s reason=%s", message.errand.pk, list_.address, message.automatic.value)
        return
    reached = _outside(owners(list_))
    if not reached:  # tried again, then set aside where an administrator sees it: taken mail does not vanish
        raise RuntimeError("nobody looks after this list: give it an owner")
    mailings.create_forward(message.raw, reached, message.now, list_=list_, subject=message.skim.subject)
    journal.write("errand.owner", message.now, organisation=list_.organisation_id, list=list_.pk)
    mail.info("owner-mail errand=%s list=%s owners=%d", message.errand.pk, list_.address, len(reached))


def _outside(found: list[Address]) -> list[Address]:
    """Without addresses of our own lists: mail passed on to one of those would come back here."""
    ways = {address.pk: [reading.address for reading in readings(address.email)] for address in found}
    wanted = [way for some in ways.values() for way in some]
    ours = {*List.objects.filter(address__in=wanted).values_list("address", flat=True), *Alias.objects.filter(address__in=wanted).values_list("address", flat=True)}
    return [address for address in found if not ours.intersection(ways[address.pk])]
