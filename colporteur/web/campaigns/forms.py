"""Forms of a newsletter: a new one, and what is written."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from colporteur.domain.addresses import is_address
from colporteur.domain.campaigns import Editor, Tracking
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.web.saying import NOT_AN_ADDRESS

EDITORS: list[tuple[str, str | Promise]] = [
    (Editor.MARKDOWN.value, _("Text with simple marks (Markdown): titles, bold, links, images, buttons")),
    (Editor.HTML.value, _("HTML, as it comes from another program")),
    (Editor.MJML.value, _("MJML: a language for layouts that hold in every mail program")),
    (Editor.TEXT.value, _("Plain text")),
]


class New(forms.Form):
    """The list of a new newsletter, and what it is written in."""

    list = forms.ModelChoiceField(List.objects.none(), label=_("List"), empty_label=None)
    editor = forms.ChoiceField(label=_("Written in"), choices=EDITORS, widget=forms.RadioSelect, initial=Editor.MARKDOWN.value)

    def __init__(self, lists: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose_among(self.fields["list"], lists)


def _choose_among(field: Any, lists: Any) -> None:
    field.queryset = lists
    field.label_from_instance = lambda found: f"{found.title or found.name} – {found.address}"


TRACKINGS: list[tuple[str, str | Promise]] = [
    ("", _("As the list says")),
    (Tracking.OFF.value, _("Nothing: no link is rewritten, no image added")),
    (Tracking.TOTALS.value, _("Totals: how many opened and clicked, nobody named")),
    (Tracking.PEOPLE.value, _("Named, for those who agreed to it; totals for the others")),
]
BY_ITSELF, BY_HAND = "", "own"


class Write(forms.Form):
    """What is written of a newsletter, and how it presents itself."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    subject = forms.CharField(label=_("Subject"), required=False, max_length=500)
    preheader = forms.CharField(label=_("First line"), required=False, max_length=500, help_text=_("Shown after the subject in most mailboxes."))
    source = forms.CharField(label=_("Text"), required=False, max_length=2_000_000, strip=False, widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "true"}))
    editor = forms.ChoiceField(label=_("Written in"), choices=EDITORS)
    template = forms.ChoiceField(label=_("Frame"), required=False, help_text=_("What stands around the text: good in light and dark, on a phone and a screen."))
    own = forms.ChoiceField(label=_("Text part"), required=False, widget=forms.RadioSelect, choices=[(BY_ITSELF, _("Made from the newsletter by itself")), (BY_HAND, _("Written by hand, below"))], help_text=_("Read by programs that show no layout, and by some filters."))
    text = forms.CharField(label=_("Text part written by hand"), required=False, max_length=1_000_000, strip=False, widget=forms.Textarea(attrs={"rows": 8}))
    sender_name = forms.CharField(label=_("Name of the sender"), required=False, max_length=200, help_text=_("Empty: the name of the list."))
    sender_address = forms.CharField(label=_("Address of the sender"), required=False, max_length=320, help_text=_("Empty: the address of the list."))
    reply_to = forms.CharField(label=_("Answers go to"), required=False, max_length=320, help_text=_("Empty: as the list says."))
    language = forms.ChoiceField(label=_("Language"), required=False, choices=[("", _("The list's")), ("en", "English"), ("fr", "Français")])
    tracking = forms.ChoiceField(label=_("What is learned of opens and clicks"), required=False, choices=TRACKINGS, widget=forms.RadioSelect, help_text=_("In French law (CNIL 2026-042) who opened or clicked may be recorded only with the person's own consent; totals that name nobody need none."))
    public = forms.BooleanField(label=_("Anybody may read it in the browser"), required=False, help_text=_("It has an address of its own and stands in the archive of the list."))

    def __init__(self, frames: list[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].choices = frames  # type: ignore[attr-defined]

    def clean_sender_address(self) -> str:
        return _address(self.cleaned_data["sender_address"])

    def clean_reply_to(self) -> str:
        return _address(self.cleaned_data["reply_to"])

    def written(self) -> dict[str, Any]:
        """The fields of a campaign, as typed: line ends of the browser are one sign."""
        values = {name: value.replace("\r\n", "\n") if isinstance(value, str) else value for name, value in self.cleaned_data.items()}
        own, _version = values.pop("own"), values.pop("version")
        return values | {"text": values["text"] if own == BY_HAND else None}


def _address(text: str) -> str:
    if text and not is_address(text):
        raise forms.ValidationError(NOT_AN_ADDRESS)
    return text


def initial(campaign: Campaign) -> dict[str, Any]:
    """What the form shows of a newsletter as it is kept."""
    names = ("version", "subject", "preheader", "source", "editor", "template", "sender_name", "sender_address", "reply_to", "language", "tracking", "public")
    return {name: getattr(campaign, name) for name in names} | {"own": BY_ITSELF if campaign.text is None else BY_HAND, "text": campaign.text or ""}


class CopyTo(forms.Form):
    """The list a copy is for."""

    list = forms.ModelChoiceField(List.objects.none(), label=_("For the list"), empty_label=None)

    def __init__(self, lists: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose_among(self.fields["list"], lists)
