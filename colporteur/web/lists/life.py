"""What ends, moves or doubles a list: service, closing, deleting one or several, restoring, addresses, a copy."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from colporteur.domain.addresses import is_address
from colporteur.flow import life, lists
from colporteur.store.lists import List, ListState
from colporteur.store.rights import Right, deleted_lists_for, lists_for, organisations_for, rights_on
from colporteur.web.frame import list_page, page_by
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.saying import NOT_AN_ADDRESS, said

MOST = 200
"""Lists deleted together: as many as pages of lists can tick."""


@require_POST
@login_required
def switch(request: HttpRequest, number: int) -> HttpResponse:
    """Switches the list's service off or on again."""
    list_ = list_or_404(request, number, Right.MANAGE)
    on = list_.state == ListState.OFF
    if life.switch(list_, on, timezone.now(), by=person_of(request)):
        messages.success(request, _("The list is switched on again.") if on else _("The list is switched off. It takes and sends nothing, and loses nothing."))
    return redirect("list-about", list_.pk)


@require_POST
@login_required
def close(request: HttpRequest, number: int) -> HttpResponse:
    """Closes the list, or opens it again."""
    list_ = list_or_404(request, number, Right.MANAGE)
    if list_.state == ListState.CLOSED:
        life.reopen(list_, timezone.now(), by=person_of(request))
        messages.success(request, _("The list is open again."))
    elif life.close(list_, timezone.now(), by=person_of(request)):
        messages.success(request, _("The list is closed. Its messages and members are kept."))
    return redirect("list-about", list_.pk)


@login_required
def delete(request: HttpRequest, number: int) -> HttpResponse:
    """Asks, saying what goes and until when it can come back; POST hides the list with everything it has."""
    list_ = list_or_404(request, number, Right.MANAGE)
    if request.method == "POST":
        if life.delete(list_, timezone.now(), by=person_of(request)):
            messages.success(request, _("The list %(address)s is deleted. An administrator can bring it back.") % {"address": list_.address})
        return redirect("lists")
    return list_page(request, list_, "list-settings", "lists/delete.html", {"going": life.going(list_)})


@require_POST
@login_required
def delete_several(request: HttpRequest) -> HttpResponse:
    """The ticked lists: asks first, then deletes them together. Others than one's own are left alone, unsaid."""
    chosen = [number for number in request.POST.getlist("who")[:MOST] if number.isascii() and number.isdigit() and len(number) < 16]
    found = list(lists_for(person_of(request), Right.MANAGE).exclude(state=ListState.PENDING).filter(pk__in=chosen).select_related("organisation", "domain").order_by("address"))
    if not found:
        messages.warning(request, _("No list is chosen: tick the lists first."))
    elif not request.POST.get("sure"):
        return render(request, "lists/delete_several.html", {"rows": [(list_, life.going(list_)) for list_ in found]})
    else:
        n = life.delete_all(found, timezone.now(), by=person_of(request))
        messages.success(request, ngettext("%(n)s list is deleted. An administrator can bring it back.", "%(n)s lists are deleted. An administrator can bring them back.", n) % {"n": n})
    return redirect("lists")


@login_required
def deleted(request: HttpRequest) -> HttpResponse:
    """Deleted lists that can still be restored."""
    if not person_of(request).is_admin and not organisations_for(person_of(request)).exists():
        raise Http404
    found = deleted_lists_for(person_of(request)).filter(purge_at__gt=timezone.now()).order_by("address")
    if after := request.GET.get("after", "").replace("\x00", ""):
        found = found.filter(address__gt=after)
    page = page_by(found, "address")
    return render(request, "lists/deleted.html", {"rows": page.rows, "next": page.next})


@require_POST
@login_required
def restore(request: HttpRequest, number: int) -> HttpResponse:
    """Brings a deleted list back as it was."""
    found = List.objects.filter(pk=number).first()
    if found is None or Right.ADMINISTER not in rights_on(person_of(request), found):
        raise Http404
    try:
        life.restore(found.address, timezone.now(), by=person_of(request))
    except ValueError as error:
        messages.error(request, said(error))
        return redirect("lists-deleted")
    messages.success(request, _("The list %(address)s is back with everything it had.") % {"address": found.address})
    return redirect("list", found.pk)


class Address(forms.Form):
    """Another address for a list that is there."""

    address = forms.CharField(label=gettext_lazy("New address"), max_length=320, help_text=gettext_lazy("On this domain or on another one of yours."))

    def clean_address(self) -> str:
        if not is_address(self.cleaned_data["address"]):
            raise forms.ValidationError(NOT_AN_ADDRESS)
        return str(self.cleaned_data["address"])


class Move(Address):
    """Where the list goes, and what becomes of the old address."""

    keep = forms.BooleanField(label=gettext_lazy("Keep the old address"), required=False, initial=True, help_text=gettext_lazy("Messages to it go on reaching the list."))


class Copy(Address):
    """A second list like this one."""

    title = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    members = forms.BooleanField(label=gettext_lazy("With its members"), required=False, help_text=gettext_lazy("Messages are not copied."))


@login_required
def addresses(request: HttpRequest, number: int) -> HttpResponse:
    """The list's addresses: a further one is taken away; administrators move the list to another one."""
    list_ = list_or_404(request, number, Right.MANAGE)
    may_move = Right.ADMINISTER in rights_on(person_of(request), list_)
    if request.method == "POST" and "take" in request.POST:
        return _take(request, list_)
    form = Move(request.POST or None)
    if request.method == "POST" and may_move and form.is_valid():
        old = list_.address
        try:
            life.move(list_, form.cleaned_data["address"], timezone.now(), by=person_of(request), keep=form.cleaned_data["keep"])
        except ValueError as error:
            form.add_error("address", said(error))
        else:
            messages.success(request, _("The list is now called %(new)s; it was %(old)s.") % {"new": list_.address, "old": old})
            return redirect("list-addresses", list_.pk)
    context = {"form": form, "may_move": may_move, "aliases": list_.aliases.order_by("address")}
    return list_page(request, list_, "list-settings", "lists/addresses.html", context)


def _take(request: HttpRequest, list_: List) -> HttpResponse:
    address = request.POST["take"]
    if is_address(address) and lists.remove_alias(list_, address, timezone.now(), by=person_of(request)):
        messages.success(request, _("Messages to %(address)s no longer reach the list.") % {"address": address})
    return redirect("list-addresses", list_.pk)


@login_required
def copy(request: HttpRequest, number: int) -> HttpResponse:
    """A new list with the settings, roles and own texts of this one."""
    list_ = list_or_404(request, number, Right.ADMINISTER)
    form = Copy(request.POST or None, initial={"title": list_.title})
    if request.method == "POST" and form.is_valid():
        values: dict[str, Any] = form.cleaned_data
        try:
            made = life.copy(list_, values["address"], timezone.now(), by=person_of(request), title=values["title"], members=values["members"])
        except ValueError as error:
            form.add_error("address", said(error))
        else:
            messages.success(request, _("The list %(address)s is made.") % {"address": made.address})
            return redirect("list-settings", made.pk)
    return list_page(request, list_, "list-settings", "lists/copy.html", {"form": form})
