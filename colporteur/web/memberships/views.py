"""Members of a list: searched, paged by key, paused, removed, exported. 1,000,000 of them stay usable."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from colporteur.domain.addresses import is_address
from colporteur.domain.attributes import written
from colporteur.domain.digests import DeliveryMode
from colporteur.flow import attributes, memberships
from colporteur.store.joining import JoinRequest, JoinState
from colporteur.store.leaving import waiting as leave_requests
from colporteur.store.lists import List
from colporteur.store.memberships import Counted, counted
from colporteur.store.rights import Right
from colporteur.store.sources import Source
from colporteur.store.standing import counts_of
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.memberships.finding import MOST, STANDINGS, current, found, page_of, told
from colporteur.web.memberships.seen import shown
from colporteur.web.memberships.words import delivery_words
from colporteur.web.saying import inert


@login_required
def members(request: HttpRequest, number: int) -> HttpResponse:
    """The members, by address or by name; the key of a page is the last address of the one before."""
    list_ = list_or_404(request, number, Right.MANAGE)
    by_name = request.GET.get("by") == "name"
    query = request.GET
    rows = current(list_).select_related("address__person", "address__standing", "source")
    if not (all_shown := shown(request, list_)):
        rows = rows.filter(email=query.get("q", "").strip().lower()[:320])  # an owner finds whose address he or she knows
    page = page_of(rows, query)
    kinds = counted(list_.pk)
    counts = {"": sum(kind.n for kind in kinds), "paused": sum(kind.n for kind in kinds if kind.paused), "silent": sum(kind.n for kind in kinds if not kind.paused and kind.delivery == DeliveryMode.NONE)}
    counts["receive"] = counts[""] - counts["paused"] - counts["silent"]
    troubled = counts_of(list_.pk)
    counts |= {name: troubled.get(standing, 0) for name, standing in STANDINGS.items()}
    words = [("", _("All"), ""), ("receive", _("Receive"), "done"), ("paused", _("Paused"), "paused"), ("silent", _("Read elsewhere"), "draft"), ("shaky", _("Shaky address"), "shaky"), ("unreached", _("Address paused"), "paused"), ("lost", _("Address lost"), "broken")]
    context = {
        "page": page, "q": request.GET.get("q", ""), "state": request.GET.get("state", ""), "by_name": by_name, "total": counts[""], "all_shown": all_shown,
        "asking": JoinRequest.objects.filter(list=list_, state=JoinState.WAITING).count() + leave_requests(list_).count(),
        "filters": [(name, label, shape, counts[name]) for name, label, shape in words if not name or counts[name]],
        "choices": _choices(kinds), "mode": request.GET.get("mode", ""), "source": request.GET.get("source", ""), **_matching(list_, request.GET, bool(page.next), kinds),
    }  # fmt: skip
    return list_page(request, list_, "members", "memberships/members.html", context)


def _choices(kinds: list[Counted]) -> dict[str, list[tuple[str, str]]]:
    """Deliveries and sources there is something to choose among, by name in the query string."""
    modes = sorted({kind.delivery for kind in kinds}, key=[mode.value for mode in DeliveryMode].index)
    named = dict(Source.objects.filter(pk__in=[kind.source_id for kind in kinds if kind.source_id]).values_list("pk", "name"))
    sources = [("hand", _("By hand"))] * any(kind.source_id is None for kind in kinds) + [(str(pk), name) for pk, name in sorted(named.items(), key=lambda one: one[1])]
    return {"mode": [(mode, delivery_words(mode)) for mode in modes] if len(modes) > 1 else [], "source": sources if len(sources) > 1 else []}


def _matching(list_: List, query: QueryDict, more: bool, kinds: list[Counted]) -> dict[str, Any]:
    """How many the whole search finds, when it is more than a page; where the tallies do not tell, many of them are not counted."""
    if not more:
        return {"matching": None, "many": False}
    if (number := told(kinds, query)) is not None:
        return {"matching": number, "many": False}
    number = found(list_, query)[: MOST + 1].count()
    return {"matching": number, "many": number > MOST}


def _need_all(request: HttpRequest, list_: List) -> None:
    if not shown(request, list_):
        raise Http404


@require_POST
@login_required
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Pauses, resumes or removes the chosen members, or all that match the search; removing asks first."""
    list_ = list_or_404(request, number, Right.MANAGE)
    wish = request.POST.get("wish", "")
    query = QueryDict(request.POST.get("query", "")[:2000])
    if request.POST.get("all"):
        _need_all(request, list_)
        emails = list(found(list_, query).values_list("email", flat=True))
    else:
        emails = [email for email in request.POST.getlist("who") if is_address(email)]
    if not emails:
        messages.warning(request, _("Nobody is chosen: tick the members first."))
    elif wish == "remove" and not request.POST.get("sure"):
        context = {"emails": emails if not request.POST.get("all") else [], "count": len(emails), "shown": emails[:10], "all": request.POST.get("all", ""), "query": query.urlencode()}
        return list_page(request, list_, "members", "memberships/remove.html", context)
    else:
        _do(request, list_, wish, emails)
    return redirect(f"{reverse('members', args=[list_.pk])}?{query.urlencode()}")


def _do(request: HttpRequest, list_: List, wish: str, emails: list[str]) -> None:
    person, now = person_of(request), timezone.now()
    if wish == "remove":
        n = len(memberships.remove(list_, emails, now, by=person).removed)
        messages.success(request, ngettext("%(n)s member is removed.", "%(n)s members are removed.", n) % {"n": n})
    elif wish in ("pause", "resume"):
        n = memberships.pause(list_, emails, now, by=person, paused=wish == "pause")
        text = ngettext("%(n)s member is paused.", "%(n)s members are paused.", n) if wish == "pause" else ngettext("%(n)s member receives again.", "%(n)s members receive again.", n)
        messages.success(request, text % {"n": n})


CHOICES = ("pause_from", "pause_until", "posting", "own_copy", "hidden", "note")


def _day(moment: datetime | None) -> str:
    return timezone.localdate(moment).isoformat() if moment else ""


class _Echo:
    """A file that hands back what is written: rows leave as they are made."""

    def write(self, value: str) -> str:
        return value


def _known(list_: List, rows: Iterator[tuple[Any, ...]], keys: list[str]) -> Iterator[tuple[int, dict[int, dict[str, Any]], tuple[Any, ...]]]:
    """Each row with what is known of some members, asked for by the thousand."""
    while some := list(islice(rows, 1000)):
        known = attributes.values_of(list_, [row[0] for row in some]) if keys else {}
        yield from ((row[0], known, row[1:]) for row in some)


@login_required
def export(request: HttpRequest, number: int) -> HttpResponseBase:
    """The members that match, as CSV (RFC 4180)."""
    list_ = list_or_404(request, number, Right.MANAGE)
    _need_all(request, list_)
    keys = [field.key for field in attributes.fields_of(list_)]
    rows_of = found(list_, request.GET).order_by("email").values_list("address_id", "email", "address__person__name", "address__name", "paused", "delivery", "source__name", "since", *CHOICES)
    writer = csv.writer(_Echo())

    def rows() -> Iterator[str]:
        yield writer.writerow(["email", "name", "state", "since", "delivery", "source", *CHOICES, *keys])
        for address, known, (email, person, name, paused, delivery, source, since, pause_from, pause_until, posting, own_copy, hidden, note) in _known(list_, rows_of.iterator(2000), keys):
            state = "paused" if paused else "silent" if delivery == DeliveryMode.NONE else "receives"
            yield writer.writerow([inert(email), inert(person or name), state, since.date().isoformat(), delivery, inert(source or ""), _day(pause_from), _day(pause_until), posting, {None: "", True: "yes", False: "no"}[own_copy], "yes" if hidden else "", inert(note), *(inert(written(known.get(address, {}).get(key))) for key in keys)])

    return StreamingHttpResponse(rows(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{list_.name}.csv"'})
