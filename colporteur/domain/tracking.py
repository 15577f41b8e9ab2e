"""What is learned of opens and clicks: how much may be, and who it was that fetched a link: a reader or a program.

Programs that open or follow everything in advance are told by what they say of themselves, by the way they ask, and by their
haste. Nothing here remembers who somebody is: ``Haste`` keeps unreadable marks for some seconds.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from colporteur.domain.campaigns import Tracking
from colporteur.domain.words import gettext_noop as _

FEWEST = 10
"""Of a newsletter with fewer recipients no opens and clicks are shown unless each agreed to it: a total would name somebody."""


class Hit(IntEnum):
    """What was counted."""

    OPENED = 1
    CLICKED = 2
    LEFT = 3


class Why(IntEnum):
    """Who is taken to have done it."""

    READER = 0
    PREFETCH = 1  # a mail program that opens everything in advance
    SCANNER = 2  # a program that looks for dangerous links
    HASTE = 3  # many links at once, or at once after sending
    ASKED = 4  # only asked whether the link is there (HEAD)


WORDS: dict[Why, str] = {
    Why.READER: _("Readers"),
    Why.PREFETCH: _("Mail programs that open everything in advance"),
    Why.SCANNER: _("Programs that check links"),
    Why.HASTE: _("Faster than anybody reads"),
    Why.ASKED: _("Asked for without being opened"),
}
"""What they are called on screens."""


class Rule(NamedTuple):
    """What a program says of itself (``User-Agent``), and who that is."""

    says: str  # regular expression, case does not matter
    who: Why
    named: str


RULES: tuple[Rule, ...] = (
    # Gmail's and Yahoo's proxies fetch an image when somebody opens the message: a reader stands behind them.
    Rule(r"GoogleImageProxy|ggpht\.com", Why.READER, "Gmail"),
    Rule(r"YahooMailProxy", Why.READER, "Yahoo Mail"),
    # Apple's privacy protection fetches every image in the background, and says nothing else than this.
    Rule(r"^Mozilla/5\.0$", Why.PREFETCH, "Apple Mail Privacy Protection"),
    Rule(r"Barracuda|BarracudaCentral", Why.SCANNER, "Barracuda"),
    Rule(r"Mimecast", Why.SCANNER, "Mimecast"),
    Rule(r"Proofpoint|PPClickGuard", Why.SCANNER, "Proofpoint"),
    Rule(r"SafeLinks|Microsoft Office Existence Discovery|BingPreview|SkypeUriPreview|Microsoft-Defender", Why.SCANNER, "Microsoft"),
    Rule(r"Symantec|MessageLabs|BrightCloud|Webroot", Why.SCANNER, "Symantec"),
    Rule(r"Trend ?Micro|TMES", Why.SCANNER, "Trend Micro"),
    Rule(r"Sophos|Forcepoint|Cisco-?IronPort|FireEye|Trellix|Vade ?Secure|Hornetsecurity|MailGuard|Spamhaus|VirusTotal|urlscan|ClamAV|Rspamd", Why.SCANNER, "other mail filters"),
    Rule(r"facebookexternalhit|Slackbot|Twitterbot|WhatsApp|TelegramBot|Discordbot|LinkedInBot|Mattermost|Google-PageRenderer", Why.SCANNER, "previews of links"),
    Rule(r"bot\b|crawler|spider|headless|phantomjs|python-|curl/|wget/|okhttp|go-http-client|java/|libwww|httpclient|axios|scrapy", Why.SCANNER, "robots"),
)
"""The first that fits counts."""

_RULES = [(re.compile(rule.says, re.IGNORECASE), rule.who) for rule in RULES]
_SOON = timedelta(seconds=5)


def who(agent: str, method: str = "GET", purpose: str = "", since_start: timedelta | None = None) -> Why:
    """Who fetched a link. ``agent``, ``purpose``: the fields User-Agent and Sec-Purpose (or Purpose, X-Moz) of the request;
    ``since_start``: how long after the first copy left."""
    if method == "HEAD":
        return Why.ASKED
    if re.search(r"prefetch|preview|prerender", purpose[:200], re.IGNORECASE):
        return Why.PREFETCH
    agent = agent[:500].strip()
    if not agent:
        return Why.SCANNER
    for says, answer in _RULES:
        if says.search(agent):
            return answer
    return Why.HASTE if since_start is not None and since_start < _SOON else Why.READER


def lowest(*modes: Tracking) -> Tracking:
    """The most sparing of these: a newsletter may learn less than its list says, never more."""
    return min(modes, key=list(Tracking).index)


class Haste:
    """Notices whoever follows many links at once, and forgets within seconds. For one process; not for several threads at once
    without a lock.

    ``mark`` stands for somebody: a keyed hash with a key that nobody keeps.
    """

    LINKS, SECONDS, MOST = 3, 10.0, 20_000

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, tuple[float, list[int]]] = OrderedDict()

    def again(self, mark: bytes, link: int, at: float) -> bool:
        """Whether the same link was followed a moment ago: pressed twice, or loaded again. ``at``: seconds of a steady clock."""
        found = self._seen.get(mark)
        return found is not None and at - found[0] < self.SECONDS and link in found[1]

    def noticed(self, mark: bytes, link: int, at: float) -> Sequence[int] | None:
        """Remember a link that was not followed a moment ago. None: as readers do. Else links that were counted for a reader and
        belong to a program: the third within ten seconds gives the two before away."""
        while self._seen and (len(self._seen) >= self.MOST or at - next(iter(self._seen.values()))[0] >= self.SECONDS):
            self._seen.popitem(last=False)
        links = self._seen.setdefault(mark, (at, []))[1]
        links.append(link)
        if len(links) < self.LINKS:
            return None
        return links[:-1] if len(links) == self.LINKS else []


class Range(NamedTuple):
    """A figure nobody can know exactly: ``sure`` of readers, ``most`` with those that may have been."""

    sure: int
    most: int

    def share(self, whole: int) -> tuple[int, int]:
        """Percent of ``whole``, at most 100."""
        return (min(100, round(100 * self.sure / whole)), min(100, round(100 * self.most / whole))) if whole else (0, 0)


def hour(at: datetime) -> datetime:
    """The hour counted for: nothing finer is kept."""
    return at.replace(minute=0, second=0, microsecond=0)
