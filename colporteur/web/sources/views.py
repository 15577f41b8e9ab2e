"""Sources of a list: what they are, how they go, what a run would do, and the removals that wait for an owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from colporteur.adapters.directories import Trouble
from colporteur.adapters.directories.kinds import fetch
from colporteur.domain.entries import Refused
from colporteur.domain.sources import FEEDS, KINDS, Kind
from colporteur.flow import sources
from colporteur.flow.mailboxes import Failure
from colporteur.flow.organisations import may_reach_inside
from colporteur.store.rights import Right
from colporteur.store.sealed import SealBroken
from colporteur.store.sources import Source, SourceEntry
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.saying import said
from colporteur.web.sources.forms import Form

TRY_SECONDS = 20.0
"""How long a dry run may take: its page waits for it."""
LINES = 50


class Row(NamedTuple):
    """A source in a table: its kind and role in words, and how it is."""

    source: Source
    kind: str
    feeds: str
    shape: str
    words: str


def _row(source: Source) -> Row:
    shape, words = {
        "waiting": ("waiting", _("Waits for you")), "trouble": ("broken", _("In trouble")), "running": ("running", _("Being asked")), "ok": ("done", _("Answers")), "new": ("draft", _("Not asked yet")),
    }[sources.state_of(source)]  # fmt: skip
    return Row(source, _(KINDS[source.kind]), _(FEEDS[source.feeds]), shape, words)


def _source_or_404(request: HttpRequest, number: int) -> Source:
    """The source, for somebody who manages its list."""
    found = Source.objects.select_related("list__organisation", "list__domain", "of").exclude(kind="manual").filter(pk=number).first()
    if found is None:
        raise Http404
    list_or_404(request, found.list_id, Right.MANAGE)
    return found


@login_required
def index(request: HttpRequest, number: int) -> HttpResponse:
    """Every source of a list."""
    list_ = list_or_404(request, number, Right.MANAGE)
    rows = [_row(source) for source in Source.objects.filter(list=list_).exclude(kind="manual").order_by("id")]
    kinds = [(kind, _(words)) for kind, words in KINDS.items() if kind != Kind.FILE or may_reach_inside(person_of(request))]
    return list_page(request, list_, "sources", "sources/index.html", {"rows": rows, "kinds": kinds})


@sensitive_post_parameters("secret")
@login_required
def add(request: HttpRequest, number: int, kind: str) -> HttpResponse:
    """A new source of one kind."""
    list_, person = list_or_404(request, number, Right.MANAGE), person_of(request)
    inside = may_reach_inside(person)
    if kind not in KINDS or (kind == Kind.FILE and not inside):
        raise Http404
    form = Form(request.POST or None, Kind(kind), inside=inside)
    if request.method == "POST" and form.is_valid() and (setting := form.setting()):
        try:
            made = sources.add(list_, setting, timezone.now(), by=person)
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("The source is there and will be asked in a moment."))
            return redirect("source", made.pk)
    return list_page(request, list_, "sources", "sources/add.html", {"form": form, "kind": _(KINDS[kind])}, status=422 if form.errors else 200)


@sensitive_post_parameters("secret")
@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """How one source is, and its setting."""
    source, person = _source_or_404(request, number), person_of(request)
    inside = may_reach_inside(person)
    may = inside or not source.internal
    form = Form(request.POST or None, Kind(source.kind), inside=inside, held=sources.setting_of(source))
    if request.method == "POST" and may and form.is_valid() and (setting := form.setting()):
        try:
            sources.change(source, setting, timezone.now(), by=person)
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("The source is saved and will be asked in a moment."))
            return redirect("source", source.pk)
    named = SourceEntry.objects.filter(source=source)
    context = {"form": form, "may": may, "row": _row(source), "source": source, "named": named.count(), "some": named.select_related("address").order_by("address__email")[:LINES], "lines": _lines(sources.lines_of(source)), "unread": [(email, said(why)) for email, why in sources.unread_of(source)]}
    return list_page(request, source.list, "sources", "sources/one.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def try_(request: HttpRequest, number: int) -> HttpResponse:
    """A dry run: what would change now."""
    source = _source_or_404(request, number)
    try:
        table = None if source.kind == Kind.LIST else fetch(sources.opened(source), TRY_SECONDS, networks=settings.NETWORKS)
        found = sources.preview(source, table)
    except SealBroken:
        fault = sources.BROKEN_SEAL.shown()
    except Trouble as trouble:
        fault = Failure(*trouble.parts).shown()
    except ValueError as error:
        fault = said(error)
    else:
        context = {"source": source, "found": found, "change": found.change, "fault": found.doubt, "lines": _lines(found.refused), "more": max(len(found.refused) - LINES, 0)}
        return list_page(request, source.list, "sources", "sources/try.html", context)
    return list_page(request, source.list, "sources", "sources/try.html", {"source": source, "fault": fault})


def _lines(refused: Sequence[Refused]) -> list[tuple[int, str, str]]:
    return [(line.line, said(line.reason), line.text) for line in refused[:LINES]]


@require_POST
@login_required
def do(request: HttpRequest, number: int) -> HttpResponse:
    """Asks now, agrees to removals, takes the source away."""
    source, wish, now, person = _source_or_404(request, number), request.POST.get("wish", ""), timezone.now(), person_of(request)
    if wish == "run":
        sources.ask_soon(source, now)
        messages.success(request, _("The source is asked in a moment."))
    elif wish == "approve":
        if sources.approve(source, now, by=person):
            messages.success(request, _("Agreed. The source is asked again, and so many may go."))
    elif wish in ("keep", "end"):
        try:
            count = sources.remove(source, now, by=person, keep=wish == "keep")
        except ValueError as error:
            messages.error(request, said(error))
            return redirect("source", source.pk)
        words = (
            ngettext("The source is gone; %(n)s person it named stays, by hand from now on.", "The source is gone; %(n)s people it named stay, by hand from now on.", count)
            if wish == "keep" else ngettext("The source is gone, and %(n)s person it named with it.", "The source is gone, and %(n)s people it named with it.", count)
        )  # fmt: skip
        messages.success(request, words % {"n": count})
        return redirect("sources", source.list_id)
    return redirect("source", source.pk)
