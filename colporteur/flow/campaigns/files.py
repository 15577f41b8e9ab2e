"""Pictures and attachments of newsletters: taken in, given out, taken away.

A picture is written anew by us (``mail.campaigns.pictures``) and shown from our own address or inside the message; an
attachment goes along as it is. What was sent is kept as it was sent.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from colporteur.domain.campaigns import CampaignState, FileUse
from colporteur.domain.words import Invalid, gettext_noop
from colporteur.flow.archive import without_room
from colporteur.flow.campaigns.content import address_of, content_id
from colporteur.mail.campaigns import attachments, pictures
from colporteur.store.arrivals import keep
from colporteur.store.campaigns import Campaign, CampaignFile
from colporteur.store.lists import List
from colporteur.store.policies import policy
from colporteur.store.purging import drop_blobs

MOST_FILES = 100
_AS_MAIL = 1.38  # base64 with its line ends


class Part(NamedTuple):
    """A file that goes out inside the message: ``content_id`` without brackets for a picture the HTML shows, "" for an attachment."""

    name: str
    content_type: str
    content_id: str
    raw: bytes


@transaction.atomic
def add(campaign: Campaign, name: str, data: bytes, use: FileUse | str, now: datetime) -> CampaignFile:
    """Take a file. Raises ``Invalid`` saying what is wrong with it, ``ValueError`` when there is no room for it."""
    use = FileUse(use)
    _open(campaign)
    name = attachments.name_of(name)
    if use is FileUse.ATTACHED:
        made = pictures.Picture(data, attachments.kind_of(name, data), 0, 0)
    else:
        made = pictures.read(data)
        name = f"{name.rpartition('.')[0] or name or 'image'}.{made.content_type.partition('/')[2].replace('jpeg', 'jpg')}"
    _room(campaign, len(made.data), use)
    return CampaignFile.objects.create(
        campaign=campaign, key=secrets.token_urlsafe(18), name=name, content_type=made.content_type, use=use.value, size=len(made.data), width=made.width, height=made.height, blob_id=keep(made.data), created=now
    )


@transaction.atomic
def use_as(file: CampaignFile, use: FileUse | str) -> CampaignFile:
    """Show a picture from our address, or inside the message; where it stands in the source its address is changed. Raises ``Invalid``."""
    use = FileUse(use)
    _open(file.campaign)
    if (use is FileUse.ATTACHED) != (file.use == FileUse.ATTACHED):
        raise Invalid(gettext_noop("upload the file again to use it otherwise"))
    _room(file.campaign, file.size if use is FileUse.EMBEDDED and file.use != use else 0, use, more=0)
    before, file.use = address_of(file), use.value
    file.save(update_fields=["use"])
    _replace(file.campaign, before, address_of(file))
    return file


@transaction.atomic
def put_in_place(file: CampaignFile, name: str, data: bytes, now: datetime) -> CampaignFile:
    """Another picture or attachment in place of one, everywhere it stands in the source. Raises as ``add``."""
    made = add(file.campaign, name, data, file.use, now)
    _replace(file.campaign, address_of(file), address_of(made))
    remove(file)
    return made


@transaction.atomic
def remove(file: CampaignFile) -> None:
    """Take a file away, with its bytes where nothing else has them. Raises ``Invalid`` when it went out."""
    _open(file.campaign)
    blob = bytes(file.blob_id)
    file.delete()
    drop_blobs({blob})


@transaction.atomic
def remove_all(campaign: Campaign) -> None:
    """Take all files of a newsletter away: it is thrown away itself."""
    blobs = {bytes(blob) for blob in CampaignFile.objects.filter(campaign=campaign).values_list("blob_id", flat=True)}
    CampaignFile.objects.filter(campaign=campaign).delete()
    drop_blobs(blobs)


def picture(key: str) -> CampaignFile | None:
    """The picture of this address; attachments have none."""
    return CampaignFile.objects.select_related("blob").filter(key=key).exclude(use=FileUse.ATTACHED).first()


def parts_of(campaign: Campaign) -> list[Part]:
    """What goes out inside the message, pictures first."""
    found = CampaignFile.objects.select_related("blob").filter(campaign=campaign).exclude(use=FileUse.SERVED).order_by("-use", "pk")
    return [Part(file.name, file.content_type, content_id(file) if file.use == FileUse.EMBEDDED else "", bytes(file.blob.raw)) for file in found]


def on_a_page(html: str, campaign: Campaign) -> str:
    """HTML with embedded pictures by our address, for a browser, which knows no message around it."""
    for file in CampaignFile.objects.filter(campaign=campaign, use=FileUse.EMBEDDED):
        html = html.replace(address_of(file), address_of(CampaignFile(key=file.key, use=FileUse.SERVED.value)))
    return html


def weight(campaign: Campaign) -> int:
    """Bytes the files add to each copy."""
    found = CampaignFile.objects.filter(campaign=campaign).exclude(use=FileUse.SERVED).aggregate(sum=Sum("size"))["sum"]
    return int((found or 0) * _AS_MAIL)


def _open(campaign: Campaign) -> None:
    if campaign.state == CampaignState.STARTED:
        raise Invalid(gettext_noop("a newsletter that was sent is kept as it is"))


def _room(campaign: Campaign, size: int, use: FileUse, more: int = 1) -> None:
    list_ = List.objects.select_related("organisation", "domain").get(pk=campaign.list_id)
    if campaign.files.count() + more > MOST_FILES:
        raise Invalid(gettext_noop("a newsletter has at most %(most)s files"), most=MOST_FILES)
    most = policy(list_).max_size
    if use is not FileUse.SERVED and weight(campaign) + size * _AS_MAIL > most:
        raise Invalid(gettext_noop("with this file each copy would be larger than %(most)s KB, the most this list allows"), most=most // 1024)
    if more and without_room([list_]):
        raise ValueError(_("the archive of %(place)s is full: nothing more can be uploaded") % {"place": list_.organisation})


def _replace(campaign: Campaign, before: str, after: str) -> None:
    if before == after:
        return
    row = Campaign.objects.select_for_update().filter(Q(source__contains=before), pk=campaign.pk).first()
    if row is not None:
        Campaign.objects.filter(pk=row.pk).update(source=row.source.replace(before, after), version=row.version + 1)


__all__ = ["MOST_FILES", "Part", "add", "address_of", "on_a_page", "parts_of", "picture", "put_in_place", "remove", "remove_all", "use_as", "weight"]
