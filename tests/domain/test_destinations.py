"""What a provider's reply asks for, which group a domain is in, and what is used of a published figure."""

from __future__ import annotations

import pytest

from colporteur.domain.destinations import Act, Members, asked, group_of, halved, part, widened
from colporteur.domain.pacing import Rate
from colporteur.domain.providers import HOSTS, RECEIVERS, host_called, host_of

REPLIES = {receiver.name: receiver.replies for receiver in RECEIVERS}


@pytest.mark.parametrize(("provider", "code", "text", "act"), [
    ("", 421, "4.3.2 Too many connections", Act.SLOW), ("", 451, "4.7.1 Try again later", Act.SLOW), ("", 450, "4.7.1 Greylisted, see you soon", Act.NONE),
    ("", 454, "4.7.0 Relay quota used up", Act.WAIT), ("", 454, "4.4.0 Temporary failure", Act.WAIT), ("", 550, "5.7.1 Message refused by policy", Act.PAUSE), ("", 554, "5.7.26 not authenticated", Act.PAUSE),
    ("", 550, "5.1.1 No such user", Act.NONE), ("", 450, "4.2.0 Mailbox busy", Act.NONE), ("", 552, "5.2.2 Mailbox full", Act.NONE), ("", 250, "2.0.0 4.7.1", Act.NONE),
    ("gmail", 421, "4.7.28 unusual rate of mail", Act.SLOW), ("gmail", 450, "4.2.1 The user is receiving mail at a rate that", Act.NONE),
    ("orange", 550, "OFR004_108 service refuse", Act.PAUSE), ("orange", 421, "opmta OFR004_104 Too many connections", Act.SLOW), ("yahoo", 421, "4.7.0 [TSS04] Messages temporarily deferred", Act.SLOW),
    ("microsoft", 550, "5.7.1 messages from [192.0.2.1] weren't sent (S3150)", Act.PAUSE), ("laposte", 421, "4.7.0 LPN007_510", Act.SLOW)])  # fmt: skip
def test_a_reply_asks_for_what_it_says(provider: str, code: int, text: str, act: Act) -> None:
    answer = asked(code, text, REPLIES.get(provider, ()))
    assert answer.act == act and (answer.rest > 0) == (act != Act.NONE)


def test_orange_asks_for_five_hours() -> None:
    assert asked(550, "OFR_999", REPLIES["orange"]).rest == 5 * 3600


@pytest.mark.parametrize(("domain", "exchangers", "group"), [
    ("gmail.com", [], "gmail"), ("association.example", ["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "gmail"), ("mairie.example", ["mairie-example.mail.protection.outlook.com"], "microsoft"),
    ("wanadoo.fr", [], "orange"), ("neuf.fr", [], "sfr"), ("example.org", ["mx.example.org"], None), ("evilgoogle.example", ["mx.evilgoogle.com"], None)])  # fmt: skip
def test_domains_that_share_a_provider_are_one_group(domain: str, exchangers: list[str], group: str | None) -> None:
    groups = [Members(number, frozenset(receiver.domains), receiver.exchangers) for number, receiver in enumerate(RECEIVERS)]
    found = group_of(domain, exchangers, groups)
    assert (RECEIVERS[found].name if found is not None else None) == group


def test_the_pace_is_halved_to_a_twentieth_at_most_and_widened_slowly() -> None:
    assert [halved(100), halved(50), halved(25), halved(6), halved(5)] == [50, 25, 12, 5, 5]
    assert [widened(50), widened(98), widened(100)] == [55, 100, 100]
    assert part(7, 50) == 3 and part(1, 5) == 1


def test_four_fifths_of_a_published_figure_are_used() -> None:
    ovh = host_called("ovh")
    assert ovh and ovh.shares() == ((Rate(160, 3600),), (Rate(240, 3600),))
    assert host_called("infomaniak").shares()[0] == (Rate(1152, 86400),)  # type: ignore[union-attr]
    assert host_of("ssl0.ovh.net") is ovh and host_of("smtp.notovh.net") is None
    assert len({host.name for host in HOSTS}) == len(HOSTS) and all(host.account or host.way for host in HOSTS)
