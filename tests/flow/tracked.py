"""A newsletter that was sent, with copies, links and readers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from colporteur.domain import tokens
from colporteur.domain.campaigns import CampaignState, Tracking
from colporteur.domain.mailings import MailingKind, MailingState, Priority
from colporteur.flow import tracking
from colporteur.flow.tracking import Asked
from colporteur.store import copies
from colporteur.store.arrivals import keep
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import CopyRow, Mailing, Slice
from colporteur.store.people import Address
from colporteur.store.tracking import Link
from tests.story.scenes import a_list, message

NOW = datetime(2026, 11, 21, 9, 27, tzinfo=UTC)
FARM, RECIPE = "https://ferme.example/visite", "https://recettes.example/potimarron?mois=10&an=2026"
HTML = f'<body><p>Bonjour {{{{ name }}}}</p><a href="{FARM}">La visite</a> <a href="{RECIPE.replace("&", "&amp;")}"><img alt="Recette" src="x"></a> <a href="{{{{ url_unsubscribe }}}}">Partir</a></body>'
READER = Asked("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0", client="192.0.2.7")


def readers(number: int) -> list[str]:
    """So many addresses."""
    return [f"lecteur-{one:02}@members.example" for one in range(1, number + 1)]


def newsletter(members: Sequence[str] = tuple(readers(12)), *, tracking: Tracking = Tracking.TOTALS, list_: List | None = None, now: datetime = NOW, subject: str = "La lettre d'octobre", **fields: Any) -> Campaign:
    """A campaign of a list (one of its own by default), sent to its members: all copies were accepted."""
    list_ = list_ or a_list("lettre@lists.example", members=members, template="newsletter", tracking=tracking.value)
    campaign = Campaign.objects.create(list=list_, subject=subject, state=CampaignState.STARTED, created=now, changed=now, source="Bonjour", **fields)
    raw = message(list_.address, list_.address, subject)
    campaign.mailing = Mailing.objects.create(
        kind=MailingKind.CAMPAIGN, list=list_, campaign=campaign, state=MailingState.DONE, priority=Priority.NEWSLETTER, subject=subject, blob_id=keep(raw),
        audience_at=now, planned=True, created=now, started=now, finished=now + timedelta(minutes=2),
    )  # fmt: skip
    campaign.save()
    copies.write_few(campaign.mailing.pk, list(Address.objects.filter(email__in=members).values_list("pk", flat=True)), None, Priority.NEWSLETTER)
    CopyRow.objects.filter(mailing=campaign.mailing).update(state=2, attempts=1, place=None)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE slice SET sent = size, done = true, open = NULL WHERE mailing_id = %s", [campaign.mailing.pk])
    assert Slice.objects.filter(mailing=campaign.mailing, done=True).exists()
    return campaign


def copy_of(campaign: Campaign, email: str) -> str:
    """The token of somebody's copy."""
    assert campaign.mailing
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, campaign.mailing.pk, Address.objects.get(email=email).pk)


def link_key(campaign: Campaign, url: str, email: str = "") -> str:
    """What names a link of a campaign, and somebody's copy behind it."""
    link = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.LINK, campaign.pk, Link.objects.get(campaign=campaign, url=url).pk if url else 0)
    return f"{link}-{copy_of(campaign, email)}" if email else link


def reads(campaign: Campaign, email: str = "", url: str = "", asked: Asked = READER, at: datetime = NOW + timedelta(hours=1)) -> None:
    """Somebody opens the newsletter, or follows a link; by a copy of his or her own when there is an ``email``."""
    key = link_key(campaign, url, email)
    assert tracking.follow(key, asked, at) == url if url else tracking.seen(key, asked, at)
