"""The ways of standings, whole: mail in over LMTP, a worker, mail out to a provider that has moods; a complaint, a stream that is
stopped, forged reports, a report told twice, probes. Days of waiting are arguments or rows put back; nothing here waits by the clock."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db.models import F
from django.test import Client
from django.utils import timezone

from colporteur.domain.standing import PROBES, SILENCE
from colporteur.flow import destinations, standing
from colporteur.store.arrivals import Errand, ErrandState
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.destinations import Stream
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding, DeliveryEvent
from colporteur.store.transports import Transport
from tests.flow.bounced import comes_back, posted, state
from tests.flow.posts import read, text
from tests.mail.reports_written import dsn, mail
from tests.servers.ports import wait_until
from tests.servers.sink import Session, Sink, Taken
from tests.story.scenes import Installation, a_list, a_person, a_transport, give_role, message

ADMIN, OWNER = "admin@lists.example", "olga@lists.example"
WELL = ["paul@members.example", "rose@members.example"]
ANSWERS, SILENT, LOST = "answers@members.example", "silent@members.example", "lost@members.example"
POLICY = "550 5.7.1 Your messages are not wanted here"


class Provider:
    """What the far server says: mailboxes in ``unknown`` do not exist; while it ``refuses``, nobody at orange.fr gets anything."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self.refuses, self.refused = False, 0
        self.open: set[int] = set()  # connections with a message for orange.fr
        self.most_open = 0

    def says(self, event: str, argument: str, session: Session) -> str | None:
        """A script for ``Sink``."""
        if event == "BODY":
            self.open.discard(session.number)
        if event != "RCPT":
            return None
        if argument in self.unknown:
            return f"550 5.1.1 <{argument}>: User unknown"
        if argument.endswith("@orange.fr"):
            if self.refuses:
                self.refused += 1
                return POLICY
            self.open.add(session.number)
            self.most_open = max(self.most_open, len(self.open))
        return None


class Site:
    """One installation with its provider."""

    def __init__(self, installation: Installation, sink: Sink, provider: Provider) -> None:
        self.installation, self.sink, self.provider = installation, sink, provider
        self.transport = a_transport(f"smtp://127.0.0.1:{sink.port}")
        Transport.objects.update(by_destination=True)
        destinations.ship()
        a_person(ADMIN, admin=True)

    def comes(self, *mails: tuple[str, str, bytes]) -> None:
        """Mail that is handed in over LMTP: (sender, recipient, message) of each."""
        with smtplib.LMTP("127.0.0.1", self.installation.lmtp_port) as client:
            for sender, to, raw in mails:
                assert not client.sendmail(sender, [to], raw)

    def posts(self, list_: List, subject: str) -> None:
        """Anna writes to a list."""
        self.comes(("anna@members.example", list_.address, message("anna@members.example", list_.address, subject)))

    def reaches(self, list_: List, subject: str, emails: Collection[str]) -> dict[str, Taken]:
        """Anna writes to a list, and exactly these get it: the copy of each."""
        self.posts(list_, subject)
        self.until(lambda: Mailing.objects.filter(list=list_, post__subject=subject, state="done").exists())
        copies = self.taken(subject)
        assert set(copies) == set(emails)
        return copies

    def taken(self, words: str) -> dict[str, Taken]:
        """Recipient -> what was taken with these words in it."""
        return {one.recipient: one for one in self.sink.taken if words.encode() in one.data}

    def until(self, true: Callable[[], object], seconds: float = 90) -> None:
        """Wait; the worker's last words when it does not come true."""
        wait_until(true, seconds, lambda: self.installation.words("worker")[-3000:])


def a_list_with_a_past() -> List:
    """Three of its members were reported dead two days ago: the next time is the second."""
    earlier, list_ = timezone.now() - timedelta(days=2), a_list("past@lists.example", members=[*WELL, ANSWERS, SILENT, LOST], posting="world")
    comes_back(posted(list_, earlier), [ANSWERS, SILENT, LOST], earlier)
    return list_


def dead(email: str) -> bytes:
    """A report that a mailbox does not exist."""
    return dsn("failed", "5.1.1", f"550 5.1.1 <{email}>: User unknown", email).encode()


def done(list_: List) -> int:
    """Errands of a list that are done."""
    return Errand.objects.filter(list=list_, state=ErrandState.DONE).count()


def lists_of(email: str) -> set[str]:
    """Where an address is a member now."""
    return set(Membership.objects.filter(address__email=email, until__isnull=True).values_list("list__address", flat=True))


def a_complaint_leaves_newsletters_at_once_and_one_click_leads_back(site: Site) -> None:
    cora = "cora@members.example"
    news, friends = a_list("news@lists.example", members=[cora, *WELL], template="newsletter", posting="world"), a_list("friends@lists.example", members=[cora, *WELL], posting="world")
    copy = site.reaches(news, "The June issue", [cora, *WELL])[cora]
    complaint = mail(
        "--b\nContent-Type: text/plain\n\nThis is an abuse report.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Provider/1\nVersion: 1\n\n--b\nContent-Type: message/rfc822\n\n",
        "feedback@provider.example", "FW: The June issue", 'Content-Type: multipart/report; report-type=feedback-report; boundary="b"', "MIME-Version: 1.0",
    )  # fmt: skip
    site.comes(("feedback@provider.example", copy.sender, complaint.encode() + copy.data + b"\r\n--b--\r\n"))
    site.until(lambda: site.taken("/back/"))
    assert state(cora) == "paused" and lists_of(cora) == {friends.address}
    assert Membership.objects.get(list=news, address__email=cora).left_by == "complaint"
    site.reaches(friends, "Friends without her", WELL)

    [(to, letter)] = site.taken("/back/").items()
    [link] = set(re.findall(r"https?://\S+/back/\S+", text(read(letter.data))))
    assert to == cora and link.startswith(site.installation.base_url)
    browser, page = Client(enforce_csrf_checks=True), urlsplit(link).path
    assert browser.get(page).status_code == 200 and state(cora) == "paused", "looking is not asking"
    assert browser.post(page).status_code == 200 and state(cora) == "good" and lists_of(cora) == {news.address, friends.address}
    site.reaches(news, "The July issue", [cora, *WELL])


def hours_pass(hours: float) -> None:
    """What waits for a moment has waited so long already."""
    Stream.objects.update(until=F("until") - timedelta(hours=hours), stopped_at=F("stopped_at") - timedelta(hours=hours))
    Slice.objects.filter(due_at__isnull=False).update(due_at=F("due_at") - timedelta(hours=hours))


def waits(mailing: Mailing) -> bool:
    """Whether everything that is left of it has a moment ahead to wait for: what a worker has in hand may have had one."""
    return not Slice.objects.filter(mailing=mailing, done=False).exclude(due_at__gt=timezone.now()).exists()


def a_provider_that_refuses_everything_is_left_alone_and_nobody_pays_for_it(site: Site) -> None:
    orange = [f"somebody-{number}@orange.fr" for number in range(12)]
    region = a_list("region@lists.example", members=[*orange, *WELL], posting="world")
    give_role(region, RoleKind.OWNER, OWNER)
    site.provider.refuses = True
    site.posts(region, "For the region")
    site.until(lambda: Stream.objects.filter(until__gt=timezone.now()).exists() and set(site.taken("For the region")) >= set(WELL))
    stream = Stream.objects.get()
    assert (stream.transport_id, stream.group.name, stream.reason) == (site.transport.pk, "orange", POLICY)
    mailing = Mailing.objects.get(post__subject="For the region")
    site.until(lambda: waits(mailing))
    assert mailing.state == "running" and not Copy.objects.filter(mailing=mailing, state=3).exists()
    site.until(lambda: set(site.taken(POLICY[10:])) == {ADMIN, OWNER})

    refused = site.provider.refused
    hours_pass(4.1)
    site.until(lambda: Stream.objects.get().stops == 2 and waits(mailing))  # the sample was refused
    assert site.provider.refused == refused + 1
    given_up = set(Copy.objects.filter(mailing=mailing, state=3).values_list("address__email", flat=True))  # it, when it was for the second time
    site.until(lambda: DeliveryEvent.objects.filter(list_id=region.pk, reason="policy").count() == len(given_up))
    site.provider.refuses = False
    hours_pass(8.1)
    site.until(lambda: Mailing.objects.get(pk=mailing.pk).state == "done")
    assert len(given_up) <= 1 and set(site.taken("For the region")) & {*orange, *WELL} == {*orange, *WELL} - given_up and site.provider.most_open == 1, "one at a time"
    assert Stream.objects.get().until, "reports need their time"
    hours_pass(1)
    site.reaches(region, "And again", [*orange, *WELL])
    assert not AddressStanding.objects.filter(address__email__in=orange, state__gt=0).exists()
    assert JournalEntry.objects.filter(event="stream.stopped").count() == 2 and sum(one.recipient == ADMIN for one in site.sink.taken) == 1


def a_thousand_forged_reports_move_nothing_and_a_true_one_told_three_times_counts_once(site: Site) -> None:
    members = [f"forged-{number}@members.example" for number in range(10)]
    list_ = a_list("forged@lists.example", members=members, posting="world")
    copies = site.reaches(list_, "Before", members)

    def forged(number: int) -> tuple[str, str, bytes]:
        """About a member: to an address without a signature, with one made up, or with a true one of which a letter is another."""
        email = members[number % len(members)]
        name, _plus, token = copies[email].sender.partition("@")[0].partition("+")
        signature = ["", "+" + "a" * len(token), f"+{'b' if token[0] == 'a' else 'a'}{token[1:]}", f"+{token[:-1]}{'b' if token[-1] == 'a' else 'a'}"][number // 10 % 4]
        return "", f"{name}{signature}@lists.example", dead(email).replace(b"See below.", b"Number %d." % number).replace(b"<1@home.example>", copies[email].message_id.encode())

    with ThreadPoolExecutor(20) as several:
        list(several.map(lambda first: site.comes(*map(forged, range(first, 1000, 20))), range(20)))
    site.until(lambda: done(list_) == 1000)
    assert set(UnmatchedReport.objects.filter(list_id=list_.pk).values_list("why", flat=True)) == {"forged", "unsigned"}
    assert UnmatchedReport.objects.filter(list_id=list_.pk).count() == 1000
    assert not DeliveryEvent.objects.filter(list_id=list_.pk).exists() and not AddressStanding.objects.filter(address__email__in=members).exists()

    true = ("", copies[members[0]].sender, dead(members[0]))
    site.comes(true, true, (*true[:2], b"X-Again: yes\n" + true[2]))
    site.until(lambda: state(members[0]) != "good" and done(list_) == Errand.objects.filter(list=list_).count())
    row = AddressStanding.objects.get(address__email=members[0])
    assert DeliveryEvent.objects.filter(list_id=list_.pk).count() == 1 and (state(members[0]), row.failures) == ("shaky", 1)
    site.reaches(list_, "After", members)


def probes_bring_back_who_answers_and_who_is_reached_and_nobody_else(site: Site) -> None:
    list_, three = List.objects.get(address="past@lists.example"), (ANSWERS, SILENT, LOST)
    copies = site.reaches(list_, "The second", [*WELL, *three])
    site.comes(*(("", copies[email].sender, dead(email)) for email in three))
    site.until(lambda: {state(email) for email in three} == {"paused"})
    site.reaches(list_, "The third", WELL)

    later: datetime = timezone.now() + PROBES[0]
    site.provider.unknown = {LOST}
    assert standing.probes_due(later) == 3
    site.until(lambda: Mailing.objects.filter(letter="probe", state="done").count() == 3 and AddressStanding.objects.get(address__email=LOST).probes == 1)
    assert set(probes(site)) == {ANSWERS, SILENT}
    absence = f"From: {ANSWERS}\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nI am away until Monday.\n"
    site.comes((ANSWERS, probes(site)[ANSWERS].sender, absence.encode()))
    site.until(lambda: state(ANSWERS) == "good")
    assert (state(SILENT), state(LOST)) == ("paused", "paused"), "nothing is known of the one, the other was refused"
    standing.probes_due(later + SILENCE)
    assert state(SILENT) == "good"
    site.reaches(list_, "The fourth", [*WELL, ANSWERS, SILENT])


def probes(site: Site) -> dict[str, Taken]:
    """Recipient -> the letter that tried the address, as the provider took it."""
    tried = Mailing.objects.filter(letter="probe").values("pk")
    wanted = set(Address.objects.filter(pk__in=Copy.objects.filter(mailing__in=tried).values("address")).values_list("email", flat=True))
    return {one.recipient: one for one in site.taken("/back/").values() if one.recipient in wanted}


def test_standings_move_by_what_comes_back_of_our_mail_and_by_nothing_else(installation: Installation) -> None:
    """The scenes share one installation; each has lists and people of its own."""
    provider = Provider()
    with Sink(provider.says) as sink:
        site = Site(installation, sink, provider)
        a_list_with_a_past()
        installation.start("receive", "worker")
        a_complaint_leaves_newsletters_at_once_and_one_click_leads_back(site)
        a_provider_that_refuses_everything_is_left_alone_and_nobody_pays_for_it(site)
        a_thousand_forged_reports_move_nothing_and_a_true_one_told_three_times_counts_once(site)
        probes_bring_back_who_answers_and_who_is_reached_and_nobody_else(site)
        assert installation.stop() == {"receive": 0, "worker": 0}
