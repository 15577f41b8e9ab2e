"""People: found, added, given a sign-in link. For administrators."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.domain.addresses import is_address
from colporteur.domain.words import Invalid, gettext_noop
from colporteur.flow import credentials, merging, people
from colporteur.store.lists import Role
from colporteur.store.memberships import Membership
from colporteur.store.people import Person
from colporteur.web.frame import page_by, whole
from colporteur.web.guard import admin_only, person_of
from colporteur.web.saying import said


class Add(forms.Form):
    """Somebody new."""

    email = forms.CharField(label=gettext_lazy("E-mail address"), max_length=320)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    admin = forms.BooleanField(label=gettext_lazy("Site administrator"), required=False, help_text=gettext_lazy("May see and change everything on this site."))

    def clean_email(self) -> str:
        if not is_address(self.cleaned_data["email"]):
            raise forms.ValidationError(_("This is not an e-mail address: write it like name@example.org."))
        return str(self.cleaned_data["email"])


@admin_only
def index(request: HttpRequest) -> HttpResponse:
    """People, newest first, searched by beginning of name or address."""
    found = Person.objects.prefetch_related("addresses").order_by("-pk")
    wanted = request.GET.get("q", "").strip().replace("\x00", "")[:320]
    if wanted:
        found = found.filter(Q(name__istartswith=wanted) | Q(pk__in=Person.objects.filter(addresses__email__startswith=wanted.lower()).values("pk")))
    if before := whole(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    page = page_by(found, "pk")
    return render(request, "people/index.html", {"rows": [(person, [address.email for address in person.addresses.all()]) for person in page.rows], "next": page.next, "q": wanted})


@admin_only
def add(request: HttpRequest) -> HttpResponse:
    """Adds a person, or makes a known one an administrator."""
    form = Add(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        person = people.add(values["email"], values["name"], values["admin"], now=timezone.now())
        messages.success(request, _("%(person)s is here. Send a sign-in link next.") % {"person": person})
        return redirect("person", person.pk)
    return render(request, "people/add.html", {"form": form})


@admin_only
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One person: addresses, roles, lists; a sign-in link is made by POST and shown once; the account switched off and on."""
    person = get_object_or_404(Person, pk=number)
    link = ""
    if request.method == "POST" and request.POST.get("wish") == "link" and person.is_active:
        link = people.sign_in_link(person.primary_email, timezone.now())
    if request.method == "POST" and request.POST.get("wish") in ("off", "on"):
        _switch(request, person, request.POST["wish"] == "on")
        return redirect("person", person.pk)
    if request.method == "POST" and request.POST.get("wish") == "reset":
        credentials.reset(person, timezone.now(), by=person_of(request))
        messages.success(request, _("%(person)s signs in by mail or password alone again, on every device anew.") % {"person": person})
        return redirect("person", person.pk)
    context = {
        "ways": credentials.ways_of(person), "person": person, "link": link, "self": person.pk == person_of(request).pk, "minutes": people.LINK_MINUTES, "addresses": person.addresses.order_by("pk"),
        "roles": Role.objects.filter(Q(person=person) | Q(address__in=list(person.addresses.values_list("pk", flat=True)))).select_related("list").order_by("list__address"),
        "memberships": Membership.objects.filter(address__person=person, until__isnull=True).select_related("list", "address").order_by("list__address")[:100],
    }  # fmt: skip
    return render(request, "people/one.html", context)


@admin_only
def merge(request: HttpRequest, number: int) -> HttpResponse:
    """Another account of the same person comes into this one, at the word of an administrator: named, looked at, merged."""
    person = get_object_or_404(Person, pk=number)
    email = (request.POST.get("email") or request.GET.get("email") or "").strip()[:320]
    gone, fault = None, ""
    try:
        gone = people.find(email) if email else None
        if email and gone is None:
            raise Invalid(gettext_noop("nobody here has the address %(email)s"), email=email)
        if gone and gone.pk == person_of(request).pk and gone.pk != person.pk:
            raise Invalid(gettext_noop("your own account stays: merge the other one into it"))
        if gone and request.method == "POST":
            merging.merge(person, gone, timezone.now(), by=person_of(request))
            messages.success(request, _("Both accounts are one now."))
            return redirect("person", person.pk)
        if gone and gone.pk == person.pk:
            raise Invalid(gettext_noop("these are one account already"))
    except ValueError as error:
        gone, fault = None, said(error)
    return render(request, "people/merge.html", {"person": person, "gone": gone, "email": email, "fault": fault, "move": merging.foresee(person, gone) if gone else None})


def _switch(request: HttpRequest, person: Person, active: bool) -> None:
    if person.pk == person_of(request).pk:
        messages.error(request, _("You cannot switch off your own account: another administrator can."))
        return
    people.switch(person, active, by=person_of(request))
    if active:
        messages.success(request, _("%(person)s may sign in again.") % {"person": person})
    else:
        messages.success(request, _("%(person)s cannot sign in any more. Lists and roles are kept.") % {"person": person})
