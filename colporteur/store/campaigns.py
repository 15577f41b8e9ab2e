"""Campaigns: what is written, for whom, and the mailing it became."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from colporteur.domain.campaigns import CampaignState, Editor, FileUse, Tracking
from colporteur.domain.mailings import Pace
from colporteur.store.arrivals import Blob
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person
from colporteur.store.segments import Segment
from colporteur.store.statements import execute


class Campaign(models.Model):
    """A newsletter of a list, being written or sent."""

    list = models.ForeignKey(List, models.CASCADE, related_name="campaigns")  # whose sender, rights, policy and archive are its own
    subject = models.TextField(default="", blank=True)
    preheader = models.TextField(default="", blank=True)  # shown after the subject by mail programs
    sender_name = models.TextField(default="", blank=True)  # empty: the list's title
    sender_address = models.TextField(default="", blank=True)  # empty: the list's address
    reply_to = models.TextField(default="", blank=True)  # empty: as the list says
    language = models.TextField(default="", blank=True)  # empty: the list's
    editor = models.TextField(choices=[(one.value, one.value) for one in Editor], default=Editor.MARKDOWN.value)
    template = models.TextField(default="", blank=True)  # the frame it is set in; empty: none
    source = models.TextField(default="", blank=True)  # as written
    text = models.TextField(null=True)  # own text part; null: made from the source
    tracking = models.TextField(choices=[(one.value, one.value) for one in Tracking], default="", blank=True)  # empty: as the list says
    public = models.BooleanField(default=True)  # can be read in the browser without a personal link
    same_as = models.ForeignKey("self", models.SET_NULL, null=True, related_name="again")  # the same newsletter for another audience: who has that one is left out
    lost = models.TextField(default="", db_default="", blank=True)  # lists it went to or left out that were deleted for good since: it does not start until somebody chooses anew
    state = models.TextField(choices=[(one.value, one.value) for one in CampaignState], default=CampaignState.DRAFT.value)
    send_at = models.DateTimeField(null=True)  # scheduled for
    pace = models.TextField(choices=[(one.value, one.value) for one in Pace], default=Pace.USUAL.value)
    per_day = models.IntegerField(null=True)  # at most so many copies in 24 hours, evenly; null: as transports and limits allow
    sample = models.SmallIntegerField(default=0)  # percent sent first, the rest when these went well; 0: all at once
    mailing = models.OneToOneField(Mailing, models.SET_NULL, null=True, related_name="+")  # to its audience; ``mailings`` has tests and what was sent again, too
    sampled_at = models.DateTimeField(null=True)  # the sample was seen to have left
    released_at = models.DateTimeField(null=True)  # it went well: the rest may leave
    stopped_settled = models.IntegerField(default=0)  # copies that had left or failed when it was last stopped for its failures: these are not held against it again
    stopped_failed = models.IntegerField(default=0)
    version = models.IntegerField(default=0)  # counted up by each change: two editors notice each other
    created_by = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="+")
    created = models.DateTimeField()
    changed = models.DateTimeField()

    class Meta:
        db_table = "campaign"
        indexes = [
            models.Index(fields=["list", "-id"], name="campaign_of_list"),
            models.Index(fields=["send_at"], name="campaign_scheduled", condition=Q(state=CampaignState.SCHEDULED.value)),
        ]

    def __str__(self) -> str:
        return self.subject


def family(campaign: int) -> set[int]:
    """Other campaigns that are the same newsletter: what it is a copy of for another list, and theirs, and its own."""
    found, level = {campaign}, [campaign]
    while level:
        near = Campaign.objects.filter(same_as__in=level).values_list("pk", flat=True).union(Campaign.objects.filter(again__in=level).values_list("pk", flat=True))
        level = [one for one in near if one not in found]
        found.update(level)
    return found - {campaign}


def take_turns(campaign: int) -> None:
    """Until the transaction ends nobody else writes copies of the same newsletter for another audience: neither would see whom the other
    writes to. Does nothing for one that is no copy and has none."""
    if others := family(campaign):
        execute("SELECT pg_advisory_xact_lock(hashtext('colporteur newsletter'), %s)", [min(others | {campaign}) % 2**31])


class CampaignAudience(models.Model):
    """A list or a segment of one that a campaign also goes to, or leaves out. Its own list, whole, without any that it goes to."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="audience")
    list = models.ForeignKey(List, models.CASCADE, null=True, related_name="+")
    segment = models.ForeignKey(Segment, models.PROTECT, null=True, related_name="+")
    left_out = models.BooleanField(default=False)

    class Meta:
        db_table = "campaign_audience"
        constraints = [models.CheckConstraint(condition=Q(list__isnull=False, segment__isnull=True) | Q(list__isnull=True, segment__isnull=False), name="campaign_audience_is_one")]


class Picked(models.Model):
    """An address a segment held, or left out, at the moment a campaign's mailing was accepted; until its copies are written."""

    pk = models.CompositePrimaryKey("mailing", "left_out", "address", "list")
    mailing = models.BigIntegerField()
    left_out = models.BooleanField()
    address = models.BigIntegerField()
    list = models.BigIntegerField()

    class Meta:
        db_table = "campaign_picked"


class CampaignFile(models.Model):
    """An image or attachment of a campaign."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="files")
    key = models.TextField(unique=True)  # unguessable part of its address, and of its Content-ID
    name = models.TextField()
    content_type = models.TextField()
    use = models.TextField(choices=[(one.value, one.value) for one in FileUse])
    size = models.IntegerField()  # bytes
    width = models.IntegerField(default=0)  # of an image, in pixels
    height = models.IntegerField(default=0)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="+")
    created = models.DateTimeField()

    class Meta:
        db_table = "campaign_file"
