"""Who of a list is not reached by mail, why, with the evidence; forgiven, probed or removed, one or many."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from colporteur.domain.bounces import Kind
from colporteur.domain.standing import ALWAYS_WORDS, CAMPAIGN_WORDS, PROBE_WORDS, RULE_WORDS, Preset, Standing, rule_values
from colporteur.flow import memberships, standing
from colporteur.store.arrivals import Arrival
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.rights import Right, rights_on
from colporteur.store.standing import AddressStanding, DeliveryEvent, of_list
from colporteur.web.frame import list_page, page_by, whole
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.journal import told
from colporteur.web.memberships.seen import shown
from colporteur.web.saying import said
from colporteur.web.standing.words import Shown

COMPLAINED = Q(kind=Kind.COMPLAINT.value, state__gte=Standing.PAUSED.value)
STATES = {"shaky": Q(state=Standing.SHAKY.value), "paused": Q(state=Standing.PAUSED.value) & ~COMPLAINED, "gone": Q(state=Standing.GONE.value), "complaint": COMPLAINED}
RAW = 100_000
"""Bytes of a report that are shown."""


@login_required
def index(request: HttpRequest, number: int) -> HttpResponse:
    """Addresses in trouble, with the reason in words and how it is decided."""
    list_ = list_or_404(request, number, Right.MANAGE)
    all_shown, query = shown(request, list_), request.GET
    counts = {"": of_list(list_.pk).count(), **of_list(list_.pk).aggregate(**{name: Count("pk", filter=condition) for name, condition in STATES.items()})}
    rows = _found(list_, query)
    if not all_shown:
        rows = rows.filter(address__email=query.get("q", "").strip().lower()[:320])
    after = query.get("after", "").replace("\x00", "")
    rows = (rows.filter(address__email__gt=after) if after else rows).order_by("address__email").select_related("address__person")
    page = page_by(rows, "address__email")
    rule = standing.rules()
    words = [("", _("All"), ""), ("paused", _("Address paused"), "paused"), ("gone", _("Address lost"), "broken"), ("complaint", _("Reported as spam"), "broken"), ("shaky", _("Shaky address"), "shaky")]
    newsletters = [_(CAMPAIGN_WORDS) % rule_values(rule)] if rule.campaigns and rule.preset is not Preset.NEVER else []
    explained = [_(RULE_WORDS[rule.preset]) % rule_values(rule), *newsletters, _(ALWAYS_WORDS), *([] if rule.preset is Preset.NEVER else [_(PROBE_WORDS)])]
    context = {
        "rows": [Shown.of(row) for row in page.rows], "next": page.next, "q": query.get("q", ""), "state": query.get("state", ""), "all_shown": all_shown, "total": counts[""],
        "filters": [(name, label, shape, counts[name]) for name, label, shape in words if not name or counts[name]], "matching": _found(list_, query).count() if page.next else None,
        "explained": explained, "may_change_rule": person_of(request).is_admin,
    }  # fmt: skip
    return list_page(request, list_, "members", "standing/index.html", context)


def _found(list_: List, query: QueryDict) -> QuerySet[AddressStanding]:
    rows = of_list(list_.pk)
    if condition := STATES.get(query.get("state", "")):
        rows = rows.filter(condition)
    wanted = query.get("q", "").strip().replace("\x00", "").lower()[:320]
    return rows.filter(address__email__startswith=wanted) if wanted else rows


@login_required
def one(request: HttpRequest, number: int, address: int) -> HttpResponse:
    """One address: what came back, when, and what was done about it. What it was told by other lists stays with these."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = _row(request, list_, address)
    events = DeliveryEvent.objects.filter(address_id=address).order_by("-at")[:50]
    entries = JournalEntry.objects.filter(list_id=list_.pk, address_id=address, event__startswith="standing.").order_by("-pk")[:50]
    context = {"row": Shown.of(row), "events": [_event(event, list_) for event in events], "entries": told(entries), "member": Membership.objects.filter(list=list_, address=address, until__isnull=True).first()}
    return list_page(request, list_, "members", "standing/one.html", context)


def _event(event: DeliveryEvent, list_: List) -> dict[str, Any]:
    own = event.list_id == list_.pk
    counts = event.kind in (Kind.DEAD, Kind.MAILBOX_STATE)
    return {
        "at": event.at, "why": standing.reason_in_words(event.reason), "counts": counts, "own": own, "text": event.text if own else "", "status": "" if event.code and event.text.startswith(str(event.code)) else " ".join(filter(None, (str(event.code or ""), event.status))),
        "id": event.pk if own and event.evidence else None, "mailing": event.mailing_id if own else None,
    }  # fmt: skip


@login_required
def report(request: HttpRequest, number: int, address: int, event: int) -> HttpResponse:
    """The raw report of one event of this list, as text."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = _row(request, list_, address)
    found = DeliveryEvent.objects.filter(pk=event, address_id=address, list_id=list_.pk, evidence__isnull=False).first()
    arrival = Arrival.objects.select_related("blob").filter(pk=found.evidence or 0).first() if found else None
    if found is None or arrival is None:
        raise Http404
    raw = bytes(arrival.blob.raw)
    context = {"row": Shown.of(row), "event": _event(found, list_), "text": raw[:RAW].decode("utf-8", "replace"), "cut": len(raw) > RAW, "received": arrival.received_at}
    return list_page(request, list_, "members", "standing/report.html", context)


def _row(request: HttpRequest, list_: List, address: int) -> AddressStanding:
    """The standing of an address that is, or was because of it, on the list; good ones too, as their history stays of interest."""
    found = AddressStanding.objects.select_related("address__person").filter(pk=address).first()
    if found is None or not Membership.objects.filter(list=list_, address=address).filter(Q(until__isnull=True) | Q(left_by__in=("bounce", "complaint"))).exists():
        raise Http404
    if not shown(request, list_) and request.GET.get("q", "").strip().lower() not in ("", found.address.email):
        raise Http404
    return found


@require_POST
@login_required
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Forgives, probes or removes the ticked addresses, or all that match; removing asks first."""
    list_ = list_or_404(request, number, Right.MANAGE)
    wish, query = request.POST.get("wish", ""), QueryDict(request.POST.get("query", "")[:2000])
    if request.POST.get("all"):
        if not shown(request, list_):
            raise Http404
        rows = _found(list_, query)
    else:
        chosen = [pk for text in request.POST.getlist("who") if (pk := whole(text)) is not None]
        rows = AddressStanding.objects.filter(pk__in=chosen, address__in=Membership.objects.filter(Q(until__isnull=True) | Q(left_by="bounce"), list=list_).values("address"))
    found = dict(rows.values_list("pk", "address__email"))
    alone = request.POST.get("back") == "one" and len(found) == 1 and wish != "remove"
    back = redirect("bounce", list_.pk, next(iter(found))) if alone else redirect(f"{reverse('bounces', args=[list_.pk])}?{query.urlencode()}")
    if not found:
        messages.warning(request, _("Nobody is chosen: tick the addresses first."))
    elif wish == "remove" and not request.POST.get("sure"):
        emails = sorted(found.values())
        return list_page(request, list_, "members", "standing/remove.html", {"count": len(found), "some": emails[:10], "who": list(found), "query": query.urlencode()})
    else:
        _do(request, list_, wish, found)
    return back


def _do(request: HttpRequest, list_: List, wish: str, found: dict[int, str]) -> None:
    person, now = person_of(request), timezone.now()
    if wish == "forgive":
        n = standing.forgive(list(found), now, by=person, also_complained=Right.ADMINISTER in rights_on(person, list_))
        messages.success(request, ngettext("%(n)s address receives again; what came back is forgotten.", "%(n)s addresses receive again; what came back is forgotten.", n) % {"n": n})
        if n < len(found):
            messages.warning(request, _("Who reported a message as spam comes back by the link in the letter about it, or on “My page”."))
    elif wish == "probe":
        try:
            n = standing.probe(list(found), now, by=person)
        except ValueError as error:
            messages.warning(request, said(error)[:1].upper() + said(error)[1:] + ".")
        else:
            messages.success(request, ngettext("%(n)s letter is sent to see whether it arrives.", "%(n)s letters are sent to see whether they arrive.", n) % {"n": n})
    elif wish == "remove":
        n = len(memberships.remove(list_, list(found.values()), now, by=person).removed)
        messages.success(request, ngettext("%(n)s member is removed.", "%(n)s members are removed.", n) % {"n": n})


