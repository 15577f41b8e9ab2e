"""The statistics of a newsletter: figures, opens against last time, links, causes, growth, comparison; as a page and as CSV."""

from __future__ import annotations

import csv
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain import tracking as domain
from colporteur.domain.bounces import REASONS, Fault
from colporteur.domain.campaigns import Tracking
from colporteur.domain.tracking import Range, Why
from colporteur.flow import standing, tracking
from colporteur.flow.tracking import Figures, pages
from colporteur.store.campaigns import Campaign
from colporteur.store.rights import Right, lists_for
from colporteur.store.tracking import Known, NamedHit, known
from colporteur.web.campaigns.whose import on, own_of
from colporteur.web.frame import page_by, whole
from colporteur.web.guard import person_of
from colporteur.web.saying import inert
from colporteur.web.templatetags.look import decimal, thousands
from colporteur.web.tracking import charts

LINKS, DOMAINS, NAMES = 50, 10, 50


class Bar(NamedTuple):
    """A row with a bar: ``length`` in percent of the longest, ``more`` at its end."""

    words: str
    n: int
    length: str
    more: str = ""
    shape: str = ""
    url: str = ""


def sent_or_404(request: HttpRequest, number: int) -> Campaign:
    """A newsletter that was sent, for somebody who manages its list."""
    found = Campaign.objects.select_related("list__organisation", "list__domain", "mailing").filter(pk=number, mailing__isnull=False, list__in=lists_for(person_of(request), Right.MANAGE)).first()
    if found is None:
        raise Http404
    return found


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    """Everything known of one newsletter."""
    campaign, now = sent_or_404(request, number), timezone.now()
    found = tracking.figures(campaign)
    context: dict[str, Any] = {
        "campaign": campaign, "list": campaign.list, "figures": found, "received": _percent(found.fates.received, found.fates.total),
        "opened": between(found.opened), "opened_share": _shares(found.opened, found), "clicked": thousands(found.clicked.sure), "clicked_share": _shares(found.clicked, found),
        "chart": _opens(campaign, found), "links": _links(found), "causes": _causes(found), "programs": [(_(domain.WORDS[who]), n) for who, n in found.programs.items() if who is not Why.PREFETCH],
        "may_have": found.opened.most - found.opened.sure, "compared": tracking.compared(campaign), "named": _named(request, campaign) if found.mode is Tracking.PEOPLE else None, "fewest": domain.FEWEST,
        "kept_until": tracking.kept_until(campaign), "public_page": pages.page_of(campaign) if campaign.public else "", "archived": campaign.public and pages.public(campaign.list),
    }  # fmt: skip
    grown = tracking.growth(campaign, now)
    context |= {"growth": charts.of_growth(grown), "grown": grown, "gained": grown[-1][1] - grown[0][1]}
    if request.GET.get("destinations"):  # counted on demand: it reads every copy
        context["destinations"] = _destinations(campaign)
    return render(request, "tracking/statistics.html", context)


@login_required
def as_csv(request: HttpRequest, number: int) -> HttpResponse:
    """The same as rows (RFC 4180): what, which, how many."""
    campaign = sent_or_404(request, number)
    found = tracking.figures(campaign)
    answer = HttpResponse(content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="newsletter-{campaign.pk}.csv"'})
    writer = csv.writer(answer)
    writer.writerow(["what", "which", "count"])
    for name in ("total", "received", "failed", "waiting"):
        writer.writerow(["people", name, getattr(found.fates, name)])
    writer.writerows([["people", "left", found.left], ["people", "complained", found.complaints]])
    if found.shown:
        writer.writerows([["opened", "readers", found.opened.sure], ["opened", "readers at most", found.opened.most], ["clicked", "readers", found.clicked.sure]])
        writer.writerows([["opened in hour", hour + 1, n - (found.hours[hour - 1] if hour else 0)] for hour, n in enumerate(found.hours)])
        writer.writerows([["link", inert(one.url), one.readers] for one in found.links])
    writer.writerows([["not received", inert(reason or "unknown"), n] for reason, n in found.causes])
    for one in tracking.destinations(campaign):
        writer.writerows([["destination", inert(one.domain or "others"), one.total], ["destination received", inert(one.domain or "others"), one.received]])
    return answer


@login_required
def details(request: HttpRequest) -> HttpResponse:
    """Newsletters whose details are over: what would go, then lets it go."""
    now, lists = timezone.now(), lists_for(person_of(request), Right.MANAGE)
    if not lists.exists():
        raise Http404
    going = tracking.purge_preview(now, months=_months(request), among=lists)
    if request.method == "POST":
        wanted = {int(one) for one in request.POST.getlist("campaign") if one.isdigit()}
        taken = tracking.purge([one.campaign for one in going if one.campaign.pk in wanted], now, by=person_of(request))
        messages.success(request, ngettext("The details of %(n)s newsletter are gone; its totals stay.", "The details of %(n)s newsletters are gone; their totals stay.", taken) % {"n": taken})
        return redirect("campaign-details")
    return render(request, "tracking/details.html", {"going": going, "copies": sum(one.copies for one in going), "months": _months(request)})


def between(found: Range) -> str:
    """A figure, or from and to where it is uncertain."""
    if found.sure == found.most:
        return thousands(found.sure)
    return _("%(least)s to %(most)s") % {"least": thousands(found.sure), "most": thousands(found.most)}


# --- how ---


def _months(request: HttpRequest) -> int | None:
    found = whole(request.GET.get("months"))
    return min(found, 120) if found else None


def _percent(n: int, of: int) -> str:
    return decimal(100 * n / of) if of else "0"


def _shares(found: Range, figures: Figures) -> str:
    """At most how many percent of the readers: one may open it twice."""
    least, most = found.share(figures.fates.received)
    return str(least) if least == most else _("%(least)s to %(most)s") % {"least": least, "most": most}


def _opens(campaign: Campaign, found: Figures) -> charts.Chart | None:
    if not found.shown or not found.started:
        return None
    earlier = tracking.before(campaign)
    other = earlier.mailing.started if earlier and earlier.mailing else None
    same = other is not None and (other.year, other.month) == (found.started.year, found.started.month)
    return charts.over_week(found.hours, _called(found.started, same), tracking.hours_of(earlier) if earlier else [], _called(other, same), found.started)


def _called(began: datetime | None, day: bool) -> str:
    """A newsletter at the end of its line: its month, with the day where there are two of it."""
    return date_format(timezone.localtime(began), "j N" if day else "F") if began else ""


def _links(found: Figures) -> list[Bar]:
    longest, clicks = max([one.readers for one in found.links], default=0) or 1, found.clicked.sure
    return [
        Bar(one.words or one.url.partition("://")[2][:80], one.readers, f"{100 * one.readers / longest:.1f}", f"{round(100 * one.readers / clicks)} %" if clicks else "", url=one.url) for one in found.links[:LINKS]
    ]


def _causes(found: Figures) -> list[Bar]:
    longest = max([n for _reason, n in found.causes], default=0) or 1
    return [Bar(_cause(reason), n, f"{100 * n / longest:.1f}", *_consequence(reason)) for reason, n in found.causes]


def _cause(reason: str) -> str:
    words = standing.reason_in_words(reason) if reason else _("no reason was given")
    return words[:1].upper() + words[1:]


def _consequence(reason: str) -> tuple[str, str]:
    """What follows for the readers, and the look of the bar."""
    fault = REASONS[reason].fault if reason in REASONS else Fault.UNKNOWN
    if fault is not Fault.MAILBOX:
        return _("nothing follows for the readers"), "quiet"
    return (_("counts against the address"), "failed") if REASONS[reason].kind == "dead" else (_("tried again next time"), "late")


def _destinations(campaign: Campaign) -> list[tracking.Destination]:
    found = tracking.destinations(campaign)
    rest = found[DOMAINS:]
    if not rest:
        return found
    words = ngettext("%(n)s other domain", "%(n)s other domains", len(rest)) % {"n": thousands(len(rest))}
    return [*found[:DOMAINS], tracking.Destination(words, sum(one.total for one in rest), sum(one.received for one in rest), sum(one.failed for one in rest))]


def _named(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """Those who agreed to be named, by key."""
    rows = NamedHit.objects.filter(campaign=campaign).order_by("address").select_related("address").distinct("address")
    if (own := own_of(campaign, person_of(request))) is not None and campaign.mailing:
        rows = rows.filter(address__in=on(own, campaign.mailing.audience_at))
    if after := whole(request.GET.get("after")):
        rows = rows.filter(address__gt=after)
    page = page_by(rows, "address_id", NAMES)
    learned: dict[int, Known] = known(campaign.pk, [row.address_id for row in page.rows])
    return {"rows": [(row.address.email, learned[row.address_id]) for row in page.rows], "next": page.next}
