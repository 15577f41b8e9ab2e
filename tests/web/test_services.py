"""Pages of services with an interface of their own: entered, tested for real, their webhook shown, their secrets never."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from colporteur.adapters.transports.esp import accounts
from colporteur.flow import services, transports
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.sealed import unseal
from colporteur.store.services import Hook
from colporteur.store.transports import Transport
from tests.servers.registry import Registry
from tests.servers.services import Services, Taken, tells
from tests.web.conftest import World, signed_in


def test_a_service_is_added_tested_and_changed_without_its_key_being_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, where = signed_in(world.admin), reverse("transport-add") + "?kind=mailjet"
    assert "Secret key" in browser.get(where).content.decode()
    assert "written mailjet://KEY:SECRET@" in browser.post(where, {"name": "letters", "key": "name"}).content.decode() and not Transport.objects.filter(name="letters").exists()
    with Services() as server:
        monkeypatch.setitem(accounts.WAYS, "mailjet", accounts.WAYS["mailjet"]._replace(url=server.url("mailjet").partition("api=")[2]))
        page = browser.post(where, {"name": "letters", "key": "name", "secret": "secret"}, follow=True).content.decode()
        assert "Configuration OK: Mailjet knows the key." in page and 'value="secret"' not in page
        made = Transport.objects.get(name="letters")
        browser.post(reverse("transport", args=[made.pk]), {"key": "name", "secret": ""})
        assert transports.url_of(made) == "mailjet://name:secret@"
        answer = browser.post(reverse("transport", args=[made.pk]), {"key": "other", "secret": ""})
        assert answer.status_code == 200 and transports.url_of(Transport.objects.get(pk=made.pk)) == "mailjet://name:secret@", "a secret belongs to its key"
        page = browser.post(reverse("transport", args=[made.pk]), {"key": "name", "secret": "wrong"}, follow=True).content.decode()
        assert "refused the key" in page and "wrong" not in page


def test_its_page_says_what_to_enter_over_there_and_what_was_told(world: World) -> None:
    browser, now = signed_in(world.admin), timezone.now()
    with Services() as server:
        made = transports.add("news", server.url("mandrill"), now)
        page = browser.get(reverse("transport", args=[made.pk])).content.decode()
        url = services.url_of(Hook.objects.get())
        assert url.replace("/", "/<wbr>") in page or url in page.replace("<wbr>", "")
        assert "Nothing was told yet." in page and "Message Is Bounced" in page and "Webhook key" in page
        tested = browser.post(reverse("transport-do", args=[made.pk]), {"wish": "test"}, follow=True).content.decode()
        assert "Mandrill knows the key. (sent today: 0, 5000 an hour allowed, reputation 93 of 100)" in tested
    post = tells([(Taken("mandrill", "9", "who@else.example", "", b"", {}, {}), "hard")])
    assert browser.generic("POST", url.removeprefix(settings.BASE_URL), post.body, content_type=post.content_type).status_code == 200
    page = browser.get(reverse("transport", args=[made.pk])).content.decode()
    assert "One event was told." in page and "who@else.example" in page and "came back" in page
    browser.post(reverse("transport-do", args=[made.pk]), {"wish": "key", "key": "k3y"})
    assert "(entered)" in browser.get(reverse("transport", args=[made.pk])).content.decode()
    browser.post(reverse("transport-do", args=[made.pk]), {"wish": "hook"})
    assert services.url_of(Hook.objects.get()) != url


def test_the_webhook_is_registered_by_a_button_and_the_services_key_is_kept(world: World) -> None:
    browser, now = signed_in(world.admin), timezone.now()
    with Registry("mandrill") as server:
        made = transports.add("news", server.url(), now)
        do = reverse("transport-do", args=[made.pk])
        assert "Register the webhook" in browser.get(reverse("transport", args=[made.pk])).content.decode()
        page = browser.post(do, {"wish": "register"}, follow=True).content.decode()
        assert "Mandrill has the webhook now, for: hard_bounce, soft_bounce, spam, unsub, reject. Its key is kept" in page and "(entered)" in page and "auth-1" not in page
        hook = Hook.objects.get()
        assert unseal(hook.key_sealed) == "auth-1" and [row["url"] for row in server.rows] == [services.url_of(hook)]
        assert "Mandrill had the webhook already" in browser.post(do, {"wish": "register"}, follow=True).content.decode() and len(server.rows) == 1
        assert JournalEntry.objects.filter(event="transport.changed", values__change="webhook made").count() == 1
        server.forbidden = True
        assert "The webhook was not registered. Mandrill: HTTP 500" in browser.post(do, {"wish": "register"}, follow=True).content.decode()
        assert signed_in(world.organiser).post(do, {"wish": "register"}).status_code == 404
    with Registry("brevo") as server:
        server.forbidden = True
        refused = transports.add("refused", server.url(), now)
        assert "(cette clé permet-elle de gérer les webhooks ?)" in signed_in(world.admin, "fr").post(reverse("transport-do", args=[refused.pk]), {"wish": "register"}, follow=True).content.decode().replace("\u202f", " ")
    other = transports.add("other", "mailgun://key@", now)
    assert "Register the webhook" not in browser.get(reverse("transport", args=[other.pk])).content.decode()


def test_newsletters_by_the_same_service_as_other_mail_are_warned_of(world: World) -> None:
    browser, words = signed_in(world.admin), "The same service as other mail"
    default = Transport.objects.get(is_default=True)
    List.objects.filter(template="newsletter").update(template="discussion")
    assert words not in browser.get(reverse("transport", args=[default.pk])).content.decode()
    List.objects.filter(pk=world.list.pk).update(template="newsletter")
    assert words in browser.get(reverse("transport", args=[default.pk])).content.decode()
    assert words in signed_in(world.owner).get(reverse("list-transport", args=[world.list.pk])).content.decode()
