"""What a list knows of its members: attributes added, changed, taken away."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from colporteur.domain.attributes import KEY_LENGTH, AttributeKind
from colporteur.flow import attributes
from colporteur.store.rights import Right
from colporteur.store.segments import Attribute, Details
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.saying import said

KINDS = {
    AttributeKind.TEXT: gettext_lazy("Text"), AttributeKind.NUMBER: gettext_lazy("Number"), AttributeKind.DATE: gettext_lazy("Date"),
    AttributeKind.YES_NO: gettext_lazy("Yes or no"), AttributeKind.CHOICE: gettext_lazy("One of several"),
}  # fmt: skip


class One(forms.Form):
    """An attribute. Its key and kind are given once."""

    label = forms.CharField(label=gettext_lazy("Label"), max_length=attributes.LABEL_LENGTH, help_text=gettext_lazy("What people are asked, like “Town”."))
    key = forms.CharField(label=gettext_lazy("Key"), max_length=KEY_LENGTH, required=False, help_text=gettext_lazy("Its name in files and newsletters, like town. Empty: made of the label."))
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=[(kind.value, words) for kind, words in KINDS.items()])
    choices = forms.CharField(label=gettext_lazy("Choices"), required=False, widget=forms.Textarea(attrs={"rows": 4}), help_text=gettext_lazy("One a line, for “One of several”."))
    asked = forms.BooleanField(label=gettext_lazy("Ask members"), required=False, help_text=gettext_lazy("On the public form, and on the page where members change what they receive. Ask no more than you need."))
    required = forms.BooleanField(label=gettext_lazy("Must be answered"), required=False)
    position = forms.IntegerField(label=gettext_lazy("Place"), required=False, min_value=0, max_value=1000, help_text=gettext_lazy("The smallest comes first."))

    def __init__(self, *given: Any, there: bool = False, **named: Any) -> None:
        super().__init__(*given, **named)
        if there:
            del self.fields["key"], self.fields["kind"]
        else:
            del self.fields["position"]


@login_required
def index(request: HttpRequest, number: int) -> HttpResponse:
    """Shows them; POST adds one."""
    list_ = list_or_404(request, number, Right.MANAGE)
    form = One(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            attributes.define(list_, timezone.now(), by=person_of(request), **values | {"choices": values["choices"].splitlines()})
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("The list knows “%(label)s” of its members from now on.") % {"label": values["label"]})
            return redirect("attributes", list_.pk)
    rows = [(row, KINDS[AttributeKind(row.kind)]) for row in attributes.of_list(list_)]
    return list_page(request, list_, "members", "attributes/index.html", {"rows": rows, "form": form}, status=422 if form.errors else 200)


@login_required
def one(request: HttpRequest, number: int, attribute: int) -> HttpResponse:
    """Changes one, or takes it away after a question."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = Attribute.objects.filter(pk=attribute, list=list_).select_related("list").first()
    if row is None:
        raise Http404
    wish = request.POST.get("wish", "")
    shown = {"label": row.label, "choices": "\n".join(row.choices), "asked": row.asked, "required": row.required, "position": row.position}
    form = One(request.POST if wish == "save" else None, initial=shown, there=True)
    if row.kind != AttributeKind.CHOICE:
        del form.fields["choices"]
    try:
        if wish == "delete":
            n = attributes.delete(row, timezone.now(), by=person_of(request))
            messages.success(request, ngettext("The attribute is gone, with the value of %(n)s member.", "The attribute is gone, with the values of %(n)s members.", n) % {"n": n})
            return redirect("attributes", list_.pk)
        if wish == "save" and form.is_valid():
            values = form.cleaned_data
            attributes.change(row, timezone.now(), by=person_of(request), **values | ({"choices": values["choices"].splitlines()} if "choices" in values else {}))
            messages.success(request, _("Saved."))
            return redirect("attributes", list_.pk)
    except ValueError as error:
        messages.error(request, said(error)[:1].upper() + said(error)[1:] + ".")
    known = Details.objects.filter(list=list_, values__has_key=row.key).count()
    context = {"row": row, "kind": KINDS[AttributeKind(row.kind)], "form": form, "known": known, "asks": wish == "ask"}
    return list_page(request, list_, "members", "attributes/one.html", context, status=422 if form.errors else 200)
