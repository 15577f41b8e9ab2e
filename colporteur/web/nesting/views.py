"""Lists inside a list, and people left out of it."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.flow import lists, nesting
from colporteur.store.lists import List
from colporteur.store.people import Person
from colporteur.store.rights import Right, rights_on
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.saying import said

_COVERS = [("yes", gettext_lazy("One approval covers it")), ("no", gettext_lazy("Its own rules are asked again"))]


class Put(forms.Form):
    """A list inside this one."""

    inner = forms.CharField(label=gettext_lazy("Address of the list"), max_length=320, help_text=gettext_lazy("You must look after it, too. Whoever is on both gets one copy."))
    covers = forms.ChoiceField(label=gettext_lazy("A message this list accepted"), choices=_COVERS)


class LeaveOut(forms.Form):
    """Somebody who receives nothing."""

    email = forms.CharField(label=gettext_lazy("E-mail address"), max_length=320, help_text=gettext_lazy("It gets nothing of this list, whichever way it would come to it."))


@login_required
def inside(request: HttpRequest, number: int) -> HttpResponse:
    """Shows both; POST puts a list inside or takes it out, leaves somebody out or readmits."""
    list_ = list_or_404(request, number, Right.MANAGE)
    put, out = Put(), LeaveOut()
    if request.method == "POST":
        wish = next((name for name in ("take", "readmit", "email", "inner") if name in request.POST), "")
        put, out = (Put(request.POST) if wish == "inner" else put), (LeaveOut(request.POST) if wish == "email" else out)
        try:
            if all(form.is_valid() for form in (put, out) if form.is_bound):
                messages.success(request, _act(list_, wish, request.POST.get(wish, ""), request.POST.get("covers") != "no", person_of(request), timezone.now()))
                return redirect("list-inside", list_.pk)
        except ValueError as error:
            form, field = (out, "email") if wish == "email" else (put, "inner")
            form.add_error(field, said(error)) if form.is_bound else messages.error(request, said(error))
    context = {"put": put, "out": out, "edges": nesting.edges(list_), "around": nesting.around(list_), "excluded": nesting.excluded(list_), "warnings": lists.warnings(list_)}
    return list_page(request, list_, "members", "nesting/inside.html", context, status=422 if put.errors or out.errors else 200)


def _act(list_: List, wish: str, text: str, covers: bool, person: Person, now: datetime) -> str:
    """Do it and say what was done. Raises ``ValueError``."""
    if wish == "inner":
        nesting.put_inside(list_, _managed(text, person), now, by=person, covers=covers)
        return _("The list stands inside this one now.")
    if wish == "take":
        nesting.take_out(list_, lists.find(text), now, by=person)
        return _("The list stands no longer inside this one.")
    if wish == "email":
        nesting.exclude(list_, text, now, by=person)
        return _("The address is left out.")
    nesting.readmit(list_, text, now, by=person)
    return _("The address is no longer left out.")


def _managed(address: str, person: Person) -> List:
    """A list the person looks after: nobody brings a list's members another one's mail without its owner. Raises ``ValueError``."""
    inner = lists.find(address)
    rights = rights_on(person, inner)
    if Right.MANAGE not in rights:
        raise ValueError(_("you do not look after %(address)s: ask its owner") % {"address": address} if rights else _("there is no list %(address)s") % {"address": address})
    return inner
