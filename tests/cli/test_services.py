"""``colporteur transport`` with services that have an interface of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from colporteur.store.services import Hook
from tests.servers.registry import Registry
from tests.servers.services import Services


def test_a_service_is_added_tested_and_tells_where_its_webhook_is(ask: Callable[..., Any]) -> None:
    with Services() as server:
        added = ask("transport", "add", "news", server.url("sparkpost"))
        assert added["kind"] == "sparkpost" and "secret" not in str(added)
        sent = ask("transport", "test", "news", "--to", "ann@members.example", "--sender", "list@lists.example")
        assert "today: 0 of 10000" in sent["check"] and [taken.recipient for taken in server.taken] == ["ann@members.example"]
        told = ask("transport", "webhook", "news")
        assert "/hooks/news/" in told["url"] and "Spam Complaint" in told["events"] and not told["signed"]
        assert ask("transport", "webhook", "news", "--renew", "--key", "k")["url"] != told["url"] and Hook.objects.get().key_sealed


def test_the_webhook_is_registered_and_says_so(ask: Callable[..., Any]) -> None:
    with Registry("sparkpost") as server:
        ask("transport", "add", "news", server.url())
        told = ask("transport", "webhook", "news", "--register")
        assert told["registered"] == "made" and "spam_complaint" in told["registered_events"] and server.rows[0]["target"] == told["url"]
        renewed = ask("transport", "webhook", "news", "--register", "--renew")
        assert (renewed["registered"], len(server.rows)) == ("changed", 1) and server.rows[0]["target"] == renewed["url"] != told["url"]
