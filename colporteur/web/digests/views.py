"""Reading by the link of a copy, without an account: the message a subject names, the messages of a digest. Nothing acts here."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from colporteur.flow import digests
from colporteur.flow.digests import Opened
from colporteur.store.posts import Post
from colporteur.web.reading import attachment_of, html_of, reading


def _opened(token: str) -> Opened:
    found = digests.opened(token)
    if found is None:
        raise Http404
    return found


def _post(token: str, position: int) -> Post:
    posts = dict(_opened(token).posts)
    if position not in posts:
        raise Http404
    return posts[position]


def page(request: HttpRequest, token: str) -> HttpResponse:
    """What the copy holds: its messages, or the one there is. Whoever left the list reads it no more."""
    found = digests.opened(token)
    if found is None:
        return render(request, "digests/over.html", status=410)
    if found.mailing.post_id and len(found.posts) == 1:
        return redirect("digest-message", token, found.posts[0][0])
    return render(request, "digests/page.html", {"list": found.list, "mailing": found.mailing, "posts": found.posts, "token": token, "email": found.address.email})


def one(request: HttpRequest, token: str, position: int) -> HttpResponse:
    """One message."""
    found, post = _opened(token), _post(token, position)
    context = reading(post, reverse("digest-message", args=[token, position]) + "/") | {"token": token, "email": found.address.email, "list": found.list, "several": not found.mailing.post_id}
    return render(request, "digests/message.html", context)


def html(_request: HttpRequest, token: str, position: int) -> HttpResponse:
    """The message as its author laid it out."""
    return html_of(_post(token, position))


def attachment(_request: HttpRequest, token: str, position: int, index: int) -> HttpResponse:
    """One attachment."""
    return attachment_of(_post(token, position), index)
