"""Forms of signing in and of one's own account."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from colporteur.domain.addresses import is_address
from colporteur.store.people import Person


class Ask(forms.Form):
    """The address a sign-in link goes to."""

    email = forms.CharField(label=_("Your e-mail address"), max_length=320, widget=forms.EmailInput)

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if not is_address(email):
            raise forms.ValidationError(_("This is not an e-mail address: write it like name@example.org."))
        return email


class Further(Ask):
    """A further address of one's own."""

    email = forms.CharField(label=_("Another address of yours"), max_length=320, widget=forms.EmailInput, help_text=_("A letter goes there with a link; then we know you by it, too."))


class ByPassword(Ask):
    """Address and password."""

    password = forms.CharField(label=_("Password"), max_length=256, strip=False, widget=forms.PasswordInput)


class Account(forms.ModelForm):  # type: ignore[type-arg]
    """Name, language and time zone."""

    language = forms.ChoiceField(label=_("Language"), required=False, choices=[("", _("The browser's")), *settings.LANGUAGES])
    name = forms.CharField(label=_("Your name"), required=False, max_length=200, help_text=_("As the people of your lists will read it."))

    time_zone = forms.ChoiceField(label=_("Time zone"), required=False, help_text=_("Of dates and times on screens and in letters."))

    class Meta:
        model = Person
        fields = ["name", "language", "time_zone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones: forms.ChoiceField = self.fields["time_zone"]  # type: ignore[assignment]
        zones.choices = [("", format_lazy(_("The site's ({zone})"), zone=settings.TIME_ZONE)), *((zone, zone.replace("_", " ")) for zone in _zones())]

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).replace("\x00", "").split())


@cache
def _zones() -> list[str]:
    """Time zones of places; the others are old names and offsets."""
    places = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
    return [*sorted(zone for zone in available_timezones() if zone.split("/")[0] in places), "UTC"]


class Password(forms.Form):
    """A new password; the old one when there is one."""

    old = forms.CharField(label=_("Present password"), strip=False, widget=forms.PasswordInput, max_length=256)
    new = forms.CharField(label=_("New password"), strip=False, widget=forms.PasswordInput, max_length=256, help_text=_("At least 10 characters. A short sentence is easy to remember."))

    def __init__(self, person: Person, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        if not person.has_usable_password():
            del self.fields["old"]

    def clean_old(self) -> str:
        if not self.person.check_password(str(self.cleaned_data["old"])):
            raise forms.ValidationError(_("This is not your present password."))
        return ""

    def clean_new(self) -> str:
        new = str(self.cleaned_data["new"])
        validate_password(new, self.person)
        return new
