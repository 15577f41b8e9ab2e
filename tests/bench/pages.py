"""Every page of lists and members on a hoster's database, through the whole application, as somebody signed in asks for it.

Server time of one request: from the call of the WSGI application to its last byte, one request after the other, after a few to warm
up. Nothing on these pages may take more than 200 ms at the 95th percentile.
"""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.test.client import FakePayload, RequestFactory
from django.urls import reverse
from django.utils import timezone

from colporteur.flow import enrolments, lists
from colporteur.store.enrolments import Enrolment
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Person
from colporteur.web.wsgi import application
from tests.bench.world import World, fill

LIMIT, WARM, TIMES = 0.2, 3, 20


class Page(NamedTuple):
    """What is asked for, by whom; ``posted``: a form, for pages that are asked by one."""

    name: str
    person: Person
    urls: Sequence[str]
    posted: dict[str, str] | None = None


class Browser:
    """Somebody signed in. ``ask`` hands the request to the application as a server does; (status, seconds, body)."""

    def __init__(self, person: Person) -> None:
        client = Client()
        client.force_login(person)
        self.factory = RequestFactory(HTTP_HOST=settings.ALLOWED_HOSTS[0], REMOTE_ADDR="127.0.0.1")
        self.factory.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.factory.cookies[settings.CSRF_COOKIE_NAME] = "x" * 32
        self.scheme: dict[str, Any] = {"wsgi.url_scheme": "https", "HTTP_REFERER": f"https://{settings.ALLOWED_HOSTS[0]}/"}

    def ask(self, url: str, posted: dict[str, Any] | None = None) -> tuple[int, float, int]:
        """One request."""
        request = self.factory.get(url, **self.scheme) if posted is None else self.factory.post(url, posted | {"csrfmiddlewaretoken": "x" * 32}, **self.scheme)
        environ: dict[str, Any] = request.environ
        body = environ["wsgi.input"]
        if isinstance(body, FakePayload):
            environ["wsgi.input"] = io.BytesIO(body.read())
        status: list[int] = []
        began = time.perf_counter()
        response: Any = application(environ, lambda line, headers, exc_info=None: status.append(int(line.split()[0])))
        length = sum(map(len, response))
        response.close()
        return status[0], time.perf_counter() - began, length


def pages(world: World) -> Iterable[Page]:
    """The pages, each with some variants of what is asked."""
    ada, olga, long = world.administrator, world.owner, world.long
    members = reverse("members", args=[long.pk])
    emails = _places(long)
    names = list(Membership.objects.filter(list=long, until__isnull=True).order_by("called", "email").values_list("email", flat=True)[:1])

    def after(path: str, **query: str) -> list[str]:
        return [path + "?" + urlencode(query | {"after": email}) for email in emails]

    for who, person in (("administrator", ada), ("organisation", world.of_organisation), ("owner of 50", olga), ("member of 50", world.member)):
        if person is not world.member:
            yield Page(f"home, {who}", person, ["/"])
        yield Page(f"lists, {who}", person, ["/lists/", "/lists/?after=" + quote("list-05000@d00500.example")])
        yield Page(f"lists by beginning, {who}", person, [f"/lists/?q={word}" for word in ("list-09", "list 77", "every", "zzz")])
    yield Page("my page, member of 50", world.member, ["/me"])
    yield Page("my page, owner of 50", olga, ["/me"])
    yield Page("settings: domains", ada, ["/settings/", "/settings/?after=d00500.example"])
    yield Page("organisation", ada, [reverse("organisation", args=[world.organisation.pk])])
    yield Page("domain", ada, [reverse("domain", args=[long.domain_id])])
    yield Page("new list", ada, ["/lists/new"])
    yield Page("ask for a list", olga, ["/lists/ask"])
    yield Page("people", ada, ["/people/", "/people/?q=person%2099", "/people/?q=p000", "/people/?q=zzz"])
    yield Page("one person", ada, [reverse("person", args=[olga.pk]), reverse("person", args=[world.member.pk])])
    for who, person in (("administrator", ada), ("owner", olga)):
        yield Page(f"1,000,000 members: first page, {who}", person, [members])
        yield Page(f"1,000,000 members: later pages, {who}", person, after(members))
    yield Page("members by name: first page", ada, [members + "?by=name"])
    yield Page("members by name: later pages", ada, after(members, by="name"))
    yield Page("members by beginning", ada, [f"{members}?q={word}" for word in ("p0", "p00079190", "anne", "bruno le", "é", "zzz", "p")])
    yield Page("members by beginning, by name", ada, [f"{members}?by=name&q={word}" for word in ("p0", "p00079190", "anne", "bruno le", "é", "zzz", "p")])
    yield Page("members by domain", ada, [f"{members}?q={quote(word)}" for word in ("@host-1", "@host-997.example", "@host-12.example", "@zzz", "@h")])
    yield Page("members by state", ada, [f"{members}?state={word}" for word in ("paused", "silent", "receive")] + [f"{members}?state=paused&after={emails[1]}"])
    yield Page("members by state and name", ada, [f"{members}?by=name&state={word}" for word in ("paused", "silent", "receive")] + [f"{members}?by=name&state=paused&after={names[0]}"])
    yield Page("members by delivery, source", ada, [f"{members}?mode=none", f"{members}?mode=each", f"{members}?source=hand", f"{members}?source=999"])
    yield Page("members by state and beginning", ada, [f"{members}?state=paused&q={word}" for word in ("p0", "anne", "@host-1", "zzz", "david")])
    yield Page("members as a member sees them", world.member, [reverse("members-seen", args=[long.pk]), *after(reverse("members-seen", args=[long.pk])), reverse("members-seen", args=[long.pk]) + "?q=bruno"])
    one = Membership.objects.filter(list=long).order_by("pk")[500_000 % max(1, len(emails)) : ][0]
    yield Page("one member", ada, [reverse("member", args=[long.pk, one.pk])])
    yield Page("members: box, add", ada, [reverse("members-box", args=[long.pk]), reverse("members-add", args=[long.pk])])
    for name in ("list", "list-about", "list-settings", "sources", "roles", "mailbox", "list-transport", "activity", "list-addresses", "list-delete", "list-inside", "joining", "list-wordings"):
        yield Page(f"list of 1,000,000: {name}", olga, [reverse(name, args=[long.pk])])
    yield Page("list of 1,000,000: its messages, as a member", world.member, [reverse("list", args=[long.pk]), reverse("list", args=[long.pk]) + "?before=100000"])
    some = "\n".join(Membership.objects.filter(list=long).order_by("email").values_list("email", flat=True)[:100])
    yield Page("find everywhere: one address", ada, [reverse("members-everywhere")], {"lines": emails[1]})
    yield Page("find everywhere: 100 addresses", ada, [reverse("members-everywhere")], {"lines": some})
    yield Page("find everywhere: 100 addresses, owner", olga, [reverse("members-everywhere")], {"lines": some})
    for who, person in (("administrator", ada), ("organisation", world.of_organisation), ("owner of 50", olga)):
        yield Page(f"waiting, {who}", person, ["/waiting/"])
        yield Page(f"sending, {who}", person, ["/sending/", "/sending/?before=20000"])
    yield Page("one waiting message to 1,000,000", ada, [reverse("waiting-post", args=[world.held.pk])])
    yield Page("mailing of 1,000,000", ada, [path + more for path in [reverse("mailing", args=[world.mailing.pk])] for more in ("", "?state=3", "?q=p0", "?q=p00079190", "?state=3&q=p0")])
    yield Page("mailing of 1,000,000: progress", ada, [reverse("mailing-progress", args=[world.mailing.pk])])
    yield Page("deleted lists, requests, errands", ada, ["/lists/deleted", "/requests/", "/errands/"])


def _places(long: List) -> list[str]:
    """Addresses near the beginning, the middle and the end of the list."""
    rows = Membership.objects.filter(list=long, until__isnull=True)
    total = rows.count()
    return [rows.order_by("email").values_list("email", flat=True)[place] for place in (50, total // 2, total - 30)]


def measure(page: Page, browsers: dict[int, Browser], times: int = TIMES) -> tuple[float, float, int]:
    """(median, 95th percentile, worst status) of ``times`` requests at least, in seconds; each variant as often as the others."""
    browser = browsers.setdefault(page.person.pk, Browser(page.person))
    for number in range(max(WARM, len(page.urls))):
        browser.ask(page.urls[number % len(page.urls)], page.posted)
    rounds = -(-times // len(page.urls))
    found = [browser.ask(url, page.posted) for _round in range(rounds) for url in page.urls]
    seconds = sorted(one[1] for one in found)
    return seconds[len(seconds) // 2], seconds[min(len(seconds) - 1, int(len(seconds) * 0.95))], max(one[0] for one in found)


def run(members: int = 1_000_000, number: int = 10_000, domains: int = 1_000, say: Callable[[str], None] = print) -> None:
    """Fill the database, and print a row for each page."""
    call_command("migrate", verbosity=0)
    world = fill(members, number, domains, say)
    importing(world, say)
    show(world, say)


def importing(world: World, say: Callable[[str], None], number: int = 50_000) -> None:
    """How long it takes to add so many, nobody of them known before: by command, and by a browser with a worker that is at hand."""
    for way, add in (("command", _by_command), ("web", _by_browser)):
        text = "email;name\n" + "".join(f"{way}-{number:06}@new.example;New Member {number}\n" for number in range(number))
        list_ = lists.create(f"imported-by-{way}@d00000.example", "discussion", "owner@people.example", timezone.now(), by="bench")
        began = time.perf_counter()
        add(world, list_, text.encode())
        say(f"{number:,} members added by {way}: {time.perf_counter() - began:.1f} s (goal: 10 s)")
        assert Membership.objects.filter(list=list_).count() == number


def _by_command(_world: World, list_: List, text: bytes) -> None:
    subprocess.run([sys.executable, "-c", "from colporteur.cli import main; main()", "member", "add", list_.address, "--file", "-"], input=text, check=True, stdout=subprocess.DEVNULL)


def _by_browser(world: World, list_: List, text: bytes) -> None:
    browser, path = Browser(world.administrator), reverse("members-add", args=[list_.pk])
    assert browser.ask(path, {"file": SimpleUploadedFile("members.csv", text)})[0] == 302
    enrolments.do_due(timezone.now())
    browser.ask(reverse("members-adding", args=[list_.pk, Enrolment.objects.get(list=list_).pk]), {"wish": "add"})
    enrolments.do_due(timezone.now())


def show(world: World, say: Callable[[str], None] = print, only: str = "") -> None:
    """A row for each page, the slow ones marked."""
    browsers: dict[int, Browser] = {}
    slow = number = 0
    say(f"{'page':<50}{'median ms':>10}{'95 % ms':>10}")
    for page in pages(world):
        if only not in page.name:
            continue
        median, late, status = measure(page, browsers)
        number, slow = number + 1, slow + (late > LIMIT or status >= 400)
        say(f"{page.name:<50}{median * 1000:>10.1f}{late * 1000:>10.1f}{'' if status < 400 else f'  status {status}'}{'  slow' if late > LIMIT else ''}")
    say(f"{number} pages, {slow} over {LIMIT * 1000:.0f} ms")
