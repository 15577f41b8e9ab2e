"""The mailbox a list is run from: its account, its health, and the live test that says what works and what not."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from colporteur.adapters import probes
from colporteur.domain.mailboxes import Account, default_port
from colporteur.flow import mailboxes, routes, transports
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.rights import Right
from colporteur.store.sealed import SealBroken
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.saying import said

ROUND_TRIP = 30  # seconds the round trip may take; the page waits for it


class Form(forms.Form):
    """An IMAP or POP3 account; an empty password keeps the one there is, an empty port is the usual one."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=[("imap", "IMAP"), ("pop3", "POP3")])
    host = forms.CharField(label=gettext_lazy("Server"), max_length=253, help_text=gettext_lazy("Like imap.example.org."))
    tls = forms.ChoiceField(label=gettext_lazy("Encryption"), choices=[("ssl", gettext_lazy("TLS from the start (usual)")), ("starttls", "STARTTLS"), ("none", gettext_lazy("None (only inside your own network)"))])
    port = forms.IntegerField(label=gettext_lazy("Port"), required=False, min_value=1, max_value=65535, help_text=gettext_lazy("Empty: the usual one."))
    self_signed = forms.BooleanField(label=gettext_lazy("Accept a certificate nobody vouches for"), required=False, help_text=gettext_lazy("Only for a server you know."))
    user = forms.CharField(label=gettext_lazy("User"), max_length=320)
    password = forms.CharField(label=gettext_lazy("Password"), max_length=500, required=False, strip=False, widget=forms.PasswordInput)
    folder = forms.CharField(label=gettext_lazy("Folder"), max_length=200, required=False, help_text=gettext_lazy("Empty: INBOX."))
    move_to = forms.CharField(label=gettext_lazy("Then move messages to"), max_length=200, required=False, help_text=gettext_lazy("A folder of the mailbox; empty: what was taken is deleted there."))
    every = forms.IntegerField(label=gettext_lazy("Look every"), min_value=5, max_value=86400, initial=60, help_text=gettext_lazy("Seconds, where the server does not announce new messages by itself."))

    def account(self) -> Account:
        """What was typed, as an account."""
        values = self.cleaned_data
        port = values["port"] or default_port(values["kind"], values["tls"])
        return Account(
            values["kind"], values["host"].strip(), port, values["user"].strip(), values["password"], values["tls"], values["self_signed"], values["folder"] or "INBOX",
            values["move_to"] if values["kind"] == "imap" else "", values["every"],
        )  # fmt: skip


def _of(list_: List) -> Mailbox | None:
    return Mailbox.objects.filter(list=list_).select_related("list").first()


def _initial(found: Mailbox | None, list_: List) -> dict[str, Any]:
    if found is None:
        return {"user": list_.address, "host": f"imap.{list_.host}", "folder": "INBOX", "every": 60}
    return {name: getattr(found, name) for name in ("kind", "host", "port", "user", "tls", "self_signed", "folder", "move_to", "every")}


@sensitive_post_parameters("password")
@login_required
def mailbox(request: HttpRequest, number: int) -> HttpResponse:
    """The account; saving it tests it for real."""
    list_ = list_or_404(request, number, Right.MANAGE)
    found = _of(list_)
    form = Form(request.POST or None, initial=_initial(found, list_))
    if request.method == "POST" and form.is_valid():
        account = form.account()
        if not account.password and (found is None or (found.host, found.user) != (account.host, account.user)):
            form.add_error("password", _("The password is missing: another server or user needs its own."))
        else:
            try:
                found = mailboxes.set_mailbox(list_, account, timezone.now(), by=person_of(request))
            except ValueError as error:
                form.add_error(None, said(error))
            else:
                _test(request, found)
                return redirect("mailbox", list_.pk)
    context = {"form": form, "mailbox": found, "health": mailboxes.health(found) if found else "", "shared": list_.domain_id is None, "traits": _traits(found)}
    return list_page(request, list_, "mailbox", "mailboxes/mailbox.html", context)


def _traits(found: Mailbox | None) -> list[tuple[str, bool]]:
    if found is None or not found.traits:
        return []
    words = {
        "envelope_sender": (_("Another envelope sender is accepted: each copy tells who it was for."), _("No other envelope sender is accepted: reports are recognised by other means.")),
        "plus_part": (_("Addresses with a plus-part arrive: replies find their message by it."), _("Addresses with a plus-part do not arrive: replies find their message by the subject.")),
        "from_address": (_("Another sender address is accepted: members see the author."), _("No other sender address is accepted: members see the list as the sender, with the author's name.")),
    }  # fmt: skip
    return [(words[name][0] if value else words[name][1], bool(value)) for name, value in found.traits.items() if name in words]


@require_POST
@login_required
def do(request: HttpRequest, number: int) -> HttpResponse:
    """Tests, tries the round trip, switches off or on, forgets."""
    list_ = list_or_404(request, number, Right.MANAGE)
    found, wish, now, person = _of(list_), request.POST.get("wish", ""), timezone.now(), person_of(request)
    if found is None:
        return redirect("mailbox", list_.pk)
    if wish == "test":
        _test(request, found)
    elif wish == "round-trip":
        _round_trip(request, list_, found)
    elif wish in ("on", "off"):
        mailboxes.switch(found, wish == "on", now, by=person)
        messages.success(request, _("The mailbox is collected from again.") if wish == "on" else _("The mailbox is left alone. What lies in it stays there."))
    elif wish == "forget":
        mailboxes.remove_mailbox(found, now, by=person)
        messages.success(request, _("The account is forgotten. What lies in the mailbox stays there."))
    return redirect("mailbox", list_.pk)


def _test(request: HttpRequest, found: Mailbox) -> None:
    """Connects and signs in for real; "Configuration OK" or exactly what failed."""
    try:
        checked = probes.check_mailbox(mailboxes.account_of(found))
    except SealBroken:
        messages.error(request, mailboxes.BROKEN_SEAL.shown())
        return
    if checked.ok:
        mailboxes.worked(found.pk, timezone.now())
        messages.success(request, checked.text(_))
    else:
        messages.error(request, _("The account is saved, but the test failed.") + " " + checked.text(_))


def _round_trip(request: HttpRequest, list_: List, found: Mailbox) -> None:
    """Sends from the sending service to the mailbox, to learn what the host lets pass."""
    transport = routes.route_of(list_).first
    if transport is None or transport.kind == "folder":
        messages.error(request, _("There is no sending service that reaches the mailbox. Choose one first."))
        return
    try:
        url, account = transports.url_of(transport), mailboxes.account_of(found)
    except SealBroken:
        messages.error(request, mailboxes.BROKEN_SEAL.shown())
        return
    shared = probes.check_shared(url, account, list_.address, mailboxes.probe_mark(timezone.now()), seconds=ROUND_TRIP)
    if shared.checked.ok:
        mailboxes.learn(found, dict(shared.traits), timezone.now())
        messages.success(request, shared.checked.text(_))
    else:
        messages.error(request, shared.checked.text(_))
