"""The links of a newsletter become ours when it is composed, and lead on when they are followed."""

from __future__ import annotations

from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.campaigns import Tracking
from colporteur.domain.tokens import Purpose
from colporteur.domain.tracking import lowest
from colporteur.mail.campaigns.links import READER_MARK, links_of, links_of_text, tracked, tracked_text
from colporteur.store.campaigns import Campaign
from colporteur.store.policies import policy
from colporteur.store.tracking import Link

LINKS_MOST = 1000
"""Further links of one newsletter are not counted."""


def mode(campaign: Campaign) -> Tracking:
    """How much may be learned: as the list says, or less."""
    allowed = policy(campaign.list).tracking
    return lowest(allowed, Tracking(campaign.tracking)) if campaign.tracking else allowed


def track(campaign: Campaign, source: str, text: str) -> tuple[str, str]:
    """HTML and text part of a campaign, fields still in them, with their links counted as its mode says. The field
    ``reader_mark`` stands behind each address where readers may be named: it is filled for those who agreed, and empty for all others.

    In the caller's transaction; the same links again are the same rows.
    """
    how = mode(campaign)
    if how is Tracking.OFF:
        return source, text
    words: dict[str, str] = {}
    for url, said in [*links_of(source), *links_of_text(text)]:
        words[url] = words.get(url) or said
    wanted = dict(list(words.items())[:LINKS_MOST])
    Link.objects.bulk_create([Link(campaign=campaign, url=url, words=said) for url, said in wanted.items()], ignore_conflicts=True)
    rows = Link.objects.filter(campaign=campaign).values_list("id", "url")
    personal = READER_MARK if how is Tracking.PEOPLE else ""
    addresses = {url: address("l", campaign.pk, number) + personal for number, url in rows if url in wanted}
    pixel = address("o", campaign.pk, 0) + personal if source.strip() else ""
    return tracked(source, addresses, pixel) if source.strip() else source, tracked_text(text, addresses)


def address(door: str, campaign: int, link: int) -> str:
    """Where a link ("l") or the image ("o") of a campaign is fetched: signed, so that nobody can count what is not theirs."""
    return f"{settings.BASE_URL}/{door}/{tokens.sign(settings.TOKEN_KEY, Purpose.LINK, campaign, link)}"
