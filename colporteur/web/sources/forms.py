"""The form of a source: what its kind is told (``domain.sources.OPTIONS``), and what all kinds have in common."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.domain.sources import FEEDS, OPTIONS, SECRET, URL, Feeds, Kind, Setting, read_mapping, shown_url, written_mapping
from colporteur.domain.words import Invalid
from colporteur.web.saying import said

EVERY = [
    (300, gettext_lazy("every 5 minutes")), (900, gettext_lazy("every 15 minutes")), (3600, gettext_lazy("every hour")), (6 * 3600, gettext_lazy("every 6 hours")),
    (86400, gettext_lazy("every day")), (7 * 86400, gettext_lazy("every week")),
]  # fmt: skip


class Form(forms.Form):
    """``inside``: whoever sets it may point it inside the network."""

    def __init__(self, data: Any, kind: Kind, *, inside: bool, held: Setting | None = None) -> None:
        super().__init__(data, initial=_initial(held) if held else {"every": 3600, "feeds": Feeds.MEMBER.value})
        self.kind, self.held = kind, held
        self.fields["name"] = forms.CharField(label=_("Name"), max_length=100, required=False, help_text=_("What owners read about it. Empty: its address."))
        for name, option in OPTIONS[kind].items():
            widget: forms.Widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}) if option.lines else forms.PasswordInput() if name == SECRET else forms.TextInput(attrs={"spellcheck": "false"})
            words = _(option.sentence) if option.sentence else ""
            self.fields[name] = forms.CharField(label=_(option.label), help_text=words, required=option.needed, max_length=10_000, widget=widget, strip=name != SECRET)
        if kind is not Kind.LIST:
            self.fields["mapping"] = forms.CharField(label=_("Which column is what"), max_length=2000, required=False, help_text=_("Like email=Courriel, name=Nom, basket=Panier. Empty: usual names are recognised, and further columns come along."))
        self.fields["feeds"] = forms.ChoiceField(label=_("They become"), choices=[(value, _(words)) for value, words in FEEDS.items()])
        known = [value for value, _words in EVERY]
        more = [(held.every, _("every %(n)s seconds") % {"n": held.every})] if held and held.every not in known else []
        self.fields["every"] = forms.TypedChoiceField(label=_("It is asked"), choices=[*EVERY, *more], coerce=int)
        self.fields["refresh"] = forms.BooleanField(label=_("Ask again before each message"), required=False, help_text=_("For what changes by the hour, like who is on duty. A message then waits until the source answered, two minutes at most."))
        if inside:
            self.fields["internal"] = forms.BooleanField(label=_("It may lie inside our network"), required=False, help_text=_("Only administrators of the site can allow that: such a source reaches what the Internet does not."))

    def setting(self) -> Setting | None:
        """What was typed; None, with the fault on its field, when a text cannot be read."""
        values = self.cleaned_data
        try:
            mapping = read_mapping(values.get("mapping", ""))
        except Invalid as error:
            self.add_error("mapping", said(error))
            return None
        url = values[URL].strip()
        if self.held and url == shown_url(self.held.url):
            url = self.held.url  # with the password that is not shown
        options = {name: values[name].replace("\r\n", "\n") for name in OPTIONS[self.kind] if name not in (URL, SECRET)}
        return Setting(self.kind, url, values.get(SECRET, ""), options, mapping, Feeds(values["feeds"]), values["name"], values["every"], values["refresh"], values.get("internal", False))


def _initial(held: Setting) -> dict[str, Any]:
    shown = {"name": held.name, URL: shown_url(held.url), "mapping": written_mapping(held.mapping), "feeds": held.feeds.value}
    return {**held.options, **shown, "every": held.every, "refresh": held.refresh, "internal": held.internal}
