"""One member of a list: delivery, pause between days, what becomes of their messages, own copy, hidden, a note."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.flow import attributes, nesting, personal
from colporteur.store.memberships import Membership
from colporteur.store.policies import policy
from colporteur.store.rights import Right
from colporteur.web.asking import answers, ask, bound
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.memberships.words import how_words, ways
from colporteur.web.saying import said

_OWN = {"": None, "yes": True, "no": False}


class One(forms.Form):
    """What is decided for one member."""

    delivery = forms.ChoiceField(label=gettext_lazy("Delivery"))
    pause_from = forms.DateField(label=gettext_lazy("Pause from"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), help_text=gettext_lazy("Empty: from now on, when the pause has an end."))
    pause_until = forms.DateField(label=gettext_lazy("Receives again on"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    posting = forms.ChoiceField(label=gettext_lazy("Messages this member writes"), required=False)
    own_copy = forms.ChoiceField(label=gettext_lazy("Copy of own messages"), required=False)
    hidden = forms.BooleanField(label=gettext_lazy("Hidden from the other members"), required=False)
    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=personal.NOTE_LENGTH, widget=forms.Textarea(attrs={"rows": 3}), help_text=gettext_lazy("Only those who look after the list read it."))

    def __init__(self, membership: Membership, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        choices = {
            "delivery": ways(membership.delivery, policy(membership.list)),
            "posting": [("", _("As the list says")), ("free", _("Go out without waiting")), ("moderated", _("Wait for a moderator")), ("never", _("Are refused"))],
            "own_copy": [("", _("As the list says")), ("yes", _("Yes")), ("no", _("No"))],
        }
        for name, found in choices.items():
            self.fields[name].choices = found  # type: ignore[attr-defined]


@login_required
def page(request: HttpRequest, number: int, member: int) -> HttpResponse:
    """GET shows, POST saves."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = Membership.objects.filter(pk=member, list=list_, until__isnull=True).select_related("address__person", "source").first()
    if row is None:
        raise Http404
    form = One(row, request.POST or None, initial=_shown(row))
    ask(form, attributes.fields_of(list_), attributes.values_of(list_, [row.address_id]).get(row.address_id), must=False)
    if request.method == "POST" and form.is_valid():
        try:
            changed = personal.choose(row, _wanted(form.cleaned_data), timezone.now(), by=person_of(request))
            changed += attributes.write(list_, row.address, answers(form), timezone.now(), by=person_of(request))
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("The settings of %(email)s are saved.") % {"email": row.email} if changed else _("Nothing was to change."))
            return redirect("members", list_.pk)
    before = Membership.objects.filter(list=list_, address=row.address).select_related("consent").order_by("-id")
    context = {"known": bound(form), "through": nesting.ways([list_.pk]).get(list_.pk, []), "history": [(one, how_words(one.consent.how) if one.consent else "") for one in before[:20]], "form": form, "membership": row, "name": (row.address.person.name if row.address.person else "") or row.address.name}
    return list_page(request, list_, "members", "memberships/one.html", context, status=422 if form.errors else 200)


def _shown(row: Membership) -> dict[str, Any]:
    own = next(text for text, value in _OWN.items() if value is row.own_copy)
    days = {name: timezone.localdate(moment) if moment else None for name, moment in (("pause_from", row.pause_from), ("pause_until", row.pause_until))}
    return {"delivery": row.delivery, "posting": row.posting, "own_copy": own, "hidden": row.hidden, "note": row.note, **days}


def _wanted(values: dict[str, Any]) -> personal.Choices:
    return personal.Choices(values["delivery"], _morning(values["pause_from"]), _morning(values["pause_until"]), values["posting"], _OWN[values["own_copy"]], values["hidden"], values["note"])


def _morning(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time())) if day else None
