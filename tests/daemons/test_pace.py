"""A lane under limits: slots, destination groups, long waits. Real rows, a real SMTP dialogue."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.domain.mailings import Priority
from colporteur.domain.transports import Share
from colporteur.flow import destinations, mailings
from colporteur.store.buckets import BucketRow, SlotsOut
from colporteur.store.destinations import DestinationGroup, MailDomain, Stream
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing, deliver_until, is_in, sound
from tests.domain.test_pacing import most_in_a_window
from tests.servers.sink import Session, Sink
from tests.story.scenes import a_list, a_transport, join

pytestmark = pytest.mark.django_db(transaction=True)


class Timed(Sink):
    """A sink that knows when it took each message, and how many of each domain were under way."""

    def __init__(self) -> None:
        super().__init__(self.watch)
        self.stamps: list[float] = []
        self.most: Counter[str] = Counter()
        self.now: Counter[str] = Counter()
        self.answers: dict[str, str] = {}  # domain -> answer to RCPT

    def watch(self, event: str, argument: str, session: Session) -> str | None:
        domain = argument.rpartition("@")[2] if event == "RCPT" else (session.recipients or ["@"])[0].rpartition("@")[2]
        if event == "RCPT":
            self.now[domain] += 1
            self.most[domain] = max(self.most[domain], self.now[domain])
            if domain in self.answers:
                self.now[domain] -= 1
                return self.answers[domain]
        if event == "BODY":
            self.now[domain] -= 1
            self.stamps.append(time.monotonic())
        return None


@pytest.fixture
def sink() -> Iterator[Timed]:
    with Timed() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        yield sink


def limit(kind: str, key: object, number: int, seconds: int) -> BucketRow:
    return BucketRow.objects.create(kind=kind, key=str(key), number=number, seconds=seconds)


def counts(mailing: Mailing) -> dict[str, int]:
    return {name: number for name, number in mailings.totals(mailing.id).counts.items() if number}


def test_a_limited_transport_sends_no_more_than_it_may_and_everything_in_the_end(sink: Timed) -> None:
    limit("transport", Transport.objects.get().pk, 60, 1)
    mailing = a_mailing(a_list(members=200))
    deliver_until(is_in(mailing, "done"), 60)
    assert len(sink.received()) == 200 and sink.repeated() == 0 and most_in_a_window(sink.stamps, 1) <= 60
    assert not SlotsOut.objects.exists()
    sound(mailing)


def test_of_two_that_share_the_second_sends_only_what_has_no_limit(sink: Timed) -> None:
    Transport.objects.update(connections=2)
    deliver_until(is_in(a_mailing(a_list(members=30)), "done"), share=Share(2, 2))
    limit("transport", Transport.objects.get().pk, 1000, 1)
    limited, looks = a_mailing(a_list("limited@lists.example", members=3)), iter(range(5))
    deliver_until(lambda: next(looks, None) is None, share=Share(2, 2))
    assert sink.received().total() == 30
    deliver_until(is_in(limited, "done"), share=Share(1, 2))
    assert sink.received().total() == 33


def test_a_list_without_a_limit_does_not_wait_for_one_that_has(sink: Timed) -> None:
    slow, fast = a_list("slow@lists.example", members=300), a_list("fast@lists.example", members=120)
    limit("list", slow.pk, 5, 1)
    first, second = a_mailing(slow), a_mailing(fast)
    deliver_until(is_in(second, "done"))
    assert counts(first).get("sent", 0) < 300
    Mailing.objects.filter(id=first.id).update(state="paused")


def test_a_quota_that_is_used_up_for_long_gives_slices_back_until_there_is_room(sink: Timed) -> None:
    limit("transport", Transport.objects.get().pk, 20, 3600)
    mailing = a_mailing(a_list(members=700))
    deliver_until(lambda: counts(mailing).get("sent") == 19 and Slice.objects.filter(mailing=mailing, due_at__gt=timezone.now() + timedelta(minutes=3)).count() == 2)
    assert not Slice.objects.filter(mailing=mailing, lease_until__isnull=False).exists()
    sound(mailing)


def grouped(sink: Timed, **values: object) -> DestinationGroup:
    Transport.objects.update(by_destination=True)
    return DestinationGroup.objects.create(name="big", title="Big", domains=["big.example"], **values)


def test_a_destination_has_no_more_connections_than_it_wants_while_others_go_on(sink: Timed) -> None:
    sink.pause = 0.005
    group = grouped(sink, connections=2)
    DestinationGroup.objects.filter(pk=group.pk).update(messages=7)
    list_ = a_list(members=100)
    join(list_, [f"b{number}@big.example" for number in range(60)])
    mailing = a_mailing(list_)
    deliver_until(is_in(mailing, "done"), 60)
    assert sink.most["big.example"] <= 2 < sink.most["members.example"]
    assert max(sum("@big.example" in word for word in session.commands) for session in sink.sessions) == 7, "a connection ends after so many"
    assert sink.repeated() == 0
    sound(mailing)


def test_policy_refusals_stop_the_stream_and_say_why_nobody_fails_and_others_go_on(sink: Timed) -> None:
    group = grouped(sink, connections=2)
    sink.answers["big.example"] = "550 5.7.1 We do not like your IP"
    list_ = a_list(members=40)
    join(list_, [f"b{number}@big.example" for number in range(30)])
    mailing = a_mailing(list_)
    rested = Slice.objects.filter(mailing=mailing, due_at__gt=timezone.now() + timedelta(hours=3))  # what was put off while the refusals halved its limit comes back first
    deliver_until(lambda: counts(mailing).get("sent") == 40 and rested.exists() and not Slice.objects.filter(mailing=mailing, done=False).exclude(due_at__gt=timezone.now()).exists())
    stream = Stream.objects.get()
    assert (stream.transport, stream.reason, stream.why) == (Transport.objects.get(), "550 5.7.1 We do not like your IP", "refused") and stream.until
    assert destinations.standings()[group.pk].rests_until is None, "other sending services go on"
    assert 3.9 < (stream.until - timezone.now()).total_seconds() / 3600 <= 4
    assert "failed" not in counts(mailing) and counts(mailing)["deferred"] <= 10
    assert Slice.objects.filter(mailing=mailing, due_at__range=(stream.until - timedelta(minutes=1), stream.until + timedelta(minutes=1))).exists()
    assert JournalEntry.objects.get(event="stream.stopped").values["reason"] == stream.reason
    sound(mailing)
    del sink.answers["big.example"]
    assert destinations.resume(group, timezone.now(), "Alice") and not destinations.resume(group, timezone.now(), "Alice")
    Slice.objects.filter(mailing=mailing, done=False).update(due_at=None)
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"sent": 70} and sink.repeated() == 0


def test_a_sample_that_is_refused_is_one_copy_whoever_sends_it(sink: Timed) -> None:
    group = grouped(sink)
    now = timezone.now()
    stream = Stream.objects.create(transport=Transport.objects.get(), group=group, until=now - timedelta(minutes=1), stopped_at=now - timedelta(hours=4), stops=1)
    sink.answers["big.example"] = "550 5.7.1 We do not like your IP"
    mailing = a_mailing(a_list(members=[f"b{number}@big.example" for number in range(30)]))
    deliver_until(lambda: not Slice.objects.filter(mailing=mailing, done=False).exclude(due_at__gt=timezone.now()).exists())
    stream.refresh_from_db()
    assert stream.stops == 2 and stream.until and stream.until > now + timedelta(hours=7)
    assert sum("@big.example" in word for session in sink.sessions for word in session.commands) == 1, "this lane had not met the others"
    assert counts(mailing) == {"queued": 29, "deferred": 1}
    sound(mailing)


def test_421_halves_the_pace_of_its_group_and_acceptances_widen_it_slowly(sink: Timed) -> None:
    group = grouped(sink, connections=4)
    sink.answers["big.example"] = "451 4.7.0 Slow down"
    list_ = a_list(members=5)
    join(list_, [f"b{number}@big.example" for number in range(10)])
    mailing = a_mailing(list_)
    deliver_until(lambda: DestinationGroup.objects.get().percent == 50 and counts(mailing).get("sent") == 5)
    group.refresh_from_db()
    assert group.reason == "451 4.7.0 Slow down" and not Stream.objects.exists()
    later = timezone.now() + timedelta(seconds=61)
    destinations.accepted([group.pk], later)
    destinations.accepted([group.pk], later)
    group.refresh_from_db()
    assert group.percent == 55 and group.last_success == later
    Mailing.objects.filter(id=mailing.id).update(state="paused")


def test_a_domain_is_looked_up_once_and_counts_by_its_exchanger() -> None:
    now = timezone.now()
    destinations.ship()
    destinations.ship()
    assert DestinationGroup.objects.count() == 7
    gmail = DestinationGroup.objects.get(name="gmail")
    assert destinations.groups_of(["gmail.com", "assoc.org", "members.example"], now) == {"gmail.com": gmail.pk, "assoc.org": 0, "members.example": 0}
    assert destinations.domains_to_look_up(now) == ["assoc.org"]
    destinations.remember([("assoc.org", ["aspmx.l.google.com"])], now)
    assert destinations.domains_to_look_up(now) == [] and destinations.groups_of(["assoc.org"], now) == {"assoc.org": gmail.pk}
    later = now + timedelta(days=8)
    assert destinations.domains_to_look_up(later) == ["assoc.org"]
    destinations.remember([("assoc.org", None)], later)
    assert MailDomain.objects.get().exchangers == ["aspmx.l.google.com"], "the DNS did not answer: what was known stays"
    orange = BucketRow.objects.get(kind="group", key=str(DestinationGroup.objects.get(name="orange").pk))
    assert (orange.number, orange.seconds, orange.profile) == (80, 60, "orange") and DestinationGroup.objects.get(name="orange").connections == 1


def test_a_newsletter_does_not_hold_up_a_post_nor_a_letter(sink: Timed) -> None:
    limit("transport", Transport.objects.get().pk, 30, 1)
    news, post = a_mailing(a_list("news@lists.example", members=600)), a_mailing(a_list("friends@lists.example", members=10))
    Mailing.objects.filter(id=news.id).update(priority=Priority.NEWSLETTER)
    Slice.objects.filter(mailing=news).update(priority=Priority.NEWSLETTER)
    deliver_until(is_in(post, "done"))
    assert counts(news).get("sent", 0) < 300
    assert Copy.objects.filter(mailing=post, state=2).count() == 10
    Mailing.objects.filter(id=news.id).update(state="paused")
