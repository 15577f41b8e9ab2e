"""A stream is stopped by what came back, goes on by a sample, and nobody's address pays for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colporteur.domain.destinations import RETURNED_LEAST, Stop, next_rest, too_many
from colporteur.flow import copies, destinations, streams
from colporteur.store.destinations import DestinationGroup, Stream
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Slice
from colporteur.store.standing import AddressStanding
from tests.daemons.delivering import a_mailing
from tests.flow.bounced import comes_back, day, posted
from tests.flow.posts import letters, text
from tests.story.scenes import a_list, a_person, a_transport

ORANGE = [f"somebody-{number}@orange.fr" for number in range(12)]


@pytest.mark.parametrize(
    ("ours", "failed", "copies", "why"),
    [(0, 0, 0, None), (9, 0, 100, None), (10, 0, 100, Stop.REPORTED), (0, 19, 19, None), (0, RETURNED_LEAST, 40, None), (0, RETURNED_LEAST, 39, Stop.RETURNED)],
)
def test_what_is_too_many(ours: int, failed: int, copies: int, why: Stop | None) -> None:
    assert too_many(ours, failed, copies) is why


def test_each_stop_rests_longer_up_to_a_day() -> None:
    assert [next_rest(number) for number in (0, 1, 2, 9)] == [timedelta(hours=hours) for hours in (4, 8, 16, 24)]


@pytest.mark.django_db
def test_a_provider_that_refuses_everything_stops_the_stream_and_moves_nobody() -> None:
    a_person("admin@lists.example", admin=True)
    transport = a_transport("smtp://127.0.0.1:1")
    destinations.ship()
    DestinationGroup.objects.update(connections=7)
    group = DestinationGroup.objects.get(name="orange")
    list_ = a_list(members=[*ORANGE, "well@members.example"])
    mailing = posted(list_, day(0))
    comes_back(mailing, ORANGE[:9], day(0), "reputation")
    assert not Stream.objects.exists()
    comes_back(mailing, ORANGE[9:], day(0.01), "reputation")
    stream = Stream.objects.get()
    assert (stream.transport_id, stream.group_id, stream.until) == (transport.pk, group.pk, day(0.01) + timedelta(hours=4))
    assert not AddressStanding.objects.filter(state__gt=0).exists()
    assert JournalEntry.objects.filter(event="stream.stopped").count() == 1
    [(_, _, letter)] = letters("trouble")
    assert "postmasters" in text(letter)

    assert destinations.standings(transport.pk)[group.pk].rests_until == stream.until and destinations.standings()[group.pk].rests_until is None
    assert destinations.standings(transport.pk)[group.pk].connections == 1  # the sample, when the rest is over
    streams.accepted(transport.pk, [group.pk], day(0.2))
    assert Stream.objects.get().until  # not yet: reports need their time
    streams.accepted(transport.pk, [group.pk], day(0.3))
    assert Stream.objects.get().until is None and destinations.standings(transport.pk)[group.pk].connections == 7


@pytest.mark.django_db
def test_refusals_in_the_dialogue_stop_their_stream_alone_and_one_of_a_sample_stops_it_again() -> None:
    a_person("admin@lists.example", admin=True)
    ours, other = a_transport("smtp://127.0.0.1:1"), a_transport("smtp://127.0.0.1:2", "other", default=False)
    destinations.ship()
    group = DestinationGroup.objects.get(name="orange")

    def refused(at: float) -> bool:
        return streams.refused(ours.pk, group.pk, "550 5.7.1 No", timedelta(hours=5), day(at))

    assert not refused(0) and not refused(0)
    streams.accepted(ours.pk, [group.pk], day(0))
    assert [refused(0) for _ in range(4)] == [False, False, True, False], "an acceptance began the count again; the last was under way"
    assert destinations.standings(ours.pk)[group.pk].rests_until == day(0) + timedelta(hours=5) and destinations.standings(other.pk)[group.pk].rests_until is None
    assert group.state(day(0)) == "paused" and len(letters("trouble")) == 1
    assert refused(0.3) and Stream.objects.get().until == day(0.3) + timedelta(hours=8) and len(letters("trouble")) == 1


@pytest.mark.django_db
def test_what_is_put_off_for_a_stream_that_was_let_go_meanwhile_is_due_at_once() -> None:
    transport = a_transport("smtp://127.0.0.1:1")
    destinations.ship()
    group = DestinationGroup.objects.get(name="orange")
    mailing = a_mailing(a_list(members=["a@orange.fr"]))
    [work] = copies.claim(transport.pk, day(0), 60.0)
    group.streams.create(transport=transport, until=day(1))
    part = copies.Later(work.slice, [due.address for due in work.copies], day(2), group.pk)
    assert copies.put_off(transport.pk, [part], {}, day(0)) and Slice.objects.get(mailing=mailing, done=False).due_at == day(1)
    Slice.objects.filter(mailing=mailing).update(due_at=None)
    [work] = copies.claim(transport.pk, day(0), 60.0)
    assert destinations.resume(group, day(0), "Alice"), "the worker does not know yet"
    assert not copies.put_off(transport.pk, [part._replace(slice=work.slice)], {}, day(0)) and Slice.objects.get(mailing=mailing, done=False).due_at == day(0)


@pytest.mark.django_db
def test_a_message_most_of_which_came_back_stops_its_stream_once() -> None:
    a_transport("smtp://127.0.0.1:1")
    destinations.ship()
    many = [f"somebody-{number}@laposte.net" for number in range(30)]
    list_ = a_list(members=many)
    mailing = posted(list_, day(0))
    comes_back(mailing, many[:20], day(0))
    stream = Stream.objects.get()
    assert stream.why == Stop.RETURNED and stream.reason == "20 of 30 copies of one message came back"
    assert destinations.resume(stream.group, day(0.1), "Alice") and not destinations.resume(stream.group, day(0.1), "Alice")
    comes_back(mailing, many[20:25], day(0.2))
    assert Stream.objects.get().until is None  # the message was judged
