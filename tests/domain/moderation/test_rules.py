"""Every rule by a table: facts in, findings out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colporteur.domain import moderation
from colporteur.domain.moderation import RULES, Action, Facts, judge
from colporteur.domain.moderation.allowed import allowed
from colporteur.domain.moderation.ambiguous import ambiguous
from colporteur.domain.moderation.automatic import automatic
from colporteur.domain.moderation.blocked import blocked
from colporteur.domain.moderation.internal import internal
from colporteur.domain.moderation.loop import HOPS, loop
from colporteur.domain.moderation.posting import posting
from colporteur.domain.moderation.refused import refused
from colporteur.domain.moderation.size import size
from colporteur.domain.moderation.unreadable import unreadable
from colporteur.domain.policy import Policy, Posting, Senders, Stranger, Unproven

MARC = Facts(policy=Policy(), list_id="amapiens.paniersdusaule.example", size=2000, sender="marc@courriel.example", sender_name="Marc", authors=("marc@courriel.example",))


def actions(findings: tuple[moderation.Finding, ...]) -> list[str]:
    return [finding.action.value for finding in findings]


def test_every_file_is_a_rule_and_stands_in_the_order() -> None:
    files = {path.stem for path in Path(moderation.__file__).parent.glob("*.py")} - {"__init__", "facts"}
    assert [rule.__name__ for rule in RULES] == [rule.__module__.rpartition(".")[2] for rule in RULES]
    assert {rule.__name__ for rule in RULES} == files
    assert len(RULES) == len(files)


@pytest.mark.parametrize("rule", RULES)
def test_a_finding_names_its_rule_and_fills_its_sentence(rule: moderation.Rule) -> None:
    """Each rule is driven into every finding it has by facts that trip everything."""
    worst = replace(MARC, list_ids=(MARC.list_id,), automatic="report", size=10**9, ambiguous=("repeated-parameter",), policy=Policy(blocked="@courriel.example"))
    worst = replace(worst, refused_sender="marc@courriel.example", restricted=True)
    closed = replace(MARC, policy=Policy(senders=Senders.INTERNAL))
    inside = (replace(closed, internal=True), replace(closed, internal=True, proof="x"), replace(MARC, restricted=True, allowed_sender=True))
    for facts in (worst, closed, *inside, replace(worst, list_ids=(), hops=99, automatic="bulk", sender="", authors=()), MARC):
        for finding in rule(facts):
            assert finding.rule == rule.__name__
            assert "{" not in finding.reason.format_map(finding.values)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"list_ids": ("other.example",)}, []),
        ({"list_ids": ("other.example", MARC.list_id)}, ["discard"]),
        ({"returned": True}, ["discard"]),
        ({"hops": HOPS - 1}, []),
        ({"hops": HOPS}, ["hold"]),
    ],
)
def test_loop(change: dict[str, object], expected: list[str]) -> None:
    assert actions(loop(replace(MARC, **change))) == expected


@pytest.mark.parametrize(("kind", "expected"), [("", []), ("report", ["discard"]), ("auto_reply", ["discard"]), ("receipt", ["discard"]), ("generated", ["discard"]), ("anything new", ["discard"]), ("bulk", ["hold"]), ("list", ["hold"])])
def test_automatic(kind: str, expected: list[str]) -> None:
    found = automatic(replace(MARC, automatic=kind, automatic_evidence="Auto-Submitted: auto-replied"))
    assert actions(found) == expected
    assert all(finding.evidence == "Auto-Submitted: auto-replied" for finding in found)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ("marc@courriel.example", ["discard"]),
        (" Marc@Courriel.Example \nother@x.example", ["discard"]),
        ("@courriel.example", ["discard"]),
        ("courriel.example", []),
        ("@riel.example", []),
        ("@example", []),
        ("arc@courriel.example", []),
    ],
)
def test_blocked(entries: str, expected: list[str]) -> None:
    assert actions(blocked(replace(MARC, policy=Policy(blocked=entries)))) == expected


def test_a_blocked_author_does_not_hide_behind_a_second_one() -> None:
    facts = replace(MARC, sender="", authors=("anna@x.example", "marc@courriel.example"), policy=Policy(blocked="marc@courriel.example"))
    assert judge(facts).action is Action.DISCARD


@pytest.mark.parametrize(
    ("authors", "sender", "words"),
    [((), "", "clearly"), (("a@x.example", "b@x.example"), "", "several"), (("a@x.example",), "", "clearly"), (("a@x.example",), "a@x.example", "")],
)
def test_unreadable(authors: tuple[str, ...], sender: str, words: str) -> None:
    found = unreadable(replace(MARC, authors=authors, sender=sender))
    assert actions(found) == (["hold"] if words else [])
    assert all(words in finding.reason for finding in found)


@pytest.mark.parametrize(("bytes_", "expected"), [(4999, []), (5000, []), (5001, ["hold"])])
def test_size(bytes_: int, expected: list[str]) -> None:
    found = size(replace(MARC, size=bytes_, policy=Policy(max_size=5000)))
    assert actions(found) == expected
    assert all(finding.values == {"size": bytes_, "limit": 5000} for finding in found)


@pytest.mark.parametrize(
    ("senders", "who", "stranger", "unproven", "expected"),
    [
        ("all", {}, "reject", "hold", []),
        ("internal", {}, "reject", "hold", ["reject"]),
        ("internal", {}, "hold", "reject", ["hold"]),
        ("internal", {}, "discard", "hold", ["discard"]),
        ("internal", {"proof": "dkim=pass"}, "reject", "hold", ["reject"]),
        ("internal", {"internal": True}, "reject", "hold", ["hold"]),
        ("internal", {"internal": True}, "hold", "reject", ["reject"]),
        ("internal", {"internal": True, "proof": "dkim=pass"}, "reject", "reject", ["none"]),
        ("internal", {"allowed_sender": True, "restricted": True}, "reject", "hold", ["reject"]),
    ],
)
def test_internal(senders: str, who: dict[str, Any], stranger: str, unproven: str, expected: list[str]) -> None:
    rules = Policy(senders=Senders(senders), stranger=Stranger(stranger), unproven=Unproven(unproven))
    assert actions(internal(replace(MARC, policy=rules, **who))) == expected


def test_allowed_senders_shut_everybody_else_out_owners_too() -> None:
    assert allowed(MARC) == ()
    assert actions(allowed(replace(MARC, restricted=True, owner=True, moderator=True))) == ["reject"]
    assert actions(allowed(replace(MARC, restricted=True, allowed_sender=True))) == ["none"]
    assert judge(replace(MARC, restricted=True, allowed_sender=True)).action is Action.ACCEPT  # though no member
    assert judge(replace(MARC, restricted=True, allowed_sender=True, policy=Policy(posting=Posting.NOBODY))).action is Action.HOLD


def test_refused_is_stronger_than_allowed_and_a_second_author_hides_nobody() -> None:
    assert refused(MARC) == ()
    verdict = judge(replace(MARC, restricted=True, allowed_sender=True, free_sender=True, refused_sender=MARC.sender))
    assert verdict.action is Action.REJECT
    (finding,) = refused(replace(MARC, sender="", sender_name="", refused_sender="marc@courriel.example"))
    assert finding.reason.format_map(finding.values).startswith("marc@courriel.example is a refused sender")


def test_moderators_and_owners_wait_where_the_policy_says_so() -> None:
    rules = Policy(posting=Posting.NOBODY, moderate_all=True)
    assert judge(replace(MARC, policy=rules, moderator=True, known=True)).action is Action.HOLD
    assert judge(replace(MARC, policy=rules, owner=True, known=True)).action is Action.HOLD
    assert judge(replace(MARC, policy=rules, free_sender=True, known=True)).action is Action.ACCEPT


def test_a_proven_internal_sender_is_somebody_we_know() -> None:
    rules = Policy(posting=Posting.KNOWN, stranger=Stranger.REJECT)
    assert judge(replace(MARC, policy=rules, internal=True, proof="dkim=pass")).action is Action.ACCEPT
    assert judge(replace(MARC, policy=rules, internal=True)).action is Action.REJECT


ROLES: dict[str, dict[str, bool]] = {
    "stranger": {},
    "known": {"known": True},
    "member": {"known": True, "member": True},
    "free sender": {"known": True, "free_sender": True},
    "moderator": {"known": True, "moderator": True},
    "owner": {"known": True, "owner": True},
}
PASSES = {
    Posting.NOBODY: {"free sender", "moderator", "owner"},
    Posting.MEMBERS: {"free sender", "moderator", "owner", "member"},
    Posting.KNOWN: {"free sender", "moderator", "owner", "member", "known"},
    Posting.WORLD: set(ROLES),
}


@pytest.mark.parametrize("who", ROLES)
@pytest.mark.parametrize("mode", Posting)
@pytest.mark.parametrize("stranger", Stranger)
def test_who_may_post(mode: Posting, stranger: Stranger, who: str) -> None:
    facts = replace(MARC, policy=Policy(posting=mode, stranger=stranger), **ROLES[who])
    (finding,) = posting(facts)
    if who in PASSES[mode]:
        assert finding.action is Action.NONE
        assert judge(facts).action is Action.ACCEPT
    elif who == "stranger":
        assert finding.action.value == stranger.value
    else:
        assert finding.action is Action.HOLD


def test_somebody_refused_is_not_told_to_wait() -> None:
    (finding,) = posting(replace(MARC, policy=Policy(stranger=Stranger.REJECT)))
    assert "waiting" not in finding.reason


def test_a_sender_nobody_can_name_is_held_even_where_anybody_may_write() -> None:
    facts = replace(MARC, sender="", authors=(), policy=Policy(posting=Posting.WORLD, stranger=Stranger.DISCARD))
    assert judge(facts).action is Action.HOLD


def test_the_strongest_action_wins_and_every_finding_is_kept() -> None:
    verdict = judge(replace(MARC, size=10**8, policy=Policy(stranger=Stranger.REJECT)))
    assert verdict.action is Action.REJECT
    assert [finding.rule for finding in verdict.findings] == ["size", "posting"]


def test_what_passed_is_remarked() -> None:
    verdict = judge(replace(MARC, member=True))
    assert verdict.action is Action.ACCEPT
    assert [(finding.reason, finding.values) for finding in verdict.findings] == [("{name} is a member of the list", {"name": "Marc"})]


def test_an_author_without_a_name_is_called_by_the_address() -> None:
    (finding,) = posting(replace(MARC, sender_name=""))
    assert finding.reason.format_map(finding.values).startswith("marc@courriel.example is not a member")


def test_a_message_two_programs_read_differently_waits_whoever_wrote_it() -> None:
    assert ambiguous(MARC) == ()
    (finding,) = ambiguous(replace(MARC, ambiguous=("repeated-parameter",), moderator=True))
    assert (finding.action, finding.evidence) == (Action.HOLD, "repeated-parameter")
