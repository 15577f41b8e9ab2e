"""What a newsletter says: both parts from its source, in the look of its organisation, with fields still in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext

from colporteur.domain.campaigns import Editor, FileUse
from colporteur.domain.words import Invalid
from colporteur.mail.campaigns import content, fields
from colporteur.mail.campaigns.fields import Compiled, Written
from colporteur.mail.campaigns.frames import Look
from colporteur.store.campaigns import Campaign, CampaignFile
from colporteur.store.lists import List
from colporteur.store.organisations import Logo
from colporteur.store.policies import policy


class Problem(NamedTuple):
    """Something to mend, in the reader's language; ``grave``: it cannot be sent so."""

    words: str
    grave: bool

    def __str__(self) -> str:
        return self.words


class Rendered(NamedTuple):
    """A newsletter with its fields in it: the HTML a whole document, styles inlined; the text with line ends ``\\n``; ``written``: what
    both were made from."""

    html: str
    text: str
    subject: str
    preheader: str
    problems: tuple[Problem, ...]
    written: Written

    def compiled(self, attributes: Iterable[str]) -> Compiled:
        """Ready to be read by any reader. Raises ``Invalid`` with what is wrong in its fields."""
        return fields.compile(self.subject, self.preheader, self.html, self.text, attributes, self.written)


def rendered(campaign: Campaign) -> Rendered:
    """The parts of a newsletter as they would go out now, but for fields and counted links."""
    draft = content.Draft(Editor(campaign.editor), campaign.source, campaign.template, campaign.subject, campaign.preheader, campaign.text)
    made = content.made(draft, look_of(campaign), own=f"{settings.BASE_URL}/f/", sizes=_sizes(campaign))
    problems = tuple(Problem(problem.sentence.into(gettext), problem.grave) for problem in made.problems)
    written = Written(campaign.source, campaign.source if campaign.text is None else campaign.text)
    return Rendered(made.html, made.text, " ".join(campaign.subject.split()), " ".join(campaign.preheader.split()), problems, written)


def to_send(campaign: Campaign) -> Rendered:
    """``rendered``, whole. Raises ``Invalid`` with what is grave."""
    made = rendered(campaign)
    if grave := [problem.words for problem in made.problems if problem.grave]:
        raise Invalid("%(words)s", words="; ".join(grave))
    return made


def look_of(campaign: Campaign) -> Look:
    """Who sends it, and how that looks."""
    list_ = List.objects.select_related("organisation", "domain").get(pk=campaign.list_id)
    organisation = list_.organisation
    logo, size = "", (0, 0)
    if organisation.logo and (box := Logo.objects.filter(organisation=organisation).values_list("width", "height").first()):
        logo, size = f"{settings.BASE_URL}/look/{organisation.pk}/{organisation.logo}.png", (box[0] // 2, box[1] // 2)
    return Look(list_.title or list_.name, campaign.language or list_.language or organisation.language, organisation.colour, logo, size, policy(list_).identity)


def address_of(file: CampaignFile) -> str:
    """What a source writes to show the picture: our own address of it, or its Content-ID (RFC 2392)."""
    return f"cid:{content_id(file)}" if file.use == FileUse.EMBEDDED else f"{settings.BASE_URL}/f/{file.key}"


def content_id(file: CampaignFile) -> str:
    """The Content-ID of an embedded picture, without brackets."""
    return f"{file.key}@newsletter"


def _sizes(campaign: Campaign) -> dict[str, tuple[int, int]]:
    if not campaign.pk:
        return {}
    return {address_of(file): (file.width, file.height) for file in campaign.files.all() if file.width}
