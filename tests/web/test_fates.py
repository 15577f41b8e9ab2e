"""“Did X get it?”: one sentence for every way a copy can fare."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from colporteur.domain.mailings import CopyState
from colporteur.flow import memberships
from colporteur.store import copies
from colporteur.store.arrivals import keep
from colporteur.store.mailings import CopyRow, Mailing, Refusal, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding, DeliveryEvent
from colporteur.web.mailings.fates import fate
from tests.web.conftest import World, signed_in

NAMES = ("sent", "refused", "deferred", "waiting", "complained", "returned", "paused", "lost", "late", "gone")


def _mailing(village: World) -> Mailing:
    """A mailing of which everybody fared differently."""
    now = timezone.now()
    memberships.add(village.list, [(f"{name}@x.example", "") for name in NAMES], now - timedelta(days=2), by="test")
    made = Mailing.objects.create(kind="post", list=village.list, state="running", blob_id=keep(b"Subject: x\r\n\r\ny\r\n"), audience_at=now - timedelta(hours=1), planned=True, created=now)
    ids = dict(Address.objects.filter(email__endswith="@x.example").values_list("email", "pk"))
    of = {name: ids[f"{name}@x.example"] for name in NAMES}
    copies.write_few(made.pk, [of[name] for name in NAMES[:6]], None, 5)
    for name, state in (("sent", CopyState.SENT), ("complained", CopyState.SENT), ("returned", CopyState.SENT), ("refused", CopyState.FAILED), ("deferred", CopyState.DEFERRED)):
        CopyRow.objects.filter(mailing=made, address=of[name]).update(state=state, place=None)
    for name in ("refused", "deferred"):
        Refusal.objects.create(mailing_id=made.pk, address_id=of[name], at=now, code=550, text=f"550 no {name}")
    Slice.objects.filter(mailing=made).update(due_at=now + timedelta(hours=3))
    for name, kind, severity in (("complained", "complaint", "none"), ("returned", "dead", "hard")):
        DeliveryEvent.objects.create(key=name, at=now, address_id=of[name], mailing_id=made.pk, kind=kind, severity=severity, fault="mailbox", reason="no_mailbox", origin="report")
    Membership.objects.filter(address=of["paused"]).update(paused=True)
    AddressStanding.objects.create(address_id=of["lost"], state=3, since=now, kind="dead", reason="no_mailbox")
    Membership.objects.filter(address=of["late"]).update(since=now)
    Membership.objects.filter(address=of["gone"]).update(until=now - timedelta(days=1))
    return made


def test_each_fate_has_its_sentence(village: World) -> None:
    mailing = _mailing(village)
    words = {
        "sent": "the mail server of the address accepted it", "refused": "refused for good: 550 no refused", "deferred": "It was deferred; next try t", "waiting": "its turn comes",
        "complained": "reported as spam", "returned": "then came back", "paused": "has paused the list", "lost": "mail does not reach", "late": "after the sending began", "gone": "it left the list",
        "anybody": "not known here",
    }  # fmt: skip
    for name, wanted in words.items():
        assert wanted in fate(mailing, f"{name}@x.example").sentence, name
    Mailing.objects.filter(pk=mailing.pk).update(state="paused")
    mailing.refresh_from_db()
    assert "the sending is paused" in fate(mailing, "waiting@x.example").sentence
    Address.objects.create(email="never@x.example")
    assert "never on the list" in fate(mailing, "never@x.example").sentence


def test_the_page_answers_for_a_whole_address_and_hands_out_the_failures(village: World) -> None:
    mailing, owner = _mailing(village), signed_in(village.owner)
    page = owner.get(f"/sending/{mailing.pk}/?q=Gone@x.example").content.decode()
    assert "it left the list" in page and "No copy like that" not in page
    answer = owner.get(f"/sending/{mailing.pk}/failed.csv")
    lines = answer.getvalue().decode().splitlines()
    assert lines[0] == "email,state,attempts,code,answer" and len(lines) == 3
    assert "refused@x.example,failed,0,,550 no refused" in lines
    assert signed_in(village.stranger).get(f"/sending/{mailing.pk}/failed.csv").status_code == 404
