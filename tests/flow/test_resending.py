"""A post is sent again to those who have no accepted copy of it, and to nobody else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from colporteur.domain.mailings import CopyState
from colporteur.flow import mailings, planning, resending
from colporteur.flow.resending import Whom
from colporteur.store import copies
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Refusal, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, Person
from colporteur.store.posts import Post
from tests.daemons.delivering import a_mailing, sound
from tests.story.scenes import a_list, a_transport, join


def email(number: int) -> str:
    return f"member-{number:06}@members.example"


def settle(mailing: Mailing, state: CopyState, numbers: Sequence[int], code: int = 0, *, unknown: bool = False) -> None:
    """Copies of some members end so, as delivery would have written it."""
    ids = list(Address.objects.filter(email__in=[email(number) for number in numbers]).values_list("pk", flat=True))
    Copy.objects.filter(mailing=mailing, address__in=ids).update(state=state, code=code)
    if state == CopyState.FAILED:
        Refusal.objects.bulk_create(Refusal(mailing_id=mailing.pk, address_id=id_, at=timezone.now(), code=given, text="no") for id_ in ids for given in ((0, code) if unknown else (code,)))
    for slice_ in Slice.objects.filter(mailing=mailing):
        copies.recount(mailing.pk, slice_.number)


def to_whom(mailing: Mailing) -> set[str]:
    return set(Copy.objects.filter(mailing=mailing).values_list("address__email", flat=True))


def plan(mailing: Mailing) -> set[str]:
    while planning.plan_due(timezone.now()):
        pass
    sound(mailing)
    return to_whom(mailing)


@pytest.fixture
def sent(db: None) -> tuple[List, Mailing]:
    """A post to ten members: 1 to 6 accepted, 7 and 8 refused, 9 tried twice and never answered, 10 refused after no answer."""
    a_transport("smtp://127.0.0.1:9")
    list_ = a_list(members=10)
    mailing = a_mailing(list_)
    settle(mailing, CopyState.SENT, range(1, 7), 250)
    settle(mailing, CopyState.FAILED, [7, 8], 550)
    settle(mailing, CopyState.FAILED, [9], 0)
    settle(mailing, CopyState.FAILED, [10], 550, unknown=True)
    Mailing.objects.filter(pk=mailing.pk).update(state="done", finished=timezone.now())
    return list_, mailing


def test_to_those_who_failed_and_not_to_those_it_may_have_reached(sent: tuple[List, Mailing]) -> None:
    _list, mailing = sent
    preview = resending.preview(mailing, Whom.FAILED, timezone.now())
    assert (preview.number, preview.first, preview.unknown, preview.under_way) == (2, [email(7), email(8)], 2, None)
    made, new = resending.resend(mailing, Whom.FAILED, timezone.now(), by="Paul")
    assert new and plan(made) == {email(7), email(8)}
    made.refresh_from_db()
    assert (made.state, made.planned, made.post_id, made.chosen) == ("running", True, mailing.post_id, "failed")
    entry = JournalEntry.objects.get(event="mailing.resent")
    assert (entry.values["by"], entry.values["whom"], entry.values["count"]) == ("Paul", "failed", 2)


def test_unknown_outcomes_count_when_asked_for(sent: tuple[List, Mailing]) -> None:
    made, _new = resending.resend(sent[1], Whom.UNKNOWN, timezone.now(), by="Paul")
    assert plan(made) == {email(7), email(8), email(9), email(10)}


def test_to_members_who_joined_since(sent: tuple[List, Mailing]) -> None:
    list_, mailing = sent
    with pytest.raises(ValueError, match="nobody is left"):
        resending.resend(mailing, Whom.NEW, timezone.now(), by="Paul")
    join(list_, ["new-1@members.example", "new-2@members.example", "gone@members.example"], since=timezone.now())
    Membership.objects.filter(address__email="gone@members.example").update(until=timezone.now())
    Membership.objects.filter(address__email=email(1)).update(until=timezone.now())  # left, and joined again: has it
    join(list_, [email(1)], since=timezone.now())
    made, _new = resending.resend(mailing, Whom.NEW, timezone.now(), by="Paul")
    assert plan(made) == {"new-1@members.example", "new-2@members.example"}
    settle(made, CopyState.CANCELLED, [])
    Copy.objects.filter(mailing=made, address__email="new-1@members.example").update(state=CopyState.SENT)
    Copy.objects.filter(mailing=made, address__email="new-2@members.example").update(state=CopyState.FAILED, code=550)
    Mailing.objects.filter(pk=made.pk).update(state="done")
    with pytest.raises(ValueError, match="nobody is left"):
        resending.resend(mailing, Whom.NEW, timezone.now(), by="Paul")
    assert resending.preview(mailing, Whom.FAILED, timezone.now()).number == 3, "a new member it failed for is one of those who failed"


def test_never_to_one_who_has_it_by_another_mailing_or_address(sent: tuple[List, Mailing]) -> None:
    list_, mailing = sent
    first, _new = resending.resend(mailing, Whom.FAILED, timezone.now(), by="Paul")
    plan(first)
    settle(first, CopyState.SENT, [7], 250)
    settle(first, CopyState.FAILED, [8], 550)
    Mailing.objects.filter(pk=first.pk).update(state="done")
    assert resending.preview(mailing, Whom.FAILED, timezone.now()).first == [email(8)]
    anna = Person.objects.create(name="Anna")
    Address.objects.filter(email__in=[email(1), email(8)]).update(person=anna)
    with pytest.raises(ValueError, match="nobody is left"):
        resending.resend(first, Whom.FAILED, timezone.now(), by="Paul")
    join(list_, ["anna-at-work@members.example"], since=timezone.now())
    Address.objects.filter(email="anna-at-work@members.example").update(person=anna)
    assert resending.preview(mailing, Whom.NEW, timezone.now()).number == 0


def test_nor_to_one_whose_copy_is_on_its_way_nor_to_one_who_left_or_is_left_out(sent: tuple[List, Mailing]) -> None:
    list_, mailing = sent
    settle(mailing, CopyState.DEFERRED, [7], 450)
    Membership.objects.filter(list=list_, address__email=email(8)).update(paused=True)
    assert resending.preview(mailing, Whom.UNKNOWN, timezone.now()).first == [email(9), email(10)]
    Membership.objects.filter(list=list_, address__email=email(9)).update(until=timezone.now() - timedelta(seconds=1))
    assert resending.preview(mailing, Whom.UNKNOWN, timezone.now()).first == [email(10)]
    Post.objects.filter(pk=mailing.post_id).update(sender=email(10))
    List.objects.filter(pk=list_.pk).update(policy={"own_copy": False})
    assert resending.preview(mailing, Whom.UNKNOWN, timezone.now()).number == 0


def test_what_is_not_a_distributed_message_is_not_sent_again(sent: tuple[List, Mailing]) -> None:
    list_, mailing = sent
    letter = mailings.create_letter(b"Subject: x\r\n\r\ny\r\n", Address.objects.first(), timezone.now(), letter="help", subject="x", list_=list_, language="en")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="only messages of a list"):
        resending.resend(letter, Whom.FAILED, timezone.now(), by="Paul")
    Post.objects.filter(pk=mailing.post_id).update(state="quarantined")
    with pytest.raises(ValueError, match="not distributed"):
        resending.preview(mailing, Whom.FAILED, timezone.now())


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_make_one_mailing(sent: tuple[List, Mailing]) -> None:
    together, found = threading.Barrier(4), list[resending.Resent]()

    def click(whom: Whom) -> None:
        try:
            together.wait(30)
            found.append(resending.resend(Mailing.objects.get(pk=sent[1].pk), whom, timezone.now(), by="Paul"))
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=(whom,)) for whom in (Whom.FAILED, Whom.FAILED, Whom.UNKNOWN, Whom.FAILED)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [one.made for one in found].count(True) == 1 and len({one.mailing.pk for one in found}) == 1
    assert Mailing.objects.filter(post=sent[1].post).count() == 2
