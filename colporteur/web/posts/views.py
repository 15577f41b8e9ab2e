"""One message: its text, why it was judged so, what happened, where its copies are; and the way out of quarantine."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.domain.posts import Decision
from colporteur.flow.mailings import totals_of
from colporteur.flow.moderation import decide, retry
from colporteur.store.journal import JournalEntry
from colporteur.store.memberships import audience_count
from colporteur.store.rights import Right, rights_on
from colporteur.web.frame import list_page
from colporteur.web.guard import person_of, post_or_404
from colporteur.web.journal import told
from colporteur.web.reading import attachment_of, download, html_of, raw_of, reading


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """The message with its findings, journal and mailings; members see the message alone."""
    post = post_or_404(request, number, Right.SEE)
    context = reading(post, reverse("post", args=[post.pk]))
    if Right.MODERATE in rights_on(person_of(request), post.list):
        mailings = list(post.mailings.order_by("pk"))
        counted = totals_of([mailing.pk for mailing in mailings], timezone.now())
        context |= {
            "entries": told(JournalEntry.objects.filter(post_id=post.pk).order_by("-pk")[:100]),
            "mailings": [(mailing, counted[mailing.pk]) for mailing in mailings],
            "audience": audience_count(post.list),
            "all": True,
        }
    return list_page(request, post.list, "list", "posts/one.html", context)


@login_required
def html(request: HttpRequest, number: int) -> HttpResponse:
    """The message as its author laid it out."""
    return html_of(post_or_404(request, number, Right.SEE))


@login_required
def attachment(request: HttpRequest, number: int, index: int) -> HttpResponse:
    """One attachment."""
    return attachment_of(post_or_404(request, number, Right.SEE), index)


@login_required
def original(request: HttpRequest, number: int) -> HttpResponse:
    """The raw message, as it arrived."""
    post = post_or_404(request, number, Right.MODERATE)
    return download(raw_of(post), f"message-{post.pk}.eml")


@require_POST
@login_required
def quarantine(request: HttpRequest, number: int) -> HttpResponse:
    """Tries a message in quarantine again, releases it as it is, or throws it away."""
    post = post_or_404(request, number, Right.MANAGE)
    person, now, wish = person_of(request), timezone.now(), request.POST.get("wish", "")
    if wish == "retry" and retry(post.pk, now, str(person)):
        messages.success(request, _("The message is processed again; look in a moment what became of it."))
    elif wish == "release" and decide(post.pk, Decision.RELEASE, now, person=person.pk).won:
        messages.success(request, _("The message is distributed as it is."))
    elif wish == "discard" and decide(post.pk, Decision.DISCARD, now, person=person.pk).won:
        messages.success(request, _("The message is thrown away."))
    else:
        messages.warning(request, _("Nothing changed: the message is no longer in quarantine."))
    return redirect("post", post.pk)
