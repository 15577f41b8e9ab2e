"""The public form of a list: its address, and what to copy into one's own site."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.html import format_html
from django.utils.translation import gettext as _

from colporteur.domain.attributes import AttributeKind, Field
from colporteur.flow import attributes
from colporteur.store.lists import List
from colporteur.store.policies import policy
from colporteur.store.rights import Right
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404

_TYPES = {AttributeKind.DATE: "date"}


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    """Shows it as people see it, and as it is copied, in each language."""
    list_ = list_or_404(request, number, Right.MANAGE)
    rules, known = policy(list_), dict(settings.LANGUAGES)
    language = next(one for one in (request.GET.get("language", ""), list_.language, list_.organisation.language, "en") if one in known)
    where = settings.BASE_URL + reverse("join-embedded", args=[list_.host, list_.name])
    frame = format_html('<iframe src="{}?language={}" title="{}" width="100%" height="520" style="border:0"></iframe>', where, language, list_.title or list_.name)
    context = {
        "open": rules.joining.asked_for, "sites": rules.form_sites, "back": rules.form_return, "page": settings.BASE_URL + reverse("join-list", args=[list_.host, list_.name]), "frame": frame,
        "copied": _copied(list_, where, language, rules.join_question), "languages": settings.LANGUAGES, "language": language, "embedded": f"{reverse('join-embedded', args=[list_.host, list_.name])}?language={language}",
    }  # fmt: skip
    return list_page(request, list_, "members", "joining/form.html", context)


def _copied(list_: List, action: str, language: str, question: str) -> str:
    with translation.override(language):
        asked = [({"key": one.key, "label": one.label, "required": one.required, "type": _TYPES.get(one.kind, "text")}, _options(one)) for one in attributes.asked_of(list_)]
        return str(render_to_string("joining/copied.html", {"action": action, "language": language, "asked": asked, "question": question}))


def _options(field: Field) -> list[tuple[str, Any]]:
    if field.kind is AttributeKind.YES_NO:
        return [("", "—"), ("yes", _("Yes")), ("no", _("No"))]
    return [("", "—"), *((one, one) for one in field.choices)] if field.kind is AttributeKind.CHOICE else []
