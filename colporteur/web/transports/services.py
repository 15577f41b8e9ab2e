"""The form of a sending service that has an interface of its own, and what its page says of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.adapters.transports.esp import registering
from colporteur.domain.services import REGIONS, SERVICES, Account, Told, read_account
from colporteur.flow import services, transports
from colporteur.store import services as store
from colporteur.store.organisations import Organisation
from colporteur.store.sealed import SealBroken
from colporteur.store.services import Hook, ServiceEvent
from colporteur.store.transports import Transport
from colporteur.web.saying import said

SHOWN = 10
TOLD = {
    Told.BOUNCED: gettext_lazy("came back"), Told.DEFERRED: gettext_lazy("delayed"), Told.COMPLAINED: gettext_lazy("reported as spam"), Told.UNSUBSCRIBED: gettext_lazy("unsubscribed"),
    Told.ANSWERED: gettext_lazy("an automatic reply"), Told.OPENED: gettext_lazy("opened"), Told.CLICKED: gettext_lazy("clicked"),
}  # fmt: skip
_OPTIONS = {
    "region": (gettext_lazy("Region"), gettext_lazy("Where the account is.")),
    "return-path": (gettext_lazy("Return path"), gettext_lazy("A domain of yours that the service verified for bounces, like back.example.org; empty: the service's own.")),
    "subaccount": (gettext_lazy("Subaccount"), gettext_lazy("Leave empty unless you made one over there.")),
    "domain": (gettext_lazy("Sending domain"), gettext_lazy("As the service knows it; empty: the domain of the sender.")),
    "stream": (gettext_lazy("Message stream"), gettext_lazy("Its ID over there; newsletters want a broadcast stream. Empty: the one for single messages.")),
}


class Service(forms.Form):
    """An account of such a service; empty keys keep those there are."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=63, help_text=gettext_lazy("As your lists will choose it, like “newsletters”."))
    key = forms.CharField(label=gettext_lazy("API key"), max_length=500, required=False)
    secret = forms.CharField(label=gettext_lazy("Secret key"), max_length=500, required=False)
    organisation = forms.ChoiceField(label=gettext_lazy("For"), required=False)

    def __init__(self, kind: str, known: Account | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind, self.known, service = kind, known, SERVICES[kind]
        hidden = "secret" if len(service.keys) > 1 else "key"
        self.fields[hidden].widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        if len(service.keys) == 1:
            del self.fields["secret"]
        if service.keys[0] == "PROJECT":
            self.fields["key"].label = _("Project ID")
        for option in service.options:
            label, words = _OPTIONS[option]
            known_regions = [("", _("the service's usual one")), *((one, one.upper()) for one in REGIONS.get(kind, ()))]
            self.fields[option] = forms.ChoiceField(label=label, help_text=words, required=False, choices=known_regions) if option == "region" else forms.CharField(label=label, help_text=words, required=False, max_length=253)
        self.order_fields([*(name for name in self.fields if name != "organisation"), "organisation"])
        if known:
            del self.fields["name"], self.fields["organisation"]
            self.fields[hidden].help_text = _("Leave empty to keep the present one.")
        else:
            self.fields["organisation"].choices = [("", _("Every organisation")), *((str(o.pk), o.name) for o in Organisation.objects.order_by("name"))]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Says at once what is missing."""
        try:
            read_account(self.url())
        except ValueError as error:
            self.add_error("key", said(error))
        return self.cleaned_data

    def url(self) -> str:
        """The transport's URL."""
        values: dict[str, Any] = {"key": "", "secret": "", **self.cleaned_data}
        known = self.known.keys if self.known else ()
        if len(SERVICES[self.kind].keys) > 1:
            same = bool(known) and values["key"] == known[0]
            keys = [values["key"], values["secret"] or (known[1] if same else "")]
        else:
            keys = [values["key"] or (known[0] if known else "")]
        options = {option: values[option].strip() for option in SERVICES[self.kind].options if values.get(option)}
        if self.known and "api" in self.known.options:
            options["api"] = self.known.options["api"]
        return f"{self.kind}://{':'.join(quote(key.strip(), safe='') for key in keys)}@{'?' + urlencode(options) if options else ''}"


def account_of(transport: Transport) -> Account | None:
    """The account, None when its keys cannot be opened any more."""
    try:
        return read_account(transports.url_of(transport))
    except (SealBroken, ValueError):
        return None


def initial(account: Account | None) -> dict[str, Any]:
    """Form values; of two keys the first is a name."""
    return {**account.options, "key": account.keys[0] if len(account.keys) > 1 else ""} if account else {}


class About(NamedTuple):
    """What the page of a service says beside its account. ``url``: of the webhook, "" for none."""

    title: str
    raw: bool
    url: str
    ticks: tuple[str, ...]
    signs: str
    signed: bool
    hook: Hook | None
    told: str
    unmatched: list[tuple[ServiceEvent, str]]
    sent_today: int
    registers: bool  # the webhook can be entered over there from here


def about(transport: Transport, now: datetime) -> About:
    """Gathered for the page; makes the webhook's address at the first look."""
    service = SERVICES[transport.kind]
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    hook = services.hook_of(transport, now) if service.hooks else None
    try:
        url = services.url_of(hook) if hook else ""
    except SealBroken:
        url = ""
    told = str(TOLD[Told(hook.told)]) if hook and hook.told else ""
    unmatched = [(event, str(TOLD[Told(event.told)])) for event in services.unmatched(transport, SHOWN)]
    registers = bool(url) and registering.can(transport.kind)
    return About(service.title, service.raw, url, service.ticks, service.signs, bool(hook and hook.key_sealed), hook, told, unmatched, store.sent_since(transport.pk, midnight), registers)
