"""Commands by mail through a real Postfix: somebody joins, is admitted, pauses, and leaves every list, writing mail only."""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from colporteur.store.joining import JoinRequest
from colporteur.store.lists import RoleKind
from colporteur.store.memberships import Membership
from tests.flow.posts import read, text
from tests.servers.ports import wait_until
from tests.servers.postfix import Postfix
from tests.story.scenes import Installation, a_list, a_transport, give_role, message

pytestmark = pytest.mark.django_db(transaction=True)
MARC, OLGA = "marc@members.example", "olga@members.example"


def letter_called(postfix: Postfix, address: str, words: str) -> EmailMessage:
    """The letter whose text has these words, once it is there."""

    def found() -> list[EmailMessage]:
        return [letter for letter in map(read, postfix.messages(address)) if words in text(letter)]

    wait_until(lambda: bool(found()), 90, f"{address} got no letter with {words!r}: {postfix.words()[-2000:]}")
    return found()[-1]


def replies(postfix: Postfix, letter: EmailMessage, *lines: str) -> None:
    """What a mail program does with an answer: to Reply-To, the letter quoted below."""
    sender = re.sub(r".*<|>.*", "", str(letter["To"]))
    body = "\r\n".join([*lines, "", "On Saturday somebody wrote:", *(f"> {line}" for line in text(letter).splitlines())]) + "\r\n"
    to = str(letter["Reply-To"])
    raw = message(sender, to=to, subject=f"Re: {letter['Subject']}".replace("\n", " "), body=body, headers=[f"In-Reply-To: {letter['Message-ID']}"])
    postfix.send(sender, [to], raw)


def test_joining_pausing_and_leaving_by_mail_only(installation: Installation, tmp_path: Path) -> None:
    installation.start("receive", "worker")
    with Postfix(tmp_path / "postfix", lists={"lists.example": ("127.0.0.1", installation.lmtp_port)}, mailboxes=[MARC, OLGA]) as postfix:
        a_transport(f"smtp://127.0.0.1:{postfix.port}")
        amis = a_list("amis@lists.example", title="Amis", joining="approval")
        echecs = a_list("echecs@lists.example", members=[MARC], joining="confirm")
        give_role(amis, RoleKind.OWNER, OLGA)

        postfix.send(MARC, ["amis-request@lists.example"], message(f"Marc <{MARC}>", to="amis-request@lists.example", subject="", body="Bonjour,\r\nabonner Marc Le Goff\r\n-- \r\nMarc\r\n"))
        replies(postfix, letter_called(postfix, MARC, "asked that marc@members.example joins"))
        replies(postfix, letter_called(postfix, OLGA, "asks to join amis@lists.example"), "Accepter")
        letter_called(postfix, MARC, "is now a member of amis@lists.example")
        assert JoinRequest.objects.get().decided_by == OLGA

        postfix.send(MARC, ["amis-request@lists.example"], message(MARC, to="amis-request@lists.example", subject="suspend"))
        replies(postfix, letter_called(postfix, MARC, "receive nothing from amis@lists.example"))
        wait_until(lambda: Membership.objects.filter(list=amis, paused=True).exists(), 90)

        postfix.send(MARC, ["lists@lists.example"], message(MARC, to="lists@lists.example", subject="Unsubscribe *"))
        asking = letter_called(postfix, MARC, "leave the list echecs@lists.example")
        assert Membership.objects.filter(until__isnull=True, address__email=MARC).count() == 2
        replies(postfix, asking)
        wait_until(lambda: not Membership.objects.filter(until__isnull=True, address__email=MARC).exists(), 90, installation.words("worker")[-2000:])
        assert set(Membership.objects.filter(list__in=(amis, echecs)).values_list("left_by", flat=True)) == {"member"}
