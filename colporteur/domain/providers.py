"""What providers publish, as data: receivers whose domains share limits, and hosts that count what their customers send.

Figures are the published or commonly seen ones; what is used of them by default is ``pacing.PUBLISHED_SHARE`` percent.
Everything here is only where an installation begins: administrators change the rows made from it.
"""

from __future__ import annotations

from typing import NamedTuple

from colporteur.domain.destinations import Act, Pattern
from colporteur.domain.pacing import PUBLISHED_SHARE, Rate


class Receiver(NamedTuple):
    """A receiving provider. ``connections``: at once and from one sender; ``messages``: of one connection; 0: not limited."""

    name: str
    title: str
    domains: tuple[str, ...]
    exchangers: tuple[str, ...]
    connections: int = 0
    rates: tuple[Rate, ...] = ()
    replies: tuple[Pattern, ...] = ()
    messages: int = 0


RECEIVERS = (
    Receiver("gmail", "Gmail", ("gmail.com", "googlemail.com"), ("google.com", "googlemail.com"), 10, (Rate(1200, 60),),
        (Pattern(r"4\.7\.28|unusual rate", Act.SLOW), Pattern(r"4\.2\.1 .*rate", Act.NONE))),
    Receiver("microsoft", "Microsoft", ("outlook.com", "outlook.fr", "hotmail.com", "hotmail.fr", "live.com", "live.fr", "msn.com"), ("protection.outlook.com", "olc.protection.outlook.com"), 8, (Rate(600, 60),),
        (Pattern(r"\bRP-00[1-3]\b|\b4\.7\.650\b|S77[567]", Act.SLOW), Pattern(r"\bS3150\b|\b(?:SC|DY)-00[1-4]\b", Act.PAUSE))),
    Receiver("yahoo", "Yahoo", ("yahoo.com", "yahoo.fr", "ymail.com", "rocketmail.com", "aol.com", "aol.fr"), ("yahoodns.net",), 5, (Rate(300, 60),),
        (Pattern(r"\[TSS?\d\d\]|\[TS\d\d\]", Act.SLOW), Pattern(r"\[(?:PH|CON|BL)\d*\]", Act.PAUSE))),
    Receiver("orange", "Orange, Wanadoo", ("orange.fr", "wanadoo.fr", "voila.fr"), ("orange.fr", "wanadoo.fr"), 2, (Rate(100, 60),),
        (Pattern(r"OFR_?004_?104|OFR_?104", Act.SLOW), Pattern(r"OFR_?(?:\d{3}_)?(?:108|999)\b", Act.PAUSE, 300)), 100),
    Receiver("laposte", "La Poste", ("laposte.net",), ("laposte.net",), 2, (Rate(100, 60),), (Pattern(r"LPN00[57]_?\d*", Act.SLOW),)),
    Receiver("free", "Free", ("free.fr", "aliceadsl.fr", "libertysurf.fr", "online.fr"), ("free.fr",), 2, (Rate(60, 60),), (Pattern(r"too many (?:spam|errors) from your IP", Act.PAUSE, 1440),)),
    Receiver("sfr", "SFR", ("sfr.fr", "neuf.fr", "cegetel.net", "club-internet.fr", "numericable.fr", "9online.fr"), ("sfr.fr", "sfr.net"), 2, (Rate(6, 60),)),
)  # fmt: skip


class Host(NamedTuple):
    """A host that limits what is sent through it. ``account``: for each account, shared by all that use it; ``way``: for
    what comes from one place, whatever the account."""

    name: str
    title: str
    account: tuple[Rate, ...]
    way: tuple[Rate, ...] = ()
    servers: tuple[str, ...] = ()  # names of its outgoing servers end so

    def shares(self) -> tuple[tuple[Rate, ...], tuple[Rate, ...]]:
        """What is used by default of both, rounded down."""
        return tuple(rate.share(PUBLISHED_SHARE) for rate in self.account), tuple(rate.share(PUBLISHED_SHARE) for rate in self.way)


HOSTS = (
    Host("ovh", "OVH (mailbox)", (Rate(200, 3600),), (Rate(300, 3600),), ("ovh.net", "mail.ovh.net")),
    Host("ovh-10", "OVH (hosting, 10 an hour)", (Rate(10, 3600),)),
    Host("ovh-100", "OVH (hosting, 100 an hour)", (Rate(100, 3600),)),
    Host("infomaniak", "Infomaniak", (Rate(1440, 86400),), (), ("infomaniak.com", "infomaniak.ch")),
    Host("infomaniak-free", "Infomaniak (free and starter)", (Rate(500, 86400),)),
    Host("gandi", "Gandi", (Rate(40, 60), Rate(1000, 86400)), (), ("gandi.net",)),
    Host("o2switch", "o2switch", (), (Rate(100, 3600),), ("o2switch.net",)),
    Host("groupemagiconline", "Magic OnLine", (Rate(60, 3600),), (Rate(100, 3600),), ("magiconline.fr",)),
    Host("wedos", "WEDOS", (Rate(500, 86400),), (), ("wedos.net",)),
)


def host_called(name: str) -> Host | None:
    """The host of that name."""
    return next((host for host in HOSTS if host.name == name), None)


def host_of(server: str) -> Host | None:
    """The host an outgoing server belongs to, by its name."""
    server = server.rstrip(".").lower()
    return next((host for host in HOSTS for known in host.servers if server == known or server.endswith(f".{known}")), None)
