"""What stands before every page: content policy, language of the person, who may open what, navigation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from colporteur.domain.posts import PostState
from colporteur.flow import demo
from colporteur.flow.requests import requests_for, waiting_for
from colporteur.store.lists import List, ListState
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Person, zone_of
from colporteur.store.posts import Post
from colporteur.store.rights import Right, administers, known_lists, knows_any, lists_for, organisations_for, rights_on
from colporteur.store.templates import OwnTemplate

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No inline script or style, nothing from elsewhere (CSP level 3)."""

FOREIGN_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
"""For what people wrote: an origin of its own, no script, nothing loaded, shown only inside our own pages."""

Response = Callable[[HttpRequest], HttpResponse]
View = Callable[..., HttpResponseBase]


class ContentPolicyMiddleware:
    """Puts the content policy on every answer that has none of its own; pages with people's mail are kept in no cache."""

    def __init__(self, get_response: Response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class PersonLanguageMiddleware:
    """The language a signed-in person chose goes before the browser's, the time zone before the site's."""

    def __init__(self, get_response: Response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = getattr(request.user, "language", "")
        if language and translation.check_for_language(language):
            translation.activate(language)
            request.LANGUAGE_CODE = translation.get_language()
        with timezone.override(zone_of(request.user)):
            return self.get_response(request)


def person_of(request: HttpRequest) -> Person:
    """The signed-in person."""
    return cast(Person, request.user)


def client_of(request: HttpRequest) -> str:
    """The IP address a request came from, "" when not known: behind a trusted proxy what that proxy added last."""
    if settings.TRUSTED_PROXY:
        return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def list_or_404(request: HttpRequest, number: int, right: Right) -> List:
    """The list, for somebody who has the right on it; nobody else learns that it exists."""
    found = List.objects.exclude(state=ListState.DELETED).select_related("organisation", "domain").filter(pk=number).first()
    if found is None or right not in rights_on(person_of(request), found):
        raise Http404
    return found


def post_or_404(request: HttpRequest, number: int, right: Right) -> Post:
    """The message, for somebody who has the right on its list. Members see what was distributed only."""
    found = Post.objects.select_related("list__organisation", "list__domain", "decided_by").filter(pk=number, list__in=lists_for(person_of(request), right)).first()
    if found is None or (right is Right.SEE and found.state != PostState.ACCEPTED and not lists_for(person_of(request), Right.MODERATE).filter(pk=found.list_id).exists()):
        raise Http404
    return found


def organisation_or_404(request: HttpRequest, number: int) -> Organisation:
    """The organisation, for somebody who administers it."""
    found = organisations_for(person_of(request)).filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def domain_or_404(request: HttpRequest, number: int) -> Domain:
    """The domain, for somebody who administers its organisation."""
    found = Domain.objects.select_related("organisation").filter(pk=number, organisation__in=organisations_for(person_of(request))).first()
    if found is None:
        raise Http404
    return found


def template_or_404(request: HttpRequest, number: int) -> OwnTemplate:
    """A template made here, for somebody who administers its organisation, or the site when it is the site's."""
    found = OwnTemplate.objects.select_related("organisation").filter(pk=number).first()
    person = person_of(request)
    if found is None or not (administers(person, found.organisation_id) if found.organisation_id else person.is_admin):
        raise Http404
    return found


def admin_only(view: View) -> View:
    """For site administrators: others get 404, strangers the sign-in page."""

    @login_required
    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not person_of(request).is_admin:
            raise Http404
        return view(request, *args, **kwargs)

    return inner


class Entry(NamedTuple):
    """One word of the main navigation."""

    label: str
    url: str
    here: bool
    waiting: int = 0


SECTIONS = {"": "home", "waiting": "waiting", "lists": "lists", "requests": "requests", "posts": "lists", "sources": "lists", "newsletters": "campaigns", "sending": "sending", "people": "people", "settings": "settings", "try": "try", "outbox": "outbox"}
"""First part of the path -> word of the navigation that is marked."""


class Navigation:
    """The main navigation of a signed-in person; counts are read only when a template shows them."""

    def __init__(self, request: HttpRequest) -> None:
        self.person = person_of(request)
        self.section = SECTIONS.get(request.path.strip("/").split("/")[0], "")

    @cached_property
    def waiting(self) -> int:
        """Messages the person may decide about."""
        return Post.objects.filter(state=PostState.HELD, list__in=known_lists(self.person, Right.MODERATE)).count()

    @cached_property
    def entries(self) -> list[Entry]:
        """What people come to do, as far as this person may."""
        words = [("lists", gettext("Lists"), 0)]
        if knows_any(self.person, Right.MODERATE):
            words.append(("waiting", gettext("Waiting"), self.waiting))
        if knows_any(self.person, Right.MANAGE):
            words += [("campaigns", gettext("Newsletters"), 0), ("sending", gettext("Sending"), 0)]
        if requests_for(self.person).exists():
            words.append(("requests", gettext("Requests"), waiting_for(self.person).count()))
        if self.person.is_admin:
            words += [("people", gettext("People"), 0), ("settings", gettext("Settings"), 0)]
            if demo.filled():
                words += [("try", gettext("Try it"), 0), ("outbox", gettext("Outbox"), 0)]
        entries = [Entry(label, reverse(name), self.section == name, count) for name, label, count in words]
        if not self.person.is_admin:
            entries += [Entry(str(one), reverse("organisation", args=[one.pk]), self.section == "settings") for one in organisations_for(self.person).order_by("name")[:2]]
        return entries


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What every template may need."""
    return {"navigation": Navigation(request)} if getattr(request, "user", None) is not None and request.user.is_authenticated else {}
