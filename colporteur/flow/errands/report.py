"""Mail to ``name-bounces+TOKEN``: a report or refusal about one copy, journaled on it. A later issue acts on them.

A token that is not ours, or names a copy that is gone or too old, changes nothing.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.tokens import Purpose
from colporteur.flow import failures
from colporteur.flow.errands.message import Message
from colporteur.mail import headers
from colporteur.mail.reports import summary
from colporteur.store import journal
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Copy, Mailing

mail = logging.getLogger("colporteur.mail")

GOOD_FOR = timedelta(days=30)
"""Reports come within the five days a server keeps trying; a month is generous."""
MOST = 20
"""Reports kept about one copy: whoever has a copy could send any number."""


def report(message: Message) -> None:
    """Write it to the journal of the copy that its token names."""
    found = message.numbers(Purpose.COPY) or _returned(message)
    copy = Copy.objects.filter(mailing_id=found[0], address_id=found[1]).select_related("address").first() if found else None
    mailing = Mailing.objects.select_related("list").filter(pk=found[0], created__gt=message.now - GOOD_FOR).first() if found and copy else None
    if copy is None or mailing is None:
        _unmatched(message)
        return
    about = {"list": mailing.list_id, "post": mailing.post_id, "mailing": mailing.pk, "address": copy.address_id}
    said = summary(message.raw)
    mail.info("report mailing=%s address=%s kind=%s summary=%s", mailing.pk, copy.address.email, message.automatic.value, said)
    if JournalEntry.objects.filter(event="copy.report", mailing_id=mailing.pk, address_id=copy.address_id).count() < MOST:
        organisation = mailing.list.organisation_id if mailing.list else None
        journal.write("copy.report", message.now, organisation=organisation, email=copy.address.email, summary=said, kind=message.automatic.value, **about)
        failures.tell_report(mailing.pk, copy.address, said, message.now)


def _returned(message: Message) -> tuple[int, int] | None:
    """The copy that the returned original says it is, where the report came to an address without a token (a list run
    from a host that takes one envelope sender only). Signed as well; several different ones: nobody can tell which."""
    said = {found for token in headers.returned_tokens(message.raw) if (found := tokens.read(settings.TOKEN_KEY, Purpose.COPY, token))}
    return said.pop() if len(said) == 1 and not message.token else None


def _unmatched(message: Message) -> None:
    mail.info("report-unmatched errand=%s recipient=%s", message.errand.pk, message.errand.recipient)
    list_ = message.list
    journal.write("errand.unmatched", message.now, organisation=list_.organisation_id if list_ else None, list=list_.pk if list_ else None, recipient=message.errand.recipient)
