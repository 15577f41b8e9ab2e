"""Probes: no account, no session, and the truth."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from colporteur.store import health, schema


@pytest.mark.django_db
def test_ready_once_every_part_lives(client: Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["down"] == ["receive", "collect", "worker"]
    for part in ("receive", "collect", "worker"):
        health.beat(part, "here", 1)
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "down": [], "database": True, "schema": "current", "parts": {"receive": 1, "collect": 1, "worker": 1}}
    assert "no-cache" in answer["Cache-Control"] and not answer.cookies


def test_live_needs_no_database(client: Client) -> None:
    assert client.get("/health/live").status_code == 200


def test_a_missing_database_is_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> schema.State:
        raise OperationalError("connection refused")

    monkeypatch.setattr(schema, "state", refuse)
    monkeypatch.setattr(health.connection, "close", lambda: None)
    answer = client.get("/health/ready")
    assert answer.status_code == 503 and answer.json()["down"] == ["database"]


def test_probes_are_read_only(client: Client) -> None:
    assert client.post("/health/ready").status_code == 405
