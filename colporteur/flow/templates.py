"""Templates: the shipped ones, and those administrators make. A list follows its template where it says nothing itself."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.templates import TEMPLATES
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.lists import List, ListState
from colporteur.store.organisations import Organisation
from colporteur.store.people import Person
from colporteur.store.policies import explained, template_policy
from colporteur.store.templates import OwnTemplate

log = logging.getLogger("colporteur.lists")


def own(organisation: int | None) -> list[OwnTemplate]:
    """Templates made here that lists of the organisation may follow: the site's and its own, by title."""
    return list(OwnTemplate.objects.filter(Q(organisation__isnull=True) | Q(organisation=organisation)).order_by("title", "id"))


def check(key: str, organisation: int | None) -> str:
    """The key of a template lists of the organisation may follow. Raises ``ValueError`` naming the known ones."""
    found = own(organisation) if key not in TEMPLATES else []
    if key not in TEMPLATES and key not in {template.key for template in found}:
        raise ValueError(_("there is no template %(template)r; known: %(known)s") % {"template": key, "known": ", ".join((*TEMPLATES, *(template.key for template in found)))})
    return key


def find(key: str) -> OwnTemplate:
    """The template made here that is called so. Raises ``ValueError`` when there is none, or when it is a shipped one."""
    if key in TEMPLATES:
        raise ValueError(_("%(template)s is a shipped template: make one of your own from it") % {"template": key})
    if found := OwnTemplate.objects.select_related("organisation").filter(key=key).first():
        return found
    raise ValueError(_("there is no template %(template)r of your own") % {"template": key})


@transaction.atomic
def make(title: str, based_on: str, now: datetime, *, by: Person | str, organisation: Organisation | None = None, sentence: str = "", key: str = "") -> OwnTemplate:
    """A template of the site, or of one organisation, that begins with the values of another one.

    ``key``: what commands call it; made from the title when empty. Raises ``ValueError``.
    """
    title, sentence = _line(title, 100), _line(sentence, 300)
    if not title:
        raise ValueError(_("a template needs a title"))
    check(based_on, organisation.pk if organisation else None)
    chosen = _slug(key or title)
    if key and chosen != key.strip().lower():
        raise ValueError(_("%(key)r cannot be a template's key: use letters, digits and hyphens") % {"key": key[:80]})
    taken = set(OwnTemplate.objects.values_list("key", flat=True)) | set(TEMPLATES)
    if key and chosen in taken:
        raise ValueError(_("there is a template %(key)s already") % {"key": chosen})
    free, number = chosen, 2
    while free in taken:
        free, number = f"{chosen}-{number}", number + 1
    made = OwnTemplate.objects.create(key=free, organisation=organisation, title=title, sentence=sentence, policy=dict(template_policy(based_on)), created=now)
    journal.write("template.made", now, actor=actor(by), organisation=organisation.pk if organisation else None, template=title, by=str(by))
    log.info("made template=%s based_on=%s", free, based_on)
    return made


@transaction.atomic
def change(template: OwnTemplate, now: datetime, *, by: Person | str, title: str, sentence: str) -> None:
    """Another title and sentence. Raises ``ValueError`` for an empty title."""
    template.title, template.sentence = _line(title, 100), _line(sentence, 300)
    if not template.title:
        raise ValueError(_("a template needs a title"))
    template.save(update_fields=["title", "sentence"])
    journal.write("template.changed", now, actor=actor(by), organisation=template.organisation_id, template=template.title, by=str(by))


@transaction.atomic
def delete(template: OwnTemplate, now: datetime, *, by: Person | str) -> None:
    """Delete a template no list follows. Raises ``ValueError`` while one does, deleted lists that can be restored included."""
    OwnTemplate.objects.select_for_update().get(pk=template.pk)
    if count := List.objects.filter(template=template.key).count():
        raise ValueError(_("%(count)s lists follow the template %(title)s: give them another one first") % {"count": count, "title": template.title})
    journal.write("template.deleted", now, actor=actor(by), organisation=template.organisation_id, template=template.title, by=str(by))
    template.delete()


def followers(template: OwnTemplate) -> int:
    """How many lists follow it."""
    return List.objects.filter(template=template.key).exclude(state=ListState.DELETED).count()


def overridden(template: OwnTemplate, option: str) -> int:
    """How many of them have a value of their own for the option, which a change of the template leaves alone."""
    return List.objects.filter(template=template.key, policy__has_key=option).exclude(state=ListState.DELETED).count()


def carried(list_: List, organisation: Organisation) -> tuple[str, Mapping[str, Any]]:
    """Template and own policy of a list that goes to another organisation: where its template is not known, its present
    values become the list's own, so that nothing changes by the move."""
    template = OwnTemplate.objects.filter(key=list_.template).first()
    if template is None or template.organisation_id in (None, organisation.pk):
        return list_.template, list_.policy
    base = "discussion"
    values = explained(list_)
    return base, {name: values[name].value for name in {**TEMPLATES[base].policy, **template.policy} if name in values} | list_.policy


def _line(text: str, most: int) -> str:
    return " ".join(text.replace("\x00", "").split())[:most]


def _slug(text: str) -> str:
    plain = "".join(sign for sign in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(sign))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "own"
