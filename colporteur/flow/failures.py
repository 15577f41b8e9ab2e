"""Who is told that copies of a post could not be delivered: its author, the owners or nobody, as the list's policy says.

One letter when a mailing ends, and a few for reports that come back later. Only owners are told the addresses: who is on a
list is not the authors' to know.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from colporteur.domain.mailings import CopyState
from colporteur.domain.policy import ReportsTo
from colporteur.flow import letters
from colporteur.flow.moderation import telling
from colporteur.store.mailings import Copy, Mailing, Refusal
from colporteur.store.people import Address
from colporteur.store.policies import policy

log = logging.getLogger("colporteur.letters")

SHOWN = 20
LATE_A_DAY = 3
"""Letters a day to one person about reports that came back late: whoever has a copy could send any number."""


def tell_ended(mailing_id: int, failed: int, total: int, now: datetime) -> None:
    """The letter when a mailing is done and ``failed`` of its ``total`` copies were refused. Never stops the caller."""
    if failed:
        _safely(mailing_id, failed, total, None, now)


def tell_report(mailing_id: int, address: Address, said: str, now: datetime) -> None:
    """The letter about a report that one copy did not arrive. Never stops the caller."""
    if said.startswith("failed"):
        _safely(mailing_id, 1, 0, f"{address.email}: {said}", now)


def _safely(mailing_id: int, failed: int, total: int, late: str | None, now: datetime) -> None:
    try:
        with transaction.atomic():
            _tell(mailing_id, failed, total, late, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # the letter matters less than the end of the mailing
        log.exception("nobody told of failures mailing=%s", mailing_id)


def _tell(mailing_id: int, failed: int, total: int, late: str | None, now: datetime) -> None:
    mailing = Mailing.objects.select_related("list__organisation", "list__domain", "post__list__organisation", "post__list__domain").get(pk=mailing_id)
    if mailing.post is None or mailing.list is None or (whom := policy(mailing.list).reports_to) is ReportsTo.NOBODY:
        return
    a_day = 0 if late is None else LATE_A_DAY
    fields: dict[str, object] = {"failed": str(failed), "total": str(total or Copy.objects.filter(mailing_id=mailing_id).count()), "owner": telling.owner_address(mailing.list)}
    if whom is ReportsTo.SENDER:
        telling.tell_author("undelivered", mailing.post, now, a_day=a_day, addresses="", **fields)
        return
    for to in telling.owners(mailing.list):
        if not a_day or letters.today("undelivered", to, mailing.list, now) < a_day:
            letters.send("undelivered", to, now, list_=mailing.list, fields=telling.about(mailing.post) | fields | {"addresses": late if late is not None else _addresses(mailing_id)})


def _addresses(mailing_id: int) -> str:
    """The first addresses that failed, each with what the other server said."""
    found = list(Copy.objects.filter(mailing_id=mailing_id, state=CopyState.FAILED).order_by("address_id").values_list("address_id", "address__email")[:SHOWN])
    texts = dict(Refusal.objects.filter(mailing_id=mailing_id, address_id__in=[id_ for id_, _email in found]).order_by("id").values_list("address_id", "text"))
    return "\n".join(f"{email}: {texts[id_][:200]}" if id_ in texts else email for id_, email in found)
