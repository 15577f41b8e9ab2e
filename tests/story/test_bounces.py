"""A real Postfix returns real delivery reports: for unknown, full and slow mailboxes, to signed addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.domain.mailings import CopyState
from colporteur.domain.tokens import Purpose
from colporteur.flow import copies, errands, moderation, planning
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.people import Address
from colporteur.store.standing import DeliveryEvent
from tests.flow.posts import arrives
from tests.servers.ports import wait_until
from tests.servers.postfix import Postfix
from tests.servers.scripted import scripted
from tests.story.scenes import Installation, a_list, a_transport, message

REPLIES = {b"unknown": b"550 5.1.1 <%s>: Recipient address rejected: User unknown\r\n", b"full": b"552 5.2.2 <%s>: mailbox is full\r\n", b"slow": b"451 4.3.0 <%s>: try again later\r\n"}


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


def test_postfix_returns_reports_of_unknown_full_and_slow_mailboxes(installation: Installation, tmp_path: Path) -> None:
    now = timezone.now()
    a_transport("folder:///tmp/colporteur-tests-outbox")
    names = [f"{kind}-{number}@members.example" for kind in ("unknown", "full", "slow") for number in range(3)]
    amis = a_list("amis@lists.example", members=[*names, "anna@members.example"], posting="world")
    post = arrives(amis, message("anna@members.example"), now)
    moderation.judge_due(now)
    planning.plan_due(now)
    mailing = Mailing.objects.get(post=post)
    prepared = copies.message_of(mailing.pk).prepared
    installation.start("receive")
    with (
        scripted(provider) as port,
        Postfix(tmp_path / "postfix", lists={"lists.example": ("127.0.0.1", installation.lmtp_port)}, relay=("127.0.0.1", port), options={"delay_warning_time": "1s"}) as postfix,
    ):
        for address in Address.objects.filter(email__in=[*names, "anna@members.example"]):
            token = tokens.sign(settings.TOKEN_KEY, Purpose.COPY, mailing.pk, address.pk)
            postfix.send(f"amis-bounces+{token}@lists.example", [address.email], prepared.copy_for(address.email, "", token))
        Copy.objects.filter(mailing=mailing).update(state=CopyState.SENT)
        Slice.objects.filter(mailing=mailing).update(done=True, sent=len(names) + 1)

        def known() -> bool:
            postfix.flush()
            errands.do_due(timezone.now())
            return DeliveryEvent.objects.count() >= len(names)

        wait_until(known, 60, "reports are missing")
    emails = dict(Address.objects.values_list("pk", "email"))
    found = Counter((emails[event.address_id].partition("-")[0], event.kind, event.reason) for event in DeliveryEvent.objects.all())
    assert found == {("unknown", "dead", "no_mailbox"): 3, ("full", "mailbox_state", "full"): 3, ("slow", "temporary", "delayed"): 3}
    assert not UnmatchedReport.objects.exists()
    assert installation.stop("receive") == {"receive": 0}
