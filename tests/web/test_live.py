"""Saving a mailbox or a sending service tests it for real, keeps what was typed, and never shows a password."""

from __future__ import annotations

import pytest
from django.urls import reverse

from colporteur.flow import mailboxes, transports
from colporteur.store.mailboxes import Mailbox
from colporteur.store.transports import Transport
from tests.servers.ports import free_port
from tests.web.conftest import World, signed_in


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody answers."""
    return free_port()


def test_a_sending_service_that_does_not_answer_is_kept_and_said(world: World, closed_port: int) -> None:
    browser = signed_in(world.admin)
    form = {"name": "relais", "host": "127.0.0.1", "port": closed_port, "tls": "none", "user": "list:e", "password": "s3cr@t/é"}
    page = browser.post(reverse("transport-add"), form, follow=True).content.decode()
    made = Transport.objects.get(name="relais")
    assert transports.url_of(made).startswith("smtp://list%3Ae:s3cr%40t%2F%C3%A9@127.0.0.1")
    assert "the test failed" in page and str(closed_port) in page and "s3cr" not in page
    changed = browser.post(reverse("transport", args=[made.pk]), {**form, "port": closed_port, "tls": "none", "password": ""}, follow=True)
    assert "s3cr%40t" in transports.url_of(Transport.objects.get(name="relais")) and "s3cr" not in changed.content.decode()
    browser.post(reverse("transport", args=[made.pk]), {**form, "host": "localhost", "password": ""})
    assert "s3cr" not in transports.url_of(Transport.objects.get(name="relais"))  # a password never goes to another server by itself


def test_a_sending_service_that_works_says_so_and_recovers(world: World) -> None:
    outbox = Transport.objects.get(kind="folder")
    Transport.objects.filter(pk=outbox.pk).update(failures=4, last_error="x")
    page = signed_in(world.admin).post(reverse("transport-do", args=[outbox.pk]), {"wish": "test"}, follow=True).content.decode()
    assert "Configuration OK" in page and Transport.objects.get(pk=outbox.pk).failures == 0


def test_a_mailbox_inside_is_not_for_owners(world: World, closed_port: int) -> None:
    form = {"kind": "imap", "host": "127.0.0.1", "tls": "none", "port": closed_port, "user": "liste", "password": "s3cret", "folder": "INBOX", "move_to": "", "every": 60}
    page = signed_in(world.owner).post(reverse("mailbox", args=[world.list.pk]), form, follow=True).content.decode()
    assert "network of its own" in page and str(closed_port) not in page.partition("<form")[0]


def test_a_mailbox_that_does_not_answer_is_kept_and_said(world: World, closed_port: int) -> None:
    browser, where = signed_in(world.admin), reverse("mailbox", args=[world.list.pk])
    form = {"kind": "imap", "host": "127.0.0.1", "tls": "none", "port": closed_port, "user": "liste", "password": "s3cret", "folder": "INBOX", "move_to": "", "every": 60}
    page = browser.post(where, form, follow=True).content.decode()
    assert "the test failed" in page and str(closed_port) in page and "s3cret" not in page
    assert mailboxes.account_of(Mailbox.objects.get()).password == "s3cret"
    browser.post(where, {**form, "password": ""})
    assert mailboxes.account_of(Mailbox.objects.get()).password == "s3cret"
    other = browser.post(where, {**form, "password": "", "host": "localhost"})
    assert other.status_code == 200 and Mailbox.objects.get().host == "127.0.0.1"
    assert browser.post(where, {**form, "every": 1}).status_code == 200
    browser.post(reverse("mailbox-do", args=[world.list.pk]), {"wish": "forget"})
    assert not Mailbox.objects.exists()
