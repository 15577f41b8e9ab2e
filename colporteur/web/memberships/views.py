"""Members of a list: searched, paged by key, paused, removed, exported. 100,000 of them stay usable."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from colporteur.domain.addresses import is_address
from colporteur.flow import memberships
from colporteur.store.lists import List
from colporteur.store.memberships import DeliveryMode, Membership
from colporteur.store.people import Address
from colporteur.store.rights import Right
from colporteur.web.frame import list_page, page_by
from colporteur.web.guard import list_or_404, person_of

STATES = {"receive": Q(paused=False, delivery=DeliveryMode.EACH), "paused": Q(paused=True), "silent": Q(paused=False, delivery=DeliveryMode.NONE)}


_ACCENTS = ("ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿ", "aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuyy")


def _called(prefix: str) -> Func:
    """The name people are sorted by, accents aside whatever the database's collation; the address of those without."""
    found = Coalesce(NullIf(f"{prefix}person__name", Value("")), NullIf(f"{prefix}name", Value("")), f"{prefix}email", output_field=TextField())
    return Func(Lower(found), Value(_ACCENTS[0]), Value(_ACCENTS[1]), function="translate", output_field=TextField())


def _current(list_: List) -> QuerySet[Membership]:
    return Membership.objects.filter(list=list_, until__isnull=True)


def _found(list_: List, query: QueryDict) -> QuerySet[Membership]:
    """Members by the filters of the query string: beginning of address or name, and state."""
    found = _current(list_)
    if wanted := query.get("q", "").strip().replace("\x00", "")[:320]:
        begins = Q(address__email__startswith=wanted.lower()) | Q(address__name__istartswith=wanted) | Q(address__person__name__istartswith=wanted)
        found = found.filter(begins)
    if condition := STATES.get(query.get("state", "")):
        found = found.filter(condition)
    return found


@login_required
def members(request: HttpRequest, number: int) -> HttpResponse:
    """The members, by address or by name; the key of a page is the last address of the one before."""
    list_ = list_or_404(request, number, Right.MANAGE)
    found = _found(list_, request.GET).select_related("address__person", "source")
    after, by_name = request.GET.get("after", "").replace("\x00", ""), request.GET.get("by") == "name"
    if by_name:
        found = found.annotate(called=_called("address__")).order_by("called", "address__email")
        last = Address.objects.filter(email=after).values_list(_called(""), flat=True).first() if after else None
        if last is not None:
            found = found.filter(Q(called__gt=last) | Q(called=last, address__email__gt=after))
    else:
        found = found.order_by("address__email")
        if after:
            found = found.filter(address__email__gt=after)
    page = page_by(found, "address__email")
    counts = _current(list_).aggregate(n_=Count("id"), **{f"n_{name}": Count("id", filter=condition) for name, condition in STATES.items()})
    words = [("", _("All"), ""), ("receive", _("Receive"), "done"), ("paused", _("Paused"), "paused"), ("silent", _("Read elsewhere"), "draft")]
    context = {
        "page": page, "q": request.GET.get("q", ""), "state": request.GET.get("state", ""), "by_name": by_name, "total": counts["n_"],
        "filters": [(name, label, shape, counts[f"n_{name}"]) for name, label, shape in words if not name or counts[f"n_{name}"]],
        "matching": _found(list_, request.GET).count() if page.next else None,
    }  # fmt: skip
    return list_page(request, list_, "members", "memberships/members.html", context)


@require_POST
@login_required
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Pauses, resumes or removes the chosen members, or all that match the search; removing asks first."""
    list_ = list_or_404(request, number, Right.MANAGE)
    wish = request.POST.get("wish", "")
    query = QueryDict(request.POST.get("query", "")[:2000])
    if request.POST.get("all"):
        emails = list(_found(list_, query).values_list("address__email", flat=True))
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


class _Echo:
    """A file that hands back what is written: rows leave as they are made."""

    def write(self, value: str) -> str:
        return value


@login_required
def export(request: HttpRequest, number: int) -> HttpResponseBase:
    """The members that match, as CSV (RFC 4180)."""
    list_ = list_or_404(request, number, Right.MANAGE)
    found = _found(list_, request.GET).order_by("address__email").values_list("address__email", "address__person__name", "address__name", "paused", "delivery", "since")
    writer = csv.writer(_Echo())

    def rows() -> Iterator[str]:
        yield writer.writerow(["email", "name", "state", "since"])
        for email, person, name, paused, delivery, since in found.iterator(2000):
            state = "paused" if paused else "receives" if delivery == DeliveryMode.EACH else "silent"
            yield writer.writerow([_inert(email), _inert(person or name), state, since.date().isoformat()])

    return StreamingHttpResponse(rows(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{list_.name}.csv"'})


def _inert(text: str) -> str:
    """Text a spreadsheet does not take for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
