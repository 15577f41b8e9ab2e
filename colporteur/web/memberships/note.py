"""The note about a member, for those who moderate: all they see and change of a member's settings."""

from __future__ import annotations

from dataclasses import replace

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.flow import personal
from colporteur.store.memberships import Membership
from colporteur.store.rights import Right
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of


class Note(forms.Form):
    """A text, or none."""

    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=personal.NOTE_LENGTH, widget=forms.Textarea(attrs={"rows": 4}), help_text=gettext_lazy("Only those who look after the list read it."))


@login_required
def page(request: HttpRequest, number: int, member: int) -> HttpResponse:
    """GET shows, POST saves."""
    list_ = list_or_404(request, number, Right.MODERATE)
    row = Membership.objects.filter(pk=member, list=list_, until__isnull=True).select_related("address__person").first()
    if row is None:
        raise Http404
    form = Note(request.POST or None, initial={"note": row.note})
    if request.method == "POST" and form.is_valid():
        personal.choose(row, replace(personal.choices_of(row), note=form.cleaned_data["note"]), timezone.now(), by=person_of(request))
        messages.success(request, _("The note about %(email)s is saved.") % {"email": row.email})
        return redirect("member-note", list_.pk, row.pk)
    context = {"form": form, "membership": row, "name": (row.address.person.name if row.address.person else "") or row.address.name}
    return list_page(request, list_, "list", "memberships/note.html", context, status=422 if form.errors else 200)
