"""Our webhook is entered at the services whose interface can do it: once, mended where it differs, nothing of others touched."""

from __future__ import annotations

import pytest

from colporteur.adapters.transports.esp import registering
from colporteur.adapters.transports.esp.registering import NotRegistered, Registered, register
from colporteur.domain.services import SERVICES, read_account
from tests.servers.registry import Registry

HERE, OTHER, NEXT = "https://lists.example/hooks/news/s3cret/", "https://lists.example/hooks/other/s3cret/", "https://lists.example/hooks/news/n3xt/"
KINDS = ("mailjet", "sparkpost", "mandrill", "brevo", "postmark", "resend")
NAMES = {"mailjet": "Url", "sparkpost": "target", "resend": "endpoint", "postmark": "Url"}
KEYS = {"mandrill": "auth-", "resend": "whsec_"}


def enter(server: Registry, url: str = HERE) -> Registered:
    return register(read_account(server.url()), url)


def addresses(server: Registry) -> set[str]:
    return {row[NAMES.get(server.kind, "url")] for row in server.rows}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_made_once_mended_and_left_alone(kind: str) -> None:
    with Registry(kind) as server:
        made = enter(server)
        assert (made.done, made.key.startswith(KEYS.get(kind, "")), bool(made.key)) == ("made", True, kind in KEYS)
        assert addresses(server) == {HERE} and len(made.events) >= 3
        rows, server.changes = len(server.rows), []
        again = enter(server)
        assert (again.done, again.key, server.changes) == ("there", made.key, []) and len(server.rows) == rows
        assert enter(server, NEXT).done == "changed" and addresses(server) == {NEXT} and len(server.rows) == rows
        if kind not in ("mailjet", "postmark"):  # there events are rows, or switches
            server.rows[0]["events"] = server.rows[0]["events"][:1]
            assert enter(server, NEXT).done == "changed" and len(server.rows[0]["events"]) == len(made.events)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mailjet"])
def test_webhooks_of_others_stay(kind: str) -> None:
    with Registry(kind) as server:
        enter(server, OTHER)
        assert enter(server).done == "made" and addresses(server) == {OTHER, HERE}


def test_mailjet_has_one_address_for_an_event_and_somebody_elses_is_not_driven_out() -> None:
    with Registry("mailjet") as server:
        server.rows = [{"ID": 9, "EventType": "bounce", "IsBackup": False, "Status": "alive", "Url": "https://shop.example/hook", "Version": 1}]
        with pytest.raises(NotRegistered, match=r"bounce: https://shop\.example/hook"):
            enter(server)
        assert not server.changes
        server.rows[0] |= {"Url": HERE}
        assert enter(server).done == "changed" and server.changes[0] == ("PUT", "/v3/REST/eventcallbackurl/9") and server.rows[0]["Version"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_may_not_is_said_and_never_shown(kind: str) -> None:
    with Registry(kind) as server:
        server.forbidden = True
        with pytest.raises(NotRegistered, match=SERVICES[kind].title) as raised:
            enter(server)
        assert "secret@" not in str(raised.value) and "s3cret" not in str(raised.value)
    with pytest.raises(NotRegistered):
        enter(server)  # nobody answers any more


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"results": [{"target": "https://lists.example/hooks/news/x/"}]}', b'{"Data": [{}]}', b"null", b"9"])
@pytest.mark.parametrize("kind", ["mailjet", "sparkpost", "mandrill"])
def test_answers_nobody_documented_do_no_harm(kind: str, content: bytes) -> None:
    with Registry(kind) as server:
        server.content = content
        try:
            assert enter(server).done == "made"
        except NotRegistered as error:
            assert SERVICES[kind].title in str(error)


def test_sparkposts_subaccount_and_postmarks_stream_are_meant() -> None:
    with Registry("postmark") as server:
        register(read_account(f"{server.url()}&stream=broadcast"), HERE)
        assert server.rows[0]["MessageStream"] == "broadcast" and enter(server).done == "made"
    assert registering.can("sparkpost") and not registering.can("mailgun") and not registering.can("smtp")
