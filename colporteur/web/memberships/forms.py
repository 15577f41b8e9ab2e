"""Form of adding members."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class Add(forms.Form):
    """One person per line, or a file."""

    lines = forms.CharField(
        label=_("People"), required=False, strip=False, widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}), max_length=5_000_000,
        help_text=_("One per line: the address, then the name if you like. Or CSV with a header line."),
    )  # fmt: skip
    file = forms.FileField(label=_("Or a file"), required=False, help_text=_("Text or CSV, as a spreadsheet saves it."))
    bring_back = forms.BooleanField(label=_("Also people who left by themselves"), required=False, help_text=_("Only if they asked you to: otherwise who left stays away."))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not str(values.get("lines", "")).strip() and not values.get("file"):
            self.add_error("lines", _("Write at least one address, like name@example.org."))
        return values
