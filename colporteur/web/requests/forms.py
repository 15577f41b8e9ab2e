"""The form that asks for a list."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from colporteur.domain.addresses import is_address
from colporteur.store.organisations import Domain
from colporteur.web.kinds import Kind, choices
from colporteur.web.saying import NOT_AN_ADDRESS


class Ask(forms.Form):
    """A list somebody wishes for."""

    name = forms.CharField(label=_("Name before the @"), max_length=64, help_text=_("Short and without spaces, like choir or board."))
    domain = forms.ChoiceField(label=_("Domain"))
    title = forms.CharField(label=_("Name"), max_length=200, required=False, help_text=_("As the members will read it."))
    template = forms.ChoiceField(label=_("Kind"))
    purpose = forms.CharField(label=_("What it is for"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4}), help_text=_("Who will be on it and what they will write about. The administrators decide by it."))
    owner = forms.CharField(label=_("Second owner"), max_length=320, required=False, help_text=_("An address. Two owners are advised: a list with one is nobody’s when that person is away."))

    def __init__(self, domains: list[Domain], known: list[Kind], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["domain"].choices = [(domain.name, f"@{domain.name}") for domain in domains]  # type: ignore[attr-defined]
        self.fields["template"].choices = choices(known)  # type: ignore[attr-defined]

    def clean_owner(self) -> str:
        if self.cleaned_data["owner"] and not is_address(self.cleaned_data["owner"]):
            raise forms.ValidationError(NOT_AN_ADDRESS)
        return str(self.cleaned_data["owner"])
