"""Home: what waits, what is broken, what is on its way, then the lists."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.campaigns import CampaignState
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.posts import PostState
from colporteur.flow.mailings import totals_of
from colporteur.store.arrivals import Errand, ErrandState
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person
from colporteur.store.posts import Post
from colporteur.store.rights import Right, known_lists, knows_any, lists_for
from colporteur.store.transports import Transport
from colporteur.web.frame import rows_of_lists
from colporteur.web.guard import person_of
from colporteur.web.memberships import oldlinks
from colporteur.web.reading import why

SHOWN = 3
LISTS = 20


class Trouble(NamedTuple):
    """Something broken, what is kept, and where to mend it."""

    title: str
    sentence: str
    error: str
    url: str
    action: str


@csrf_exempt  # for old links alone; the page itself takes no POST
def home(request: HttpRequest) -> HttpResponse:
    """The first page; but some sites wrote links to unsubscribe to their own first page."""
    return oldlinks.leave(request) if oldlinks.is_one(request) else _home(request)


@login_required
def _home(request: HttpRequest) -> HttpResponse:
    """The first page after signing in; a plain member is shown the lists he or she is on."""
    person = person_of(request)
    decided, managed = known_lists(person, Right.MODERATE), known_lists(person, Right.MANAGE)
    if not person.is_admin and not knows_any(person, Right.MODERATE):
        return redirect("my-page")
    held = Post.objects.filter(state=PostState.HELD, list__in=decided)
    waiting = held.count()
    troubles = _troubles(person, managed)
    leaving = _leaving(managed)
    counted = totals_of([mailing.pk for mailing in leaving], timezone.now())
    lists = list(lists_for(person, Right.SEE).select_related("domain").order_by("address")[: LISTS + 1])
    moderated = set(decided.filter(pk__in=[list_.pk for list_ in lists]).values_list("pk", flat=True))
    context = {
        "greeting": person.name.split(" ")[0] if person.name else "",
        "sentence": _sentence(waiting, len(troubles), leaving),
        "waiting": waiting,
        "held": [(post, why(post)) for post in held.select_related("list").prefetch_related("findings").order_by("-id")[:SHOWN]],
        "troubles": troubles,
        "leaving": [(mailing, counted[mailing.pk]) for mailing in leaving],
        "drafts": list(Campaign.objects.filter(list__in=managed, state__in=[CampaignState.DRAFT, CampaignState.SCHEDULED]).select_related("list").order_by("-changed")[:SHOWN]),
        "rows": rows_of_lists(lists[:LISTS], moderated),
        "more_lists": len(lists) > LISTS,
    }
    return render(request, "home/home.html", context)


def _leaving(managed: QuerySet[List]) -> list[Mailing]:
    open_states = [MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED]
    return list(Mailing.objects.filter(state__in=open_states, list__in=managed).exclude(kind=MailingKind.LETTER).select_related("list").order_by("-id")[:5])


def _troubles(person: Person, managed: QuerySet[List]) -> list[Trouble]:
    found = [
        Trouble(
            _("The mailbox %(address)s no longer answers") % {"address": mailbox.list.address},
            _("Nothing is lost: mail stays in the mailbox and is collected as soon as it answers."),
            mailbox.last_error, reverse("mailbox", args=[mailbox.list_id]), _("Mend the mailbox"),
        )
        for mailbox in Mailbox.objects.filter(list__in=managed, enabled=True, failures__gt=0).select_related("list")[:5]
    ]  # fmt: skip
    used = Q() if person.is_admin else Q(steps__list__in=managed)
    for transport in Transport.objects.filter(used, enabled=True, failures__gt=0).distinct()[:5]:
        found.append(Trouble(
            _("The sending service %(name)s refuses our mail") % {"name": transport.name},
            _("Nothing is lost: copies stay in the queue and leave as soon as it takes them again."),
            transport.last_error, reverse("transport", args=[transport.pk]) if person.is_admin else "", _("Mend the sending service"),
        ))  # fmt: skip
    stuck = Post.objects.filter(state=PostState.QUARANTINED, list__in=managed).select_related("list").order_by("-id")[:5]
    for post in stuck:
        found.append(Trouble(
            _("A message to %(list)s could not be processed") % {"list": post.list.name},
            _("It is kept in quarantine, exactly as it arrived."), post.error, reverse("post", args=[post.pk]), _("Look at the message"),
        ))  # fmt: skip
    own = Q(list__in=managed) | Q(list__isnull=True) if person.is_admin else Q(list__in=managed)
    for errand in Errand.objects.filter(own, state=ErrandState.QUARANTINED).order_by("-id")[:5]:
        found.append(Trouble(
            _("A message to %(list)s could not be processed") % {"list": errand.recipient},
            _("It is kept in quarantine, exactly as it arrived."), errand.error,
            reverse("activity", args=[errand.list_id]) if errand.list_id else reverse("errands"), _("Look at the message"),
        ))  # fmt: skip
    return found


def _sentence(waiting: int, broken: int, leaving: list[Mailing]) -> str:
    parts: list[str] = []
    if waiting:
        parts.append(ngettext("one message waits for your decision", "%(n)s messages wait for your decision", waiting) % {"n": _number(waiting)})
    if broken:
        parts.append(ngettext("one thing needs mending", "%(n)s things need mending", broken) % {"n": _number(broken)})
    if leaving:
        parts.append(ngettext("one message is on its way", "%(n)s messages are on their way", len(leaving)) % {"n": _number(len(leaving))})
    text = ", ".join(parts) or _("all is well: nothing waits, nothing is broken")
    return text[:1].upper() + text[1:] + "."


def _number(n: int) -> Any:
    words = {2: _("two"), 3: _("three"), 4: _("four"), 5: _("five"), 6: _("six"), 7: _("seven"), 8: _("eight"), 9: _("nine")}
    return words.get(n, n)
