"""Forms of a list: a new one, its name, roles."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from colporteur.domain.addresses import is_address
from colporteur.store.lists import RoleKind
from colporteur.web.kinds import Kind, choices
from colporteur.web.saying import NOT_AN_ADDRESS


class New(forms.Form):
    """A new list: address, title, kind, first owner."""

    address = forms.CharField(label=_("Address of the list"), max_length=320, help_text=_("Like choir@example.org; the part after @ is one of your domains."))
    title = forms.CharField(label=_("Name"), max_length=200, required=False, help_text=_("As the members will read it."))
    template = forms.ChoiceField(label=_("Kind"), widget=forms.Select)
    owner = forms.CharField(label=_("Owner's address"), max_length=320, help_text=_("Looks after members and settings; more owners can be named later."))
    notify = forms.BooleanField(label=_("Tell the owner by mail"), required=False, initial=True, help_text=_("With a link that signs in once; never a password."))

    def __init__(self, known: list[Kind], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].choices = choices(known)  # type: ignore[attr-defined]

    def clean_address(self) -> str:
        return _address(self.cleaned_data["address"])

    def clean_owner(self) -> str:
        return _address(self.cleaned_data["owner"])


def _address(text: str) -> str:
    if not is_address(text):
        raise forms.ValidationError(NOT_AN_ADDRESS)
    return text


class About(forms.Form):
    """What a list is called."""

    title = forms.CharField(label=_("Name"), max_length=200, required=False, help_text=_("As the members will read it."))
    description = forms.CharField(label=_("Description"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3}))
    template = forms.ChoiceField(label=_("Kind"), help_text=_("Its values hold where the list sets none itself."))
    language = forms.ChoiceField(label=_("Language of its letters"), required=False, choices=[("", _("The organisation's")), ("en", "English"), ("fr", "Français")])

    def __init__(self, known: list[Kind], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].choices = choices(known)  # type: ignore[attr-defined]


class HandOver(forms.Form):
    """Another owner in the place of one."""

    hand = forms.ChoiceField(label=_("From"))
    to = forms.CharField(label=_("To"), max_length=320, help_text=_("The e-mail address of the new owner."))

    def __init__(self, owners: list[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["hand"].choices = owners  # type: ignore[attr-defined]


class Give(forms.Form):
    """A role for somebody, for the members of a list, or for a domain."""

    email = forms.CharField(label=_("Who"), max_length=320, help_text=_("An e-mail address; the address of a list for all its members; or @example.org for a whole domain, as a sender only."))
    kind = forms.ChoiceField(label=_("Role"), choices=[
        (RoleKind.MODERATOR.value, _("Moderator: decides about waiting messages")),
        (RoleKind.OWNER.value, _("Owner: looks after members and settings")),
        (RoleKind.FREE_SENDER.value, _("Free sender: writes without waiting")),
        (RoleKind.ALLOWED_SENDER.value, _("Allowed sender: where there is one, only these may write")),
        (RoleKind.REFUSED_SENDER.value, _("Refused sender: may not write")),
    ])  # fmt: skip

    def clean_email(self) -> str:
        text = self.cleaned_data["email"].strip()
        return text if text.startswith("@") and is_address(f"x{text}") else _address(text)
