"""Newsletters of another system: what was sent is a campaign that is over, what was being written or sent is a draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from re import compile as pattern
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from colporteur.domain.addresses import is_address
from colporteur.domain.campaigns import CampaignState, Editor
from colporteur.domain.entries import display_name
from colporteur.domain.mailings import MailingKind, MailingState, Priority
from colporteur.domain.tracking import Hit, Why
from colporteur.flow.imports import places
from colporteur.flow.imports.account import Report, Table
from colporteur.flow.imports.places import Site
from colporteur.mail.compose import Letter, compose
from colporteur.store import arrivals
from colporteur.store.campaigns import Campaign, CampaignAudience
from colporteur.store.imports.loading import do, rows, stream
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.tracking import Hits

_ABOUT = "there is nothing in it"
_LARGEST = 2_000_000  # characters
_TAG = pattern(r"<[^<>]{0,2000}>")
STATES = {
    "end": "sent", "cancel": "cancelled", "archive": "sent", "init": "draft", "processing": "under way", "pause": "under way", "poubelle": "bin",  # Mailshot
    "publie": "sent", "0": "draft", "prepa": "draft", "prop": "draft", "refuse": "refused",  # Newsletters, SPIP-Listes
    "redac": "draft", "ready": "draft", "auto": "draft", "encour": "under way", "stope": "cancelled", "erreur": "cancelled", "vide": "empty", "ignore": "empty",
    "brouillon": "draft", "envoi_en_cours": "under way", "envoyee": "sent",  # SPIP-Lettres, CleverMail
}  # fmt: skip
_SKIPPED = {"bin": "in the bin", "refused": "refused over there", "empty": "never sent: there was nothing to send"}


class Row(NamedTuple):
    """One sending, as every family tells it. ``of``: the newsletter it carries; ``nr``: its row."""

    ext: str
    subject: str | None
    html: str | None
    text: str | None
    lists: str | None
    sender_name: str | None
    sender_email: str | None
    state: str | None
    begun: datetime | None
    ended: datetime | None
    total: int | None
    current: int | None
    failed: int | None
    opened: int | None
    clicked: int | None
    complained: int | None
    of: str | None
    language: str | None
    nr: int


@dataclass
class Sendings:
    """Takes the sendings of a site, family by family. ``lists``: what a sending may call a list -> our list; ``segments``: identifier and number -> segment."""

    site: Site
    report: Report
    lists: dict[str, int]
    segments: dict[str, int]
    fallback: Callable[[], List]
    totals: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    sent_newsletters: set[str] = field(default_factory=set)

    def take(self, family: str, table: str, question: str) -> None:
        """Every row a family's question finds; where each of them went is written down for its copies."""
        known, drafts = places.ours(self.site, "mailing"), places.ours(self.site, "draft")
        seen: set[str] = set()
        for row in (Row(*values) for values in stream(question)):
            key = f"{family} {row.ext}"
            why: str | None
            mailing: int | None
            if row.ext is None or row.ext in seen:
                why, mailing = "the number of another row" if row.ext else "without a number", None
            elif key in known or key in drafts:
                why, mailing = "imported before", None
                self.sent_newsletters |= {row.of or ""} if family == "mailshot" else set()
            else:
                why, mailing = self._one(family, key, row)
            # A row that has no number of its own, or another's, is still a row of the account.
            ext = row.ext if row.ext is not None and row.ext not in seen else f"row {row.nr}"
            seen.add(row.ext or "")
            do("INSERT INTO im_sent (family, ext, tbl, mailing, why) VALUES (%(family)s, %(ext)s, %(table)s, %(mailing)s, %(why)s)", {"family": family, "ext": ext, "table": table, "mailing": mailing, "why": why})

    def _one(self, family: str, key: str, row: Row) -> tuple[str | None, int | None]:
        """(why it is skipped, the mailing it became); neither for a draft."""
        state = STATES.get(row.state or "")
        if family == "listes" and row.of not in ("nl", "auto"):
            return "no newsletter", None
        if state is None or state in _SKIPPED:
            return _SKIPPED.get(state or "", "in a state that is not known"), None
        if family == "newsletter" and row.ext in self.sent_newsletters:
            return "its sending is taken, with what it said", None
        html, text = (row.html or "")[:_LARGEST], (row.text or "")[:_LARGEST]
        if not _TAG.search(html):
            html, text = "", text if text.strip() else html
        if not html.strip() and not text.strip() and not (row.subject or "").strip():
            return _ABOUT, None
        went = state in ("sent", "cancelled") or (state == "under way" and bool(row.current))
        mailing = None
        campaign = self._campaign(row, html, text, CampaignState.STARTED if went else CampaignState.DRAFT)
        if went:
            mailing = self._mailing(campaign, row, html, text, done=state == "sent")
            places.remember(self.site, "mailing", key, campaign.pk)
            self.report.mailings += 1
            self.sent_newsletters |= {row.of or ""} if family == "mailshot" else set()
        if state == "under way" and went:
            campaign = self._campaign(row, html, text, CampaignState.DRAFT, same_as=campaign)
        if state in ("draft", "under way"):
            places.remember(self.site, "draft", key, campaign.pk)
            self.report.drafts += 1
            self.report.notes.append(f"“{campaign.subject[:80]}” ({family} {row.ext}) was {'being sent' if state == 'under way' else 'not sent yet'}: it is a draft now")
        return None, mailing

    def _campaign(self, row: Row, html: str, text: str, state: CampaignState, same_as: Campaign | None = None) -> Campaign:
        named = [one.strip() for one in (row.lists or "").split(",") if one.strip()]
        found = [(self.lists.get(one) or self.lists.get(f"ms:{_identifier(one)}"), self.segments.get(_identifier(one) + "+" + one.rpartition("+")[2]) if "+" in one else None) for one in named]
        places_ = list(dict.fromkeys((list_, segment) for list_, segment in found if list_))
        list_ = List.objects.get(pk=places_[0][0]) if places_ else self.fallback()
        sender = row.sender_email or ""
        made = Campaign.objects.create(
            list=list_, subject=_line(row.subject), sender_name=_line(row.sender_name)[:200], reply_to=sender.strip().lower() if is_address(sender) else "", language=(row.language or "")[:2] if (row.language or "")[:2] in ("en", "fr") else "",
            editor=Editor.HTML if html else Editor.TEXT, source=html or text, text=text if html and text.strip() else None, state=state, same_as=same_as, created=self._at(row.begun) or self.site.now, changed=self._at(row.ended) or self.site.now,
        )  # fmt: skip
        if len(places_) > 1 or (places_ and places_[0][1]):
            CampaignAudience.objects.bulk_create(CampaignAudience(campaign=made, list_id=None if segment else here, segment_id=segment) for here, segment in places_)
        return made

    def _mailing(self, campaign: Campaign, row: Row, html: str, text: str, *, done: bool) -> int:
        """A mailing that is over: nothing of it is ever sent."""
        begun, now = self._at(row.begun) or self._at(row.ended) or self.site.now, self.site.now
        ended = max(begun, self._at(row.ended) or begun)
        list_ = campaign.list
        raw = compose(Letter(
            sender_name=campaign.sender_name or list_.title, sender=list_.address, to_name=list_.title, to=list_.address, subject=campaign.subject, text=text.strip() or _plain(html), html=html,
            message_id=f"<imported-{campaign.pk}@{list_.host}>", date=begun, language=campaign.language, auto_submitted="",
        ))  # fmt: skip
        made = Mailing.objects.create(
            kind=MailingKind.CAMPAIGN, list=list_, campaign=campaign, state=MailingState.DONE if done else MailingState.CANCELLED, priority=Priority.NEWSLETTER, subject=campaign.subject, language=campaign.language,
            blob_id=arrivals.keep(raw), audience_at=begun, planned=True, created=begun, started=begun, finished=min(ended, now) if ended >= begun else begun,
        )  # fmt: skip
        Campaign.objects.filter(pk=campaign.pk).update(mailing=made)
        total, current, failed = (max(0, min(one or 0, 2_000_000_000)) for one in (row.total, row.current, row.failed))
        self.totals[made.pk] = (max(0, current - failed), failed, max(0, total - current))
        hour = begun.replace(minute=0, second=0, microsecond=0)
        Hits.objects.bulk_create(Hits(campaign=campaign, what=what, who=Why.READER, hour=hour, n=min(number, 2_000_000_000)) for what, number in ((Hit.OPENED, row.opened), (Hit.CLICKED, row.clicked)) if number and number > 0)
        return made.pk

    def _at(self, moment: datetime | None) -> datetime | None:
        """SPIP's dates are those of a clock on the wall."""
        return min(moment.replace(tzinfo=ZoneInfo(settings.TIME_ZONE)), self.site.now) if moment else None

    def account(self, table: Table, name: str) -> None:
        """Add what became of a table's rows."""
        table.add_all(rows("SELECT why, count(*) FROM im_sent WHERE tbl = %s GROUP BY 1", [name]))


def _identifier(text: str) -> str:
    return text.removeprefix("newsletter::").partition("+")[0].strip()


def _line(text: str | None) -> str:
    return display_name(" ".join(unescape(text or "").split()))


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub(" ", html)).split())
