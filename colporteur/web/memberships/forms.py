"""Forms of adding members and of editing all of them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from colporteur.domain import entries


class Box(forms.Form):
    """All members, one per line, or a file."""

    lines = forms.CharField(label=_("Members"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false"}), max_length=15_000_000)
    file = forms.FileField(label=_("Or a file"), required=False, help_text=_("Text or CSV, as a spreadsheet saves it."))
    bring_back = forms.BooleanField(label=_("Also people who left by themselves"), required=False, help_text=_("Only if they asked you to: otherwise who left stays away."))

    def text(self) -> str:
        """What the file holds when there is one, else the lines."""
        file = self.cleaned_data["file"]
        return entries.decode(file.read()) if file else str(self.cleaned_data["lines"])


class Add(forms.Form):
    """One person per line, or a file."""

    lines = forms.CharField(
        label=_("People"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}), max_length=15_000_000,
        help_text=_("One per line: the address, then the name if you like. Or CSV with a header line."),
    )  # fmt: skip
    file = forms.FileField(label=_("Or a file"), required=False, help_text=_("Text or CSV, as a spreadsheet saves it."))
    choose = forms.BooleanField(label=_("Choose the columns of the file"), required=False, help_text=_("When it is CSV and its first line does not say it, you are asked anyway."))
    bring_back = forms.BooleanField(label=_("Also people who left by themselves"), required=False, help_text=_("Only if they asked you to: otherwise who left stays away."))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not str(values.get("lines", "")).strip() and not values.get("file"):
            self.add_error("lines", _("Write at least one address, like name@example.org."))
        return values

    def text(self) -> str:
        """The lines, and after them the file."""
        text, file = self.cleaned_data["lines"], self.cleaned_data["file"]
        return f"{text}\n{entries.decode(file.read())}" if file and text else entries.decode(file.read()) if file else str(text)
