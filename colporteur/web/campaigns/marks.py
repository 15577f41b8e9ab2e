"""What the toolbar of the editor puts into a text: marks of its language, and fields with what they give for a real person."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _

from colporteur.domain.campaigns import Editor
from colporteur.mail.campaigns.fields import held
from colporteur.store.campaigns import Campaign
from colporteur.store.people import Person
from colporteur.store.segments import Attribute
from colporteur.web.campaigns import seeing


class Mark(NamedTuple):
    """One button: what it puts before and after what is chosen, and what stands there when nothing is."""

    words: str
    before: str
    sample: str
    after: str


class Field(NamedTuple):
    """A field as it is written, what it is, and its value for somebody."""

    marked: str
    words: str
    value: str


def marks_of(editor: Editor) -> list[Mark]:
    """Buttons for a language; MJML and plain text have none."""
    title, words, address = _("Title"), _("words"), "https://"
    if editor is Editor.MARKDOWN:
        return [
            Mark(title, "## ", title, "\n"), Mark(_("Bold"), "**", words, "**"), Mark(_("Italic"), "*", words, "*"), Mark(_("Link"), "[", words, f"]({address})"),
            Mark(_("Image"), "![", _("what it shows"), f"]({address})"), Mark(_("Button"), "\n**[", words, f"]({address})**\n"),
        ]  # fmt: skip
    if editor is Editor.HTML:
        return [
            Mark(title, "<h2>", title, "</h2>"), Mark(_("Bold"), "<strong>", words, "</strong>"), Mark(_("Italic"), "<em>", words, "</em>"),
            Mark(_("Link"), f'<a href="{address}">', words, "</a>"), Mark(_("Image"), f'<img src="{address}" alt="', _("what it shows"), '">'),
        ]  # fmt: skip
    return []


def fields_of(campaign: Campaign, person: Person) -> tuple[str, list[Field]]:
    """The address of a real reader this person may see, "" when there is none yet, and every field with what it gives for that person."""
    address = seeing.reader(campaign, person)
    named = [
        ("first_name", _("First name")), ("name", _("Name")), ("email", _("Address")), ("lists", _("Lists the person is on")), ("lang", _("Language")), ("status", _("State of the membership")),
        ("url_unsubscribe", _("Link to unsubscribe")), ("url_preferences", _("Link to all subscriptions")), ("url_web", _("Link to read it in the browser")),
    ]  # fmt: skip
    named += [(one.key, one.label) for one in Attribute.objects.filter(list=campaign.list_id).order_by("position", "id")]
    known = held(seeing.values(campaign, address), [key for key, _words in named if not key.startswith("url_")]) if address else {}
    return address.email if address else "", [Field(f"{{{{ {key} }}}}", words, _short(known.get(key, ""))) for key, words in named]


def _short(value: object) -> str:
    text = ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value if value is not None else "")
    return text if len(text) <= 60 else f"{text[:59]}…"
