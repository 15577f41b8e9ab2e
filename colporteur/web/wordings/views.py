"""Own texts of letters and footers: the same two pages for a list, a domain, an organisation and the site."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from colporteur import notices
from colporteur.flow import wordings
from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.rights import Right
from colporteur.store.wordings import Place
from colporteur.web.guard import admin_only, domain_or_404, list_or_404, organisation_or_404, person_of
from colporteur.web.saying import said


class Where(NamedTuple):
    """The place whose texts a page shows. ``base``: beginning of its pages' names; ``back``: the page above."""

    place: Place | None
    base: str
    title: str
    back: str

    def url(self, letter: str = "", language: str = "") -> str:
        """The page of all texts, or of one."""
        number = [self.place.pk] if self.place else []
        return reverse(f"{self.base}-wording", args=[*number, letter, language]) if letter else reverse(f"{self.base}-wordings", args=number)


@login_required
def of_list(request: HttpRequest, number: int, letter: str = "", language: str = "") -> HttpResponse:
    """Texts of one list."""
    list_ = list_or_404(request, number, Right.MANAGE)
    return _page(request, Where(list_, "list", list_.title or list_.name, reverse("list-settings", args=[list_.pk])), letter, language)


@admin_only
def of_site(request: HttpRequest, letter: str = "", language: str = "") -> HttpResponse:
    """Texts of every list and letter that has none of its own."""
    return _page(request, Where(None, "site", _("Site"), reverse("site-policy")), letter, language)


@login_required
def of_organisation(request: HttpRequest, number: int, letter: str = "", language: str = "") -> HttpResponse:
    """Texts of an organisation."""
    found = organisation_or_404(request, number)
    return _page(request, Where(found, "organisation", found.name, reverse("organisation-policy", args=[found.pk])), letter, language)


@login_required
def of_domain(request: HttpRequest, number: int, letter: str = "", language: str = "") -> HttpResponse:
    """Texts of a domain."""
    found = domain_or_404(request, number)
    return _page(request, Where(found, "domain", found.name, reverse("domain-policy", args=[found.pk])), letter, language)


def _page(request: HttpRequest, where: Where, letter: str, language: str) -> HttpResponse:
    if not letter:
        return render(request, "wordings/index.html", {"title": where.title, "back": where.back, "rows": _rows(where)})
    if letter not in wordings.names(where.place) or language not in notices.LANGUAGES:
        raise Http404
    wish = request.POST.get("wish", "") if request.method == "POST" else ""
    if wish == "reset":
        if wordings.reset(where.place, letter, language, timezone.now(), by=person_of(request)):
            messages.success(request, _("The text is the inherited one again."))
        return redirect(where.url(letter, language))
    subject, text, fault = request.POST.get("subject", ""), request.POST.get("text", ""), ""
    if wish == "save":
        try:
            wordings.rewrite(where.place, letter, language, subject, text, timezone.now(), by=person_of(request))
        except ValueError as error:
            fault = said(error)
        else:
            messages.success(request, _("The text is saved; it holds from the next letter on."))
            return redirect(where.url(letter, language))
    context = _one(where, letter, language, (subject, text) if wish else None)
    context["fault"] = fault or context["fault"]
    return render(request, "wordings/one.html", context, status=422 if context["fault"] else 200)


def _rows(where: Where) -> list[dict[str, Any]]:
    own = wordings.rewritten(where.place)
    return [
        {"letter": name, "subject": subject, "languages": [(language, where.url(name, language), (name, language) in own) for language in notices.LANGUAGES]}
        for name, subject in _subjects(where).items()
    ]


def _subjects(where: Where) -> dict[str, str]:
    """What each standard letter is called, as its readers see it, and the footer last."""
    language = (translation.get_language() or "en")[:2]
    language = language if language in notices.LANGUAGES else "en"
    return wordings.subjects(where.place, language, timezone.now()) | {wordings.FOOTER: _("Footer of every message")}


def _one(where: Where, letter: str, language: str, typed: tuple[str, str] | None) -> dict[str, Any]:
    """The page of one text: what holds or was typed, its fields with real values, and how it looks."""
    now, found = timezone.now(), wordings.current(where.place, letter, language)
    shown, fault, preview = found.texts, "", None
    if typed is not None:
        shown = notices.Texts(typed[0], typed[1], "")
    try:
        texts = wordings.checked(where.place, letter, language, *typed) if typed is not None else shown
        preview = wordings.preview(where.place, letter, language, texts, now)
    except ValueError as error:
        fault = said(error)
    origin = found.origin
    return {
        "title": where.title, "where": where, "index": where.url(), "letter": letter, "called": _subjects(where)[letter], "language": language, "footer": letter == wordings.FOOTER,
        "subject": shown.subject.strip(), "text": shown.text, "own": found.own, "shipped": found.shipped, "origin": origin.name if isinstance(origin, (Organisation, Domain)) else str(origin or ""),
        "site": not found.shipped and not isinstance(origin, (List, Domain, Organisation)), "fields": wordings.sample(where.place, letter, language, now).items(), "preview": preview, "fault": fault,
        "languages": [(other, where.url(letter, other)) for other in notices.LANGUAGES], "begins": "{% if … %}", "ends": "{% endif %}", "mark": ("{", "}") if letter == wordings.FOOTER else ("{{ ", " }}"),
    }  # fmt: skip
