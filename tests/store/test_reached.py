"""Whom a long slice no longer reaches, also where its addresses are far apart: what is read between them is cut off."""

from __future__ import annotations

import pytest
from django.utils import timezone

from colporteur.store import copies
from colporteur.store.copies import Claimed
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership
from colporteur.store.nesting import Exclusion
from colporteur.store.standing import AddressStanding
from tests.daemons.delivering import a_mailing
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db

MEMBERS = 300


@pytest.mark.parametrize("apart", [1, 5])
@pytest.mark.parametrize("crowd", [False, True])
def test_of_a_long_slice_those_are_left_out_who_no_longer_receive(apart: int, crowd: bool) -> None:
    """``apart``: every so many of the list has a copy; ``crowd``: of the others all are in trouble and excluded."""
    a_transport("smtp://127.0.0.1:1")
    list_ = a_list(members=MEMBERS)
    mailing: Mailing = a_mailing(list_)
    now = timezone.now()
    with_copy = list(Copy.objects.filter(mailing=mailing).order_by("address").values_list("address", flat=True))
    others = [address for number, address in enumerate(with_copy) if number % apart]
    Copy.objects.filter(mailing=mailing, address__in=others).delete()
    here = [address for address in with_copy if address not in others]
    if crowd:
        AddressStanding.objects.bulk_create(AddressStanding(address_id=address, state=2, since=now) for address in others)
        Exclusion.objects.bulk_create(Exclusion(list=list_, address_id=address, since=now) for address in others)
    AddressStanding.objects.create(address_id=here[0], state=1, since=now)  # suspected only
    gone = [here[-1], here[-2], here[-3], here[-4], here[1]]
    Membership.objects.filter(address=gone[0]).update(until=now)
    Membership.objects.filter(address=gone[1]).update(paused=True)
    Membership.objects.filter(address=gone[2]).update(delivery="none")
    AddressStanding.objects.create(address_id=gone[3], state=2, since=now)
    Exclusion.objects.create(list=list_, address_id=gone[4], since=now)
    dues = copies.copies_of([Claimed(mailing.pk, 0, 0)], now)
    assert [due.address for due in dues] == here and len(here) >= 50
    assert {due.address for due in dues if not due.here} == set(gone)
