"""Keys that sign a domain's mail: the record to publish, whether it is there, and what to do with each. For administrators."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.adapters import dns
from colporteur.domain.signing import Algorithm, KeyState, Seen, strings
from colporteur.flow import signing
from colporteur.store.organisations import Domain
from colporteur.store.people import Person
from colporteur.store.signing import SigningKey
from colporteur.web.guard import admin_only, person_of
from colporteur.web.saying import said


class Shown(NamedTuple):
    """A key as the page shows it."""

    key: SigningKey
    dot: str
    state: str
    seen: str
    zone: str  # the record as a name server's file holds it


@admin_only
def keys(request: HttpRequest, number: int) -> HttpResponse:
    """The domain's keys, the newest first."""
    domain = get_object_or_404(Domain.objects.select_related("organisation"), pk=number)
    rows = [_shown(key) for key in signing.of_domain(domain)]
    here = [row for row in rows if row.key.state != KeyState.RETIRED]
    retired = [row for row in rows if row.key.state == KeyState.RETIRED]
    signs = any(row.key.state == KeyState.USED for row in here)
    return render(request, "signing/keys.html", {"domain": domain, "keys": here, "retired": retired, "signs": signs})


def _shown(key: SigningKey) -> Shown:
    lost = key.state == KeyState.USED and key.seen not in (Seen.LIVE, Seen.UNKNOWN)
    dot, state = ("broken", _("Signs, but its record is not there")) if lost else {
        KeyState.MADE: ("waiting", _("Waits for its record")),
        KeyState.PUBLISHED: ("draft", _("Published, not used yet")),
        KeyState.USED: ("done", _("Signs the mail")),
        KeyState.RETIRED: ("paused", _("Signs no more")),
    }[KeyState(key.state)]  # fmt: skip
    zone = f"{key.name}. IN TXT ( " + " ".join(f'"{one}"' for one in strings(key.record)) + " )"
    return Shown(key, dot, state, _seen(key), zone)


def _seen(key: SigningKey) -> str:
    if key.looked_at is None:
        return _("Nobody looked for it yet.")
    return {
        Seen.LIVE: _("The record is in the DNS."),
        Seen.MISSING: _("The record is not in the DNS yet. We look for it by ourselves; after a change it can take some hours."),
        Seen.OTHER: _("There is another record at this name: compare every character."),
        Seen.SEVERAL: _("There are several records at this name: leave only this one."),
        Seen.UNKNOWN: _("The DNS did not answer."),
    }[Seen(key.seen)]


@require_POST
@admin_only
def do(request: HttpRequest, number: int) -> HttpResponse:
    """Makes keys, looks at the DNS, uses, retires, deletes."""
    domain = get_object_or_404(Domain, pk=number)
    wish, person, now = request.POST.get("wish", ""), person_of(request), timezone.now()
    try:
        if wish in ("make", *Algorithm):
            for algorithm in list(Algorithm) if wish == "make" else [Algorithm(wish)]:
                signing.make(domain, algorithm, now, by=person)
            messages.success(request, _("Publish the record, then mail is signed by itself."))
        elif wish == "check":
            _check(request, domain, person)
        elif wish in ("use", "retire", "delete"):
            _change(request, wish, signing.find(domain, request.POST.get("key", "")), person)
    except ValueError as error:
        messages.error(request, said(error))
    return redirect("domain-signing", domain.pk)


def _check(request: HttpRequest, domain: Domain, person: Person) -> None:
    wanted = {key.name: key for key in signing.of_domain(domain) if key.state != KeyState.RETIRED}
    found = asyncio.run(dns.texts(wanted))
    seen = [signing.looked_up(wanted[name].pk, texts, timezone.now(), by=person) for name, texts in found]
    if all(one is Seen.LIVE for one in seen):
        messages.success(request, _("Every record is in the DNS."))
    else:
        messages.warning(request, _("Not every record is in the DNS."))


def _change(request: HttpRequest, wish: str, key: SigningKey, person: Person) -> None:
    now = timezone.now()
    if wish == "use":
        signing.use(key, now, by=person)
        messages.success(request, _("Mail is signed with %(selector)s from now on.") % {"selector": key.selector})
    elif wish == "retire":
        signing.retire(key, now, by=person)
        messages.success(request, _("Nothing is signed with %(selector)s any more. Leave its record in the DNS for ten days.") % {"selector": key.selector})
    else:
        signing.delete(key, now, by=person)
        messages.success(request, _("The key %(selector)s is deleted. Its record may go.") % {"selector": key.selector})
