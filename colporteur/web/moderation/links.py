"""Deciding by the link of a notice: no account needed. GET shows and asks, POST acts (link scanners fetch every URL)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.posts import Decision, PostState
from colporteur.flow import limits
from colporteur.flow.moderation import ModerationLink, decide, read_moderation_token
from colporteur.store.memberships import audience_count
from colporteur.store.posts import Post
from colporteur.web.moderation.words import outcome, told
from colporteur.web.reading import attachment_of, author_of, html_of, reading


def _link(token: str) -> ModerationLink:
    found = read_moderation_token(token, timezone.now())
    if found is None:
        raise Http404
    return found


def _open(token: str) -> Post:
    """The message, as long as the link may decide about it."""
    link = _link(token)
    if link.expired or link.post.state != PostState.HELD:
        raise Http404
    found: Post = link.post
    return found


@csrf_exempt  # the token in the address is the whole authority; mail programs' windows keep no cookies
def one(request: HttpRequest, token: str) -> HttpResponse:
    """The message and its three decisions; when somebody else decided, who and when."""
    link = _link(token)
    post: Post = link.post
    decided = None
    if request.method == "POST" and request.POST.get("decision") in list(Decision):
        decided = decide(post.pk, Decision(request.POST["decision"]), timezone.now(), address=link.address.email, reason=request.POST.get("reason", "")[:4000].strip())
        post.refresh_from_db()
    if decided or post.state != PostState.HELD:
        return render(request, "moderation/decided.html", _closing(post, decided), status=200 if decided is None or decided.won else 409)
    if link.expired:
        return render(request, "moderation/decided.html", {"post": post, "list": post.list, "title": _("This link no longer works"), "sentence": _("It was good until the message expired.")}, status=410)
    audience = audience_count(post.list)
    about = {"author": author_of(post), "audience": audience, "takes": limits.before_sending(post.list, audience, timezone.now()), "email": link.address.email, "wish": request.GET.get("do", "")}
    context = reading(post, reverse("moderate", args=[token]) + "/") | about
    return render(request, "moderation/link.html", context)


def _closing(post: Post, decided: object) -> dict[str, object]:
    subject = post.subject or _("(no subject)")
    if getattr(decided, "won", False):
        return {"post": post, "list": post.list, "title": _("Thank you"), "sentence": told(decided, subject), "good": True}  # type: ignore[arg-type]
    by = str(post.decided_by) if post.decided_by else post.decided_by_address
    return {"post": post, "list": post.list, "title": _("This message was already decided"), "outcome": outcome(post.state), "by": by}


def html(_request: HttpRequest, token: str) -> HttpResponse:
    """The message as its author laid it out."""
    return html_of(_open(token))


def attachment(_request: HttpRequest, token: str, index: int) -> HttpResponse:
    """One attachment."""
    return attachment_of(_open(token), index)
