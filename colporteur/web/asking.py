"""Attributes of a list on forms: a field for each, its value, and what was written as it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from colporteur.domain.attributes import VALUE_LENGTH, AttributeKind, Field, Value, value_of, written
from colporteur.web.saying import said

PREFIX = "attribute-"
"""Before the key, in the name of a form's field."""


class Asked(forms.CharField):
    """One attribute; ``clean`` gives what is kept, None for nothing."""

    def __init__(self, field: Field, *, must: bool) -> None:
        super().__init__(label=field.label, required=must and field.required, max_length=VALUE_LENGTH, widget=_widget(field))
        self.field = field

    def clean(self, value: Any) -> Value | None:
        text = super().clean(value)
        try:
            return value_of(self.field, text)
        except ValueError as error:
            raise forms.ValidationError(said(error)[:1].upper() + said(error)[1:]) from None


def _widget(field: Field) -> forms.Widget:
    match field.kind:
        case AttributeKind.CHOICE:
            return forms.Select(choices=[("", "—"), *((choice, choice) for choice in field.choices)])
        case AttributeKind.YES_NO:
            return forms.Select(choices=[("", "—"), ("yes", _("Yes")), ("no", _("No"))])
        case AttributeKind.DATE:
            return forms.TextInput(attrs={"type": "date"})
        case AttributeKind.NUMBER:
            return forms.TextInput(attrs={"inputmode": "decimal"})
        case AttributeKind.TEXT:
            return forms.TextInput()


def ask(form: forms.Form, fields: Sequence[Field], values: Mapping[str, Value] | None = None, *, must: bool = True) -> None:
    """Put the attributes on a form, with what is known. ``must``: the required ones have to be filled in."""
    for field in fields:
        name = f"{PREFIX}{field.key}"
        form.fields[name] = Asked(field, must=must)
        if values:
            form.initial[name] = written(values.get(field.key))


def bound(form: forms.Form) -> list[forms.BoundField]:
    """The attributes of a form, for its template."""
    return [form[name] for name in form.fields if name.startswith(PREFIX)]


def answers(form: forms.Form) -> dict[str, Value | None]:
    """What was written on a valid form, by key; None takes a value away."""
    return {name.removeprefix(PREFIX): value for name, value in form.cleaned_data.items() if name.startswith(PREFIX)}
