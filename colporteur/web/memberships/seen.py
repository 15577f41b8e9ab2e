"""Who else is on the list, for its members: where the list shows it, and without those who are hidden."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict

from colporteur.domain.policy import MembersShown
from colporteur.store.lists import List
from colporteur.store.policies import policy
from colporteur.store.rights import Right, rights_on
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.memberships.finding import current, page_of


def shown(request: HttpRequest, list_: List) -> bool:
    """Whether somebody who manages the list may see all its members: administrators may even where nobody else does."""
    return policy(list_).members_shown is not MembersShown.NOBODY or Right.ADMINISTER in rights_on(person_of(request), list_)


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    """Names and addresses, searched by their beginning."""
    list_ = list_or_404(request, number, Right.SEE)
    if policy(list_).members_shown is not MembersShown.MEMBERS:
        raise Http404
    asked = QueryDict(mutable=True)
    asked.update({name: request.GET.get(name, "") for name in ("q", "after")})  # states and sources are the owners' business
    page = page_of(current(list_).filter(hidden=False).select_related("address__person"), asked)
    here = "members" if Right.MANAGE in rights_on(person_of(request), list_) else "members-seen"  # whoever manages the list has one tab for both
    return list_page(request, list_, here, "memberships/seen.html", {"page": page, "q": asked["q"]})
