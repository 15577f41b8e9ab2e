"""Templates: the shipped ones explained, and those administrators make."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.flow import templates
from colporteur.store.lists import List, ListState
from colporteur.store.organisations import Organisation
from colporteur.store.rights import organisations_for
from colporteur.store.templates import OwnTemplate
from colporteur.web import kinds
from colporteur.web.guard import person_of, template_or_404
from colporteur.web.saying import said


class About(forms.Form):
    """What a template is called."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=100)
    sentence = forms.CharField(label=gettext_lazy("Sentence"), max_length=300, required=False, help_text=gettext_lazy("What it is for; shown where somebody chooses a kind."))


class Make(About):
    """A new template."""

    based_on = forms.ChoiceField(label=gettext_lazy("Begin with the values of"))
    organisation = forms.ChoiceField(label=gettext_lazy("For the lists of"), required=False)

    def __init__(self, known: list[kinds.Kind], places: list[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["based_on"].choices = kinds.choices(known)  # type: ignore[attr-defined]
        self.fields["organisation"].choices = places  # type: ignore[attr-defined]


def _organisations(request: HttpRequest) -> list[Organisation]:
    found = list(organisations_for(person_of(request)).order_by("name")[:500])
    if not found and not person_of(request).is_admin:
        raise Http404
    return found


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The templates made here that one may change, then the shipped ones with their explanations."""
    mine = _organisations(request)
    found = OwnTemplate.objects.select_related("organisation").filter(Q(organisation__isnull=True) | Q(organisation__in=mine)).order_by("title")
    follow = dict(List.objects.exclude(state=ListState.DELETED).filter(organisation__in=mine).values_list("template").annotate(n=Count("id")))
    rows = [(template, follow.get(template.key, 0), template.organisation_id is not None or person_of(request).is_admin) for template in found]
    shipped = [(kind, follow.get(kind.key, 0)) for kind in kinds.kinds() if kind.explanation]
    return render(request, "templates/index.html", {"rows": rows, "shipped": shipped})


@login_required
def add(request: HttpRequest) -> HttpResponse:
    """A template of one's own, from another one."""
    mine = _organisations(request)
    places = [*([("", _("Every organisation"))] if person_of(request).is_admin else []), *((str(one.pk), one.name) for one in mine)]
    form = Make(kinds.kinds(one.pk for one in mine), places, request.POST or None, initial={"based_on": request.GET.get("from", "discussion")})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        chosen = next((one for one in mine if str(one.pk) == values["organisation"]), None)
        if chosen is None and not person_of(request).is_admin:
            raise Http404
        try:
            made = templates.make(values["title"], values["based_on"], timezone.now(), by=person_of(request), organisation=chosen, sentence=values["sentence"])
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("The template %(title)s is made. Change its values here.") % {"title": made.title})
            return redirect("template-policy", made.pk)
    return render(request, "templates/add.html", {"form": form})


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """Title and sentence; deleting, when no list follows it."""
    template = template_or_404(request, number)
    if request.method == "POST" and request.POST.get("wish") == "delete":
        try:
            templates.delete(template, timezone.now(), by=person_of(request))
        except ValueError as error:
            messages.error(request, said(error))
            return redirect("template", template.pk)
        messages.success(request, _("The template %(title)s is deleted.") % {"title": template.title})
        return redirect("templates")
    form = About(request.POST or None, initial={"title": template.title, "sentence": template.sentence})
    if request.method == "POST" and form.is_valid():
        templates.change(template, timezone.now(), by=person_of(request), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("template-policy", template.pk)
    return render(request, "templates/one.html", {"form": form, "template": template, "followers": templates.followers(template)})
