"""Segments of a list: all of them with their counts, and one: its rule, whom it means, and why somebody is in it or not."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.domain import segments as rules
from colporteur.domain.addresses import is_address, normal
from colporteur.domain.segments import Known, Rule
from colporteur.flow import segments
from colporteur.store.lists import List
from colporteur.store.people import Address
from colporteur.store.rights import Right
from colporteur.store.segments import Segment
from colporteur.web.frame import list_page, members_count
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.memberships.seen import shown
from colporteur.web.saying import said
from colporteur.web.segments import building

PAGE = 20
"""Segments counted on one page."""
COUNTED = 200_000
"""A list of more members has its segments counted one by one, on their own pages: each takes a second."""


@login_required
def index(request: HttpRequest, number: int) -> HttpResponse:
    """The segments, twenty a page, with how many members each means now."""
    list_ = list_or_404(request, number, Right.MANAGE)
    after = request.GET.get("after", "").replace("\x00", "")
    found = list(Segment.objects.filter(list=list_, name__gt=after).order_by("name")[: PAGE + 1])
    counts = members_count(list_) <= COUNTED
    rows = [(one, _words(rule := rules.parse(one.rule)), segments.counted(list_, rule) if counts else None) for one in found[:PAGE]]
    return list_page(request, list_, "members", "segments/index.html", {"rows": rows, "next": found[PAGE - 1].name if len(found) > PAGE else "", "first": not after})


@login_required
def new(request: HttpRequest, number: int) -> HttpResponse:
    """A new one, condition by condition."""
    list_ = list_or_404(request, number, Right.MANAGE)
    return _edit(request, list_, None)


@login_required
def one(request: HttpRequest, number: int, segment: int) -> HttpResponse:
    """Shows and changes one; ``who`` asks whether somebody is in it."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = Segment.objects.filter(pk=segment, list=list_).select_related("list").first()
    if row is None:
        raise Http404
    if request.POST.get("do") == "delete":
        try:
            segments.delete(row, timezone.now(), by=person_of(request))
        except ValueError as error:
            messages.error(request, said(error)[:1].upper() + said(error)[1:] + ".")
            return redirect("segment", list_.pk, row.pk)
        messages.success(request, _("The segment “%(name)s” is gone. Nobody left the list.") % {"name": row.name})
        return redirect("segments", list_.pk)
    return _edit(request, list_, row)


def _edit(request: HttpRequest, list_: List, row: Segment | None) -> HttpResponse:
    name = request.POST.get("name", row.name if row else "")
    kept = rules.parse(row.rule) if row else Rule()
    known = _with_own(segments.known(list_, person_of(request)), kept)
    context: dict[str, Any] = {"segment": row, "name": name, "matches": building.matches(), "abouts": building.abouts(known), "kept": _words(kept), "asks": request.POST.get("do") == "ask"}
    if request.method != "POST" or context["asks"]:
        groups = building.of_rule(kept, known)
        context |= {"groups": groups, **_meant(request, list_, kept if row else None), **_who(request, list_, kept)}
        return list_page(request, list_, "members", "segments/one.html", context)
    groups = building.posted(request.POST, known)
    do, fault, rule = request.POST.get("do", ""), "", None
    try:
        rule = rules.parse(building.given(groups), known)
        if do == "save":
            return _save(request, list_, row, name, rule)
    except ValueError as error:
        fault = said(error)[:1].upper() + said(error)[1:] + "." if do in ("save", "look") else ""
    context |= {"groups": groups, "fault": fault, **_meant(request, list_, rule if do == "look" else None)}
    return list_page(request, list_, "members", "segments/one.html", context, status=422 if fault else 200)


def _save(request: HttpRequest, list_: List, row: Segment | None, name: str, rule: Rule) -> HttpResponse:
    """Keep it. Raises ``Invalid``."""
    if row:
        saved = segments.change(row, timezone.now(), by=person_of(request), name=name, rule=rule)
    else:
        saved = segments.create(list_, name, rule, timezone.now(), by=person_of(request))
    messages.success(request, _("The segment “%(name)s” is saved.") % {"name": saved.name})
    return redirect("segment", list_.pk, saved.pk)


def _with_own(known: Known, rule: Rule) -> Known:
    """What the rule names already is shown, also a list the reader does not look after."""
    return Known(known.fields, {**known.lists, **{pk: title for pk, title in segments.lists_named(rule).items() if pk not in known.lists}})


def _meant(request: HttpRequest, list_: List, rule: Rule | None) -> dict[str, Any]:
    """How many, and the first of them where the reader may see members."""
    if rule is None:
        return {"count": None}
    return {"count": segments.counted(list_, rule), "some": segments.some(list_, rule) if shown(request, list_) else [], "meant": _words(rule)}


def _who(request: HttpRequest, list_: List, rule: Rule) -> dict[str, Any]:
    """Whether somebody is in it, and why."""
    asked = request.GET.get("who", "").strip()
    if not asked:
        return {}
    address = Address.objects.filter(email=normal(asked)).first() if is_address(asked) else None
    found = segments.matches(list_, rule, address) if address else None
    return {"who": asked, "member": bool(found and found.member), "found": found, "reasons": [(said(one.sentence), one.holds, one.depth) for one in found.reasons] if found else []}


def _words(rule: Rule) -> str:
    return rules.words(rule, _, segments.lists_named(rule))
