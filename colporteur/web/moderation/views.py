"""Waiting: held messages across lists, and one of them with its three decisions."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.domain.posts import Decision, PostState
from colporteur.flow import limits
from colporteur.flow.moderation import Decided, decide
from colporteur.store.memberships import audience_count
from colporteur.store.posts import Post
from colporteur.store.rights import Right, lists_for
from colporteur.web.frame import page_by, whole
from colporteur.web.guard import person_of, post_or_404
from colporteur.web.moderation.words import told
from colporteur.web.reading import author_of, reading, why


def _held(request: HttpRequest) -> QuerySet[Post]:
    return Post.objects.filter(state=PostState.HELD, list__in=lists_for(person_of(request), Right.MODERATE))


@login_required
def waiting(request: HttpRequest) -> HttpResponse:
    """Every message the person may decide about, newest first."""
    held = _held(request).select_related("list").prefetch_related("findings").order_by("-id")
    if before := whole(request.GET.get("before")):
        held = held.filter(pk__lt=before)
    page = page_by(held, "pk", 20)
    return render(request, "moderation/waiting.html", {"held": [(post, why(post)) for post in page.rows], "next": page.next, "total": _held(request).count()})


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One waiting message; POST decides. Decided meanwhile, it shows by whom."""
    post = post_or_404(request, number, Right.MODERATE)
    if request.method == "POST" and request.POST.get("decision") in list(Decision):
        person = person_of(request)
        decided = decide(post.pk, Decision(request.POST["decision"]), timezone.now(), person=person.pk, reason=request.POST.get("reason", "")[:4000].strip())
        return _onward(request, post, decided)
    if post.state != PostState.HELD:
        return redirect("post", post.pk)
    held = _held(request)
    audience = audience_count(post.list)
    context = reading(post, reverse("post", args=[post.pk])) | {
        "audience": audience,
        "author": author_of(post),
        "takes": limits.before_sending(post.list, audience, timezone.now()),
        "boost": True,
        "position": held.filter(pk__gt=post.pk).count() + 1,
        "total": held.count(),
        "newer": held.filter(pk__gt=post.pk).order_by("pk").values_list("pk", flat=True).first(),
        "older": held.filter(pk__lt=post.pk).order_by("-pk").values_list("pk", flat=True).first(),
    }
    return render(request, "moderation/one.html", context)


def _onward(request: HttpRequest, post: Post, decided: Decided) -> HttpResponse:
    """Says what happened and goes on to the next waiting message."""
    words = told(decided, post.subject or _("(no subject)"))
    if decided.won:
        messages.success(request, words)
    else:
        messages.warning(request, words)
    held = _held(request)
    following = held.filter(pk__lt=post.pk).order_by("-pk").first() or held.order_by("-pk").first()
    return redirect("waiting-post", following.pk) if following else redirect("waiting")
