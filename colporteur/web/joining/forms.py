"""Forms of the public pages: an address, a name, the list's question, and a field no person fills in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from colporteur.domain.addresses import is_address
from colporteur.flow.joining import WORDS_MOST
from colporteur.web.saying import NOT_AN_ADDRESS


class Leave(forms.Form):
    """An address."""

    email = forms.CharField(label=_("Your e-mail address"), max_length=320, widget=forms.EmailInput)
    website = forms.CharField(required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}))

    def clean_email(self) -> str:
        """Raises ``ValidationError`` for what is none."""
        if not is_address(self.cleaned_data["email"]):
            raise forms.ValidationError(NOT_AN_ADDRESS)
        return str(self.cleaned_data["email"])

    @property
    def trapped(self) -> bool:
        """Whether a program filled in what people do not see."""
        return bool(self.cleaned_data["website"])


class Join(Leave):
    """An address, a name, and an answer where the list asks something. ``emails``: choose among one's own."""

    name = forms.CharField(label=_("Your name"), max_length=100, required=False)
    words = forms.CharField(required=False, max_length=WORDS_MOST, widget=forms.Textarea(attrs={"rows": 3}), help_text=_("The people who look after the list read it."))
    field_order = ("email", "name", "words", "website")

    def __init__(self, *given: Any, question: str = "", emails: tuple[str, ...] = (), **named: Any) -> None:
        super().__init__(*given, **named)
        if emails:
            self.fields["email"].widget = forms.Select(choices=[(email, email) for email in emails])
            del self.fields["name"]
        if question:
            self.fields["words"].label = question
        else:
            del self.fields["words"]
