"""The way of reports, whole: worker, a real Postfix, a provider that refuses some, reports to signed addresses and to a mailbox, standings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.utils import timezone

from colporteur.flow import mailings, moderation, planning
from colporteur.store.arrivals import Arrival, Errand, ErrandState
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding, DeliveryEvent
from tests.flow.bounced import comes_back, posted
from tests.flow.posts import arrives
from tests.servers.dovecot import Dovecot
from tests.servers.ports import wait_until
from tests.servers.postfix import Postfix
from tests.servers.scripted import scripted
from tests.story.scenes import Installation, a_list, a_transport, message

REPLIES = {b"unknown": b"550 5.1.1 <%s>: Recipient address rejected: User unknown\r\n", b"full": b"552 5.2.2 <%s>: mailbox is full\r\n", b"slow": b"451 4.3.0 <%s>: try again later\r\n"}
AMIS, JARDIN, RETURNS = "amis@lists.example", "jardin@lists.example", "retours@shared.example"
WELL = [f"member-{number:03}@members.example" for number in range(990)]


def troubled(list_: str) -> list[str]:
    """Four mailboxes that do not exist, three that are full, three that are slow."""
    return [f"{kind}-{number}-{list_.partition('@')[0]}@members.example" for kind, many in (("unknown", 4), ("full", 3), ("slow", 3)) for number in range(many)]


def provider(lines: BinaryIO, send: Callable[[bytes], None]) -> None:
    """A provider whose mailboxes are what they are called."""
    send(b"220 mx.members.example ESMTP\r\n")
    for line in lines:
        word, _, rest = line.strip().partition(b":")
        verb = word.upper()[:4]
        if verb == b"RCPT":
            email = rest.strip(b" <>")
            send(next((reply % email for name, reply in REPLIES.items() if email.startswith(name)), b"250 2.1.5 Ok\r\n"))
        elif verb == b"DATA":
            send(b"354 Go on\r\n")
            for data in lines:
                if data == b".\r\n":
                    break
            send(b"250 2.0.0 Ok\r\n")
        elif verb == b"QUIT":
            send(b"221 2.0.0 Bye\r\n")
            return
        else:
            send(b"250 mx.members.example\r\n")


def events(list_: List) -> Counter[tuple[str, str, str]]:
    """What was learnt by reports about a list's copies: mailbox, kind, reason."""
    emails = dict(Address.objects.filter(email__in=troubled(list_.address)).values_list("pk", "email"))
    rows = DeliveryEvent.objects.filter(list_id=list_.pk, evidence__isnull=False)
    return Counter((emails[row.address_id].partition("-")[0], row.kind, row.reason) for row in rows)


def standings(list_: List) -> Counter[tuple[str, str, int]]:
    """Every address of those on the list that has one which is not good: mailbox, standing, failures."""
    rows = AddressStanding.objects.filter(state__gt=0, address__in=Membership.objects.filter(list=list_).values("address")).select_related("address")
    return Counter((row.address.email.partition("-")[0], row.standing.word, row.failures) for row in rows)


def test_reports_of_postfix_reach_standings_by_signed_addresses_and_by_a_mailbox(installation: Installation, tmp_path: Path) -> None:
    amis, jardin = (a_list(address, members=[*WELL, *troubled(address)], posting="world") for address in (AMIS, JARDIN))
    earlier = timezone.now() - timedelta(days=2)
    before = posted(amis, earlier)  # so that what comes back now is the second time
    for kind, reason in (("unknown", "no_mailbox"), ("full", "full")):
        comes_back(before, [email for email in troubled(AMIS) if email.startswith(kind)], earlier, reason)
    with (
        scripted(provider) as port,
        Dovecot(tmp_path / "dovecot", {RETURNS: "secret"}) as dovecot,
        Postfix(
            tmp_path / "postfix", lists={"lists.example": ("127.0.0.1", installation.lmtp_port)}, mailbox_lmtp={"shared.example": ("127.0.0.1", dovecot.ports["lmtp"])},
            relay=("127.0.0.1", port), options={"delay_warning_time": "1s"},
        ) as postfix,
    ):  # fmt: skip
        a_transport(f"smtp://127.0.0.1:{postfix.port}")
        installation.cli("mailbox", "add", JARDIN, dovecot.url("imap", RETURNS), "--only-reports", "--no-test")
        installation.start("receive", "worker", "collect")
        for list_ in (amis, jardin):
            postfix.send("anna@members.example", [list_.address], message("anna@members.example", list_.address))

        left = Mailing.objects.filter(kind="post", state="done").exclude(pk=before.pk)

        def returned() -> bool:
            return left.count() == 2 and all(sum(events(list_).values()) >= 10 for list_ in (amis, jardin)) and len(postfix.waiting()) == 6  # the slow ones

        wait_until(returned, 120, "reports are missing")
        reports = [(arrival.recipients[0], bytes(arrival.blob.raw)) for arrival in Arrival.objects.filter(recipients__0__startswith="amis-bounces+").select_related("blob")]
        for to, raw in reports:  # each once more, in other bytes
            postfix.send("", [to], b"X-Again: yes\r\n" + raw)
        wait_until(lambda: Errand.objects.filter(list=amis, state=ErrandState.DONE).count() == 20, 60, "the second reports are missing")
    assert {name: mailings.totals(id_).sent for name, id_ in Mailing.objects.filter(kind="post").exclude(pk=before.pk).values_list("list__address", "pk")} == {AMIS: 1000, JARDIN: 1000}
    learnt = {("unknown", "dead", "no_mailbox"): 4, ("full", "mailbox_state", "full"): 3, ("slow", "temporary", "delayed"): 3}
    assert events(amis) == events(jardin) == learnt
    assert not UnmatchedReport.objects.exists()
    assert standings(amis) == {("unknown", "paused", 2): 4, ("full", "shaky", 2): 3}
    assert standings(jardin) == {("unknown", "shaky", 1): 4, ("full", "shaky", 1): 3}
    assert installation.stop() == {"receive": 0, "worker": 0, "collect": 0}
    later = timezone.now()
    arrives(amis, message("anna@members.example", subject="The next one"), later)
    moderation.judge_due(later)
    planning.plan_due(later)
    left_out = {row for row in troubled(AMIS) if row.startswith("unknown")}
    assert set(Copy.objects.filter(mailing=Mailing.objects.latest("pk")).values_list("address__email", flat=True)) == {*WELL, *troubled(AMIS)} - left_out
