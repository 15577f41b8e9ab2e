"""The archive of an organisation or a domain has a quota. When it is full messages are still judged and distributed; the
texts of those that come then go after ``GRACE``, unless there is room by then. What was there before stays.

As Sympa does it: a full archive stops no mail, and administrators are told before it is full and when it is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from colporteur.domain.mailings import MailingState
from colporteur.domain.posts import PostState
from colporteur.flow import letters
from colporteur.mail.compose import Letter, compose
from colporteur.store import archive, journal
from colporteur.store.lists import List
from colporteur.store.organisations import Organisation
from colporteur.store.policies import site_quotas
from colporteur.store.posts import Post
from colporteur.store.rights import administrators_of

log = logging.getLogger("colporteur.archive")

GRACE = timedelta(days=10)
"""How long a text is there although the archive is full: a weekly digest has left by then, and somebody may make room."""
NEARLY = 90
_DONE = (PostState.ACCEPTED, PostState.REJECTED, PostState.DISCARDED, PostState.EXPIRED)
_OPEN = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)
_A_TIME = 100


def without_room(lists: Iterable[List]) -> set[int]:
    """Ids of those of the lists whose archive is full: nothing more is asked when nobody has a quota."""
    found = {list_.pk: list_ for list_ in lists}
    site = site_quotas()
    organisations = {one.organisation_id: most for one in found.values() if (most := _most(site, one.organisation.quotas)) is not None}
    domains = {one.domain_id: most for one in found.values() if one.domain and (most := _most(one.domain.quotas)) is not None}
    full = {id_ for id_, size in archive.of_organisations(list(organisations)).items() if size >= organisations[id_]} if organisations else set()
    full |= {id_ for id_, most in organisations.items() if most == 0}
    full_domains = {id_ for id_, size in archive.of_domains([id_ for id_ in domains if id_]).items() if size >= domains[id_]} if domains else set()
    full_domains |= {id_ for id_, most in domains.items() if id_ and most == 0}
    return {id_ for id_, one in found.items() if one.organisation_id in full or one.domain_id in full_domains}


def look(now: datetime) -> int:
    """Tell administrators whose archive is nearly full, and let texts go whose time has come; how many."""
    archive.add_up()
    _tell(now)
    due = Post.objects.select_related("list__organisation", "list__domain", "arrival").filter(unkept_at__lte=now, state__in=[state.value for state in _DONE])
    found = list(due.exclude(mailings__state__in=_OPEN).order_by("unkept_at")[:_A_TIME])
    full = without_room([post.list for post in found]) if found else set()
    for post in found:
        if post.list_id in full:
            archive.replace(post, _stub(post))
            log.info("not kept post=%d list=%s size=%d", post.pk, post.list.address, post.size)
        else:
            Post.objects.filter(pk=post.pk).update(unkept_at=None)
    return len(found)


def _stub(post: Post) -> bytes:
    """What stands for a message whose text is gone: who wrote it, when, and why there is no more."""
    language = post.list.language or post.list.organisation.language
    with translation.override(language):
        text = _("The text of this message was not kept: the archive of %(place)s was full when it came.") % {"place": post.list.organisation}
    sender = post.sender or post.list.address
    return compose(Letter(post.sender_name, sender, "", post.list.address, post.subject, text + "\n", "", post.message_id or f"<{post.pk}@{post.list.host}>", post.received_at, language, auto_submitted=""))


@transaction.atomic
def _tell(now: datetime) -> None:
    site = site_quotas()
    having = Organisation.objects.all() if "archive" in site else Organisation.objects.filter(quotas__has_key="archive")
    limited = {one.pk: one for one in having.select_for_update(of=("self",))}
    sizes = archive.of_organisations(list(limited)) if limited else {}
    for pk, organisation in limited.items():
        most, size = _most(site, organisation.quotas) or 0, sizes.get(pk, 0)
        percent = size * 100 // most if most else 0
        reached = 100 if percent >= 100 else NEARLY if percent >= NEARLY else 0
        if reached == organisation.archive_told:
            continue
        Organisation.objects.filter(pk=pk).update(archive_told=reached)
        if reached > organisation.archive_told:
            journal.write("archive.full" if reached == 100 else "archive.nearly_full", now, organisation=pk, place=organisation.name, size=size, most=most)
            fields: dict[str, object] = {"thing": organisation.name, "full": "yes" if reached == 100 else "", "percent": str(percent), "days": str(GRACE.days), "link": f"{settings.BASE_URL}/settings/organisations/{pk}/"}
            for address in administrators_of(organisation):
                letters.send("archive", address, now, fields=fields, language="" if address.person and address.person.language else organisation.language)


def _most(*layers: Mapping[str, int]) -> int | None:
    values = [layer["archive"] for layer in layers if "archive" in layer]
    return min(values, default=None)
