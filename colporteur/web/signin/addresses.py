"""One's own addresses: a further one by a letter with a link, the one written to first, and out again."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.flow import merging, people
from colporteur.store.people import Address
from colporteur.web.guard import person_of
from colporteur.web.saying import said
from colporteur.web.signin.forms import Further


@require_POST
@login_required
def change(request: HttpRequest) -> HttpResponse:
    """Asks a further address by letter, chooses the first one, or removes one."""
    person, wish = person_of(request), request.POST.get("wish", "")
    form = Further(request.POST)
    try:
        if not form.is_valid():
            raise ValueError(_("This is not an e-mail address: write it like name@example.org."))
        email = form.cleaned_data["email"]
        if wish == "add" and people.ask_address(person, email, timezone.now()):
            messages.success(request, _("A letter is on its way to %(email)s. Open its link where you are signed in.") % {"email": email})
        elif wish == "add":
            messages.warning(request, _("Enough letters went out for now. Look in your mailbox, or try again later."))
        elif wish == "first":
            people.choose_address(person, email)
            messages.success(request, _("We write to %(email)s from now on.") % {"email": email})
        elif wish == "remove":
            people.remove_address(person, email)
            messages.success(request, _("We no longer know you by %(email)s. Lists it is on still send to it.") % {"email": email})
    except ValueError as error:
        messages.error(request, said(error))
    return redirect("account")


@login_required
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the letter, for who asked for it: GET asks, POST adds the address."""
    person, now = person_of(request), timezone.now()
    address = people.address_asked(person, token, now)
    if address is None:
        return render(request, "signin/address.html", status=404)
    other = address.person if address.person_id not in (None, person.pk) else None
    if request.method == "POST" and other is not None:
        return _ask_merger(request, address)
    if request.method == "POST":
        try:
            people.add_address(person, address.email, now)
            messages.success(request, _("%(email)s is yours. What comes to it is on your page.") % {"email": address.email})
        except ValueError as error:
            messages.error(request, said(error))
        return redirect("account")
    return render(request, "signin/address.html", {"email": address.email, "other": other})


def _ask_merger(request: HttpRequest, address: Address) -> HttpResponse:
    """The address has an account of its own: a second letter goes to this one."""
    try:
        if merging.ask(person_of(request), address, timezone.now()):
            messages.success(request, _("A second letter is on its way to %(email)s. Its link makes both accounts one.") % {"email": person_of(request).primary_email})
        else:
            messages.warning(request, _("Enough letters went out for now. Look in your mailbox, or try again later."))
    except ValueError as error:
        messages.error(request, said(error))
    return redirect("account")
