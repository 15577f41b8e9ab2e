"""``colporteur role``."""

from __future__ import annotations

from colporteur.store.lists import List
from tests.cli.conftest import Run


def test_roles_are_given_shown_and_taken(run: Run, ask, amapiens: List) -> None:
    ask("role", "add", amapiens.address, "bob@saule.example", "eve@saule.example", "--kind", "allowed")
    ask("role", "add", amapiens.address, "@spam.example", "--kind", "refused")
    assert [(row["role"], row["address"]) for row in ask("role", "list", amapiens.address)] == [
        ("owner", "helene@saule.example"), ("allowed_sender", "bob@saule.example"), ("allowed_sender", "eve@saule.example"), ("refused_sender", "@spam.example"),
    ]  # fmt: skip
    assert len(ask("role", "remove", amapiens.address, "bob@saule.example", "--kind", "allowed")) == 3
    wrong = run("role", "remove", amapiens.address, "bob@saule.example", "--kind", "allowed")
    assert wrong.exit_code == 1 and "is no allowed" in wrong.stderr


def test_a_domain_owns_nothing_and_a_list_has_no_role_on_itself(run: Run, amapiens: List) -> None:
    for who, kind, says in [("@saule.example", "owner", "whole domain"), (amapiens.address, "moderator", "itself"), ("nobody", "free", "address")]:
        result = run("role", "add", amapiens.address, who, "--kind", kind)
        assert result.exit_code == 1 and says in result.stderr, (who, result.stderr)


def test_a_contradiction_is_said_at_once(run: Run, amapiens: List) -> None:
    run("list", "set", amapiens.address, "senders=internal")
    assert run("policy", "set", amapiens.organisation.name, "trusted-servers=mx.saule.example").exit_code == 0
    said = run("role", "add", amapiens.address, "guest@elsewhere.example", "--kind", "allowed").stderr
    assert "guest@elsewhere.example is an allowed sender, but writes from outside" in said


def test_a_list_is_handed_over_in_one_step(run: Run, ask, amapiens: List) -> None:
    assert [row["address"] for row in ask("role", "hand-over", amapiens.address, "helene@saule.example", "paul@saule.example")] == ["paul@saule.example"]
    wrong = run("role", "hand-over", amapiens.address, "helene@saule.example", "eve@saule.example")
    assert wrong.exit_code == 1 and "is no owner" in wrong.stderr


def test_settings_above_lists(run: Run, ask, amapiens: List) -> None:
    assert ask("policy", "set", "site", "trusted_servers=mx.saule.example") == [{"key": "trusted_servers", "value": "mx.saule.example"}]
    assert ask("policy", "set", "@saule.example", "expire_days=3") == ask("policy", "show", "@saule.example") == [{"key": "expire_days", "value": 3}]
    assert "site, organisation" in run("policy", "set", "@saule.example", "trusted_servers=mx.saule.example").stderr
    assert ask("policy", "set", "site", "--inherit", "trusted-servers") == []
