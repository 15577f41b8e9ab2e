"""Accounts at the command line: merged, helped out, signed out; identity providers without showing a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from colporteur.flow import identities, people
from colporteur.store.credentials import Credential
from colporteur.store.identities import IdentityProvider
from colporteur.store.people import Person
from tests.cli.conftest import Run
from tests.servers.oidc import Provider


@pytest.fixture
def tell(run: Run) -> Callable[..., Any]:
    """What a command answers: JSON, or its complaint when it ends with a status."""

    def told(*words: str, given: str = "", status: int = 0) -> Any:
        done = run(*words, "--json", input=given)
        assert done.exit_code == status, done.output
        return json.loads(done.stdout) if status == 0 else done.output

    return told


def test_two_accounts_are_merged_and_second_steps_taken_away(tell: Callable[..., Any]) -> None:
    tell("person", "add", "anna@a.example")
    tell("person", "add", "anna@b.example", "--name", "Anna")
    told = tell("person", "merge", "anna@a.example", "anna@b.example", "--yes")
    assert told["addresses"] == ["anna@a.example", "anna@b.example"] and told["name"] == "Anna" and told["moved"]["addresses"] == ["anna@b.example"]
    assert "one account already" in tell("person", "merge", "anna@a.example", "anna@b.example", "--yes", status=1)
    anna = Person.objects.get()
    Credential.objects.create(person=anna, kind="passkey", handle=b"h", public=b"p", created=anna.created)
    tell("person", "reset-two-steps", "anna@a.example")
    tell("person", "sign-out", "anna@b.example")
    anna.refresh_from_db()
    assert anna.session_round == 2 and not Credential.objects.exists()
    assert "nobody here" in tell("person", "sign-out", "marc@a.example", status=1)
    assert people.find("anna@b.example") == anna


def test_identity_providers_are_added_tried_changed_and_removed(tell: Callable[..., Any]) -> None:
    with Provider() as there:
        made = tell("identity", "add", "Saule", there.issuer, "colporteur", "--secret-file", "-", given="s3cret\n")
        assert "s3cret" not in json.dumps(made) and identities.secret_of(IdentityProvider.objects.get()) == "s3cret"
        assert tell("identity", "test", "Saule")["token"] == f"{there.issuer}/token"
    assert "does not answer" in tell("identity", "test", "Saule", status=1)
    assert tell("identity", "set", "Saule", "--new-accounts", "--off")["new_accounts"] is True
    assert "already" in tell("identity", "add", "Saule", "https://login.example.org", "x", status=1)
    assert [one["enabled"] for one in tell("identity", "list")] == [False]
    assert tell("identity", "remove", "Saule") == {"removed": "Saule", "people": 0}
