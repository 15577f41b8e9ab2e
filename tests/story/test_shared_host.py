"""A list on a shared host: one mailbox, one SMTP account that may only send as itself, no recipient delimiter.

Postfix with sender-login checks hands mail to Dovecot; our parts are real processes; members read by IMAP.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from colporteur.adapters import probes
from colporteur.flow import mailboxes
from colporteur.store.arrivals import Errand
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailboxes import Mailbox
from colporteur.store.posts import Post
from tests.servers.browser import chromium
from tests.servers.dovecot import Dovecot
from tests.servers.ports import wait_until
from tests.servers.postfix import Postfix
from tests.story.scenes import Installation, a_list, a_transport, give_role, message

pytestmark = pytest.mark.django_db(transaction=True)
LIST, ANNA, MARC, OLGA = "jardin@shared.example", "anna@members.example", "marc@members.example", "olga@members.example"
ACCOUNTS = {LIST: "secret", ANNA: "a", MARC: "m", OLGA: "o"}
ALL_REFUSED = {"envelope_sender": False, "plus_part": False, "from_address": False}


class Host:
    """The shared host. ``strict``: only its own senders and authors, and no recipient delimiter."""

    def __init__(self, directory: Path, *, strict: bool) -> None:
        delimiter = "" if strict else "+"
        self.dovecot = Dovecot(directory, ACCOUNTS, delimiter=delimiter)
        (self.dovecot.directory / "authors").write_text("if /^From:/\n!/[@]shared[.]example/ REJECT 5.7.1 From must be your own address\nendif\n")
        lmtp = ("127.0.0.1", self.dovecot.ports["lmtp"])
        self.postfix = Postfix(
            self.dovecot.directory / "postfix", mailbox_lmtp={"shared.example": lmtp, "members.example": lmtp}, delimiter=delimiter, sasl=("127.0.0.1", self.dovecot.ports["auth"]),
            logins={LIST: LIST} if strict else {LIST: LIST, "@shared.example": LIST, "@members.example": LIST}, options=self._authors() if strict else {},
        )  # fmt: skip

    def _authors(self) -> dict[str, str]:
        # Mail from outside does not come this way in these stories: it is handed to Dovecot.
        return {"nested_header_checks": "", "header_checks": f"regexp:{self.dovecot.directory}/authors"}

    def __enter__(self) -> Host:
        self.dovecot.__enter__()
        self.postfix.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.postfix.__exit__()
        self.dovecot.__exit__()

    @property
    def url(self) -> str:
        return f"smtp://{LIST.replace('@', '%40')}:secret@127.0.0.1:{self.postfix.port}?tls=none"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path / "dovecot", strict=True) as shared:
        yield shared


def wait(what: Callable[[], object], installation: Installation) -> None:
    try:
        wait_until(what, 40)
    except TimeoutError:
        said = "\n".join(f"{part}:\n{installation.words(part)[-2500:]}" for part in ("collect", "worker"))
        raise AssertionError(f"not so after 40 s\n{said}") from None


def read(host: Host, user: str) -> list[EmailMessage]:
    return [email.message_from_bytes(raw, policy=email.policy.default) for raw in host.dovecot.messages(user)]  # type: ignore[misc]


# ---- what the host lets pass ------------------------------------------------------------------------------------


def test_a_strict_host_is_found_out_and_the_mailbox_is_left_clean(host: Host) -> None:
    host.dovecot.put(LIST, message(ANNA, LIST, "a member's own"))
    account = mailboxes.decisions.read_url(host.dovecot.url("imap", LIST))
    shared = probes.check_shared(host.url, account, LIST, mailboxes.probe_mark(timezone.now()), grace=3)
    assert shared.checked.ok, shared.checked.text()
    assert shared.traits == ALL_REFUSED
    assert "not owned by user" in shared.refusals["envelope_sender"] or "5.7.1" in shared.refusals["envelope_sender"]
    assert "From must be your own address" in shared.refusals["from_address"]
    assert not [one for one in read(host, LIST) if probes.FIELD in one]
    assert "a member's own" in [one["Subject"] for one in read(host, LIST)]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_generous_host_is_found_out(protocol: str, tmp_path: Path) -> None:
    with Host(tmp_path, strict=False) as host:
        account = mailboxes.decisions.read_url(host.dovecot.url(protocol, LIST))
        shared = probes.check_shared(host.url, account, LIST, mailboxes.probe_mark(timezone.now()), grace=120)
        assert (shared.checked.ok, shared.traits) == (True, dict.fromkeys(ALL_REFUSED, True)), (shared, host.postfix.words()[-3000:])
        assert host.dovecot.messages(LIST) == []


def test_transports_are_tested_as_far_as_rcpt(host: Host) -> None:
    assert probes.check_transport(host.url, LIST).text() == f"Configuration OK: 127.0.0.1 takes messages from {LIST}."
    assert "refused the user name or the password" in probes.check_transport(host.url.replace("secret", "wrong")).text()
    assert f"does not take messages from {OLGA}" in probes.check_transport(host.url, OLGA, ANNA).text()
    assert "does not offer STARTTLS" in probes.check_transport(host.url.replace("tls=none", "tls=starttls")).text()
    assert "587" in probes.check_transport("smtp://127.0.0.1:9?tls=none").text()
    assert "no server called" in probes.check_transport("smtp://smtp.nowhere.invalid").text()
    assert "no SMTP server" in probes.check_transport(f"smtp://127.0.0.1:{host.dovecot.ports['imap']}?tls=none").text()
    refused = probes.check_transport(host.url.replace("jardin%40shared.example:secret@", ""), ANNA, "somebody@elsewhere.example")
    assert not refused.ok and "does not take messages to somebody@elsewhere.example" in refused.text()


# ---- the whole way ----------------------------------------------------------------------------------------------


def a_garden(host: Host, **policy: str) -> List:
    list_ = a_list(LIST, on_domain=False, template="mailbox", title="Le jardin", members=[ANNA, MARC], transport=a_transport(host.url), **policy)
    give_role(list_, RoleKind.OWNER, OLGA)
    mailboxes.set_mailbox(list_, host.dovecot.url("imap", LIST, move="Taken"), timezone.now(), by="test")
    return list_


def test_a_post_is_held_released_by_reply_and_reaches_members(host: Host, installation: Installation) -> None:
    a_garden(host, posting="nobody", stranger="hold", reply_to="list")
    said = installation.cli("mailbox", "test", LIST, "--shared")
    assert "plus_part: no" in said and "from_address: no" in said
    assert Mailbox.objects.get().traits == ALL_REFUSED
    installation.start("collect", "worker")
    host.dovecot.deliver(LIST, message(ANNA, LIST, "Semis de printemps"), sender=ANNA)  # from outside: not through the checks of submission
    wait(lambda: read(host, OLGA), installation)
    (notice,) = read(host, OLGA)
    assert Post.objects.get().state == "held"
    assert "shared.example" in str(notice["From"])
    assert str(notice["Return-Path"]) == f"<{LIST}>"
    answer = message(OLGA, LIST, f"Re: {notice['Subject']}", "Distribuer\r\n", message_id="<answer@members.example>")
    assert str(notice["Reply-To"] or notice["From"]).endswith((LIST, f"<{LIST}>"))
    host.dovecot.deliver(LIST, answer, sender=OLGA)
    wait(lambda: subjects(host, MARC, "Semis"), installation)
    (post,) = subjects(host, MARC, "Semis")
    assert (post["From"].addresses[0].addr_spec, str(post["Return-Path"])) == (LIST, f"<{LIST}>")
    assert ANNA in str(post["Reply-To"]) + str(post["Cc"]) + str(post["Author"])
    assert post["X-Colporteur-Trace"]
    assert post["List-Id"]
    wait(lambda: host.dovecot.messages(LIST) == [], installation)
    wait(lambda: len(host.dovecot.messages(LIST, "Taken")) == 3, installation)  # the post, the answer, and the report about a test message
    assert (Post.objects.count(), Errand.objects.filter(service="moderate").count()) == (1, 1)


def test_a_post_is_released_by_the_link_in_the_notice(host: Host, installation: Installation) -> None:
    """A moderator opens the mailed link on a phone, without an account: the page asks, the button acts."""
    name = f"lists.garden.example:{installation.web_port}"
    installation.environment["COLPORTEUR_BASE_URL"] = f"http://{name}"
    mailboxes.learn(a_garden(host, posting="nobody", stranger="hold").mailbox, ALL_REFUSED, timezone.now())
    installation.start("collect", "worker", "web")
    host.dovecot.deliver(LIST, message(ANNA, LIST, "Semis d'automne"), sender=ANNA)
    wait(lambda: read(host, OLGA), installation)
    (notice,) = read(host, OLGA)
    body = notice.get_body(("plain",))
    assert body is not None
    link = re.search(rf"http://{re.escape(name)}/m/\S+", body.get_content())
    assert link, body.get_content()
    with chromium("--host-resolver-rules=MAP lists.garden.example 127.0.0.1") as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844}, locale="fr-FR")
        page.set_default_timeout(120_000)
        page.goto(link[0])
        expect(page.get_by_role("heading", name="Semis d'automne")).to_be_visible()
        assert Post.objects.get().state == "held"
        page.get_by_role("button", name=re.compile("^Distribuer")).click()
        wait(lambda: Post.objects.get().state == "accepted", installation)
        page.goto(link[0])  # a second look tells who decided
        expect(page.get_by_text(OLGA).first).to_be_visible()
    wait(lambda: subjects(host, MARC, "automne") and subjects(host, ANNA, "automne"), installation)


def subjects(host: Host, user: str, word: str) -> list[EmailMessage]:
    return [one for one in read(host, user) if word in str(one["Subject"]) and one["List-Id"]]
