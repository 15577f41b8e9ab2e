"""What pages of several nouns share: the frame of one list with its tabs, rows of lists, paging by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.policy import MembersShown
from colporteur.domain.posts import PostState
from colporteur.store.lists import List, ListState
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import counted, totals
from colporteur.store.policies import policy
from colporteur.store.posts import Post
from colporteur.store.rights import Right, rights_on
from colporteur.web.guard import person_of


class Tab(NamedTuple):
    """One tab of a list."""

    label: str
    url: str
    here: bool
    members: int | None = None
    waiting: int = 0


def members_count(list_: List) -> int:
    """Addresses on the list now."""
    return sum(kind.n for kind in counted(list_.pk))


def _tabs(list_: List, rights: frozenset[Right], here: str) -> list[Tab]:
    waiting = Post.objects.filter(list=list_, state=PostState.HELD).count() if Right.MODERATE in rights else 0
    words: list[tuple[str, str, int | None, int]] = [("list", gettext("Messages"), None, waiting)]
    if Right.MANAGE in rights:
        words += [
            ("members", gettext("Members"), members_count(list_), 0),
            ("list-settings", gettext("Settings"), None, 0),
            ("sources", gettext("Sources"), None, 0),
            ("roles", gettext("Roles"), None, 0),
            ("mailbox", gettext("Mailbox"), None, 0),
            ("list-transport", gettext("Sending service"), None, 0),
        ]
    elif policy(list_).members_shown is MembersShown.MEMBERS:
        words.append(("members-seen", gettext("Members"), None, 0))
    if Right.MODERATE in rights:
        words.append(("activity", gettext("Activity"), None, 0))
    if list_.state == ListState.PENDING:
        words = [word for word in words if word[0] not in ("members", "sources")]
    return [Tab(label, reverse(name, args=[list_.pk]), name == here, count, badge) for name, label, count, badge in words]


def list_page(request: HttpRequest, list_: List, here: str, template: str, context: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    """A page of one list inside its frame: title, address, the tabs the person may open."""
    rights = rights_on(person_of(request), list_)
    frame = {"list": list_, "rights": {right.value for right in rights}, "tabs": _tabs(list_, rights, here)}
    return render(request, template, frame | (context or {}), status=status)


@dataclass
class ListRow:
    """A list in a table of lists: members, last message, and how it is."""

    list: List
    members: int
    last: Any
    shape: str
    words: str


def rows_of_lists(lists: Iterable[List], moderated: set[int]) -> list[ListRow]:
    """Rows for some lists, in a fixed number of queries. Waiting messages show only to those who may decide."""
    found = list(lists)
    ids = [list_.pk for list_ in found]
    members = totals(ids)
    newest = Post.objects.filter(list=OuterRef("pk"), state=PostState.ACCEPTED).order_by("-pk").values("received_at")[:1]
    last = dict(List.objects.filter(pk__in=ids).values_list("pk", Subquery(newest)))
    waiting = dict(Post.objects.filter(list__in=[i for i in ids if i in moderated], state=PostState.HELD).values_list("list").annotate(n=Count("id")))
    broken = set(Mailbox.objects.filter(list__in=ids, enabled=True, failures__gt=0).values_list("list_id", flat=True))
    open_states = [MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED]
    leaving = dict(Mailing.objects.filter(list__in=ids, state__in=open_states).exclude(kind=MailingKind.LETTER).values_list("list").annotate(paused=Count("id", filter=Q(state=MailingState.PAUSED))))
    return [ListRow(list_, members.get(list_.pk, 0), last.get(list_.pk), *_health(list_, members.get(list_.pk, 0), waiting, broken, leaving)) for list_ in found]


def _health(list_: List, members: int, waiting: dict[int, int], broken: set[int], leaving: dict[int, int]) -> tuple[str, str]:
    if list_.state == ListState.PENDING:
        return "draft", gettext("Waits for activation")
    if list_.state == ListState.CLOSED:
        return "paused", gettext("Closed")
    if list_.state == ListState.OFF or (list_.domain and not list_.domain.enabled):
        return "paused", gettext("Switched off")
    if list_.pk in broken:
        return "broken", gettext("Mailbox out of order")
    if list_.pk in waiting:
        return "waiting", ngettext("%(n)s waiting", "%(n)s waiting", waiting[list_.pk]) % {"n": waiting[list_.pk]}
    if list_.pk in leaving:
        return ("paused", gettext("Sending paused")) if leaving[list_.pk] else ("running", gettext("Sending now"))
    return ("done", gettext("All is well")) if members else ("draft", gettext("No member yet"))


class Page(NamedTuple):
    """One page of a table that is read by key."""

    rows: Sequence[Any]
    next: Any  # key to continue after, "" at the end


def page_by(rows: QuerySet[Any], key: str, size: int = 50) -> Page:
    """The first ``size`` rows, and the value of ``key`` to go on after when there are more."""
    found = list(rows[: size + 1])
    more = len(found) > size
    last: Any = found[size - 1] if more else None
    for part in key.split("__"):
        last = getattr(last, part, "")
    return Page(found[:size], last if more else "")


def whole(text: str | None) -> int | None:
    """A number from the query string; None when there is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def copies_or_percent(request: HttpRequest, name: str) -> int | None:
    """What was written in a form, with or without spaces between thousands; None for nothing. Raises ``ValueError`` with a sentence."""
    written = "".join(request.POST.get(name, "").split())
    if written and whole(written) is None:
        raise ValueError(gettext("“%(written)s” is not a number of copies or percent: write digits only") % {"written": written[:20]})
    return whole(written)
