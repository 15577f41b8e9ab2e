"""What would happen to a message, and why: the same code as judging, nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass

from colporteur.domain.moderation import Verdict, judge
from colporteur.flow.moderation.facts import gather, read
from colporteur.flow.moderation.sentences import sentence
from colporteur.store.lists import List
from colporteur.store.memberships import audience_count


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict about a message that was only asked about; ``audience``: how many would receive it now."""

    verdict: Verdict
    sender: str
    audience: int

    def as_json(self) -> dict[str, object]:
        """As the contract's ``post explain --json``; reasons in the active language."""
        findings = [{"rule": finding.rule, "reason": sentence(finding), "action": finding.action.value} for finding in self.verdict.findings]
        return {"verdict": self.verdict.action.value, "findings": findings, "sender": self.sender, "audience": self.audience}


def explain(list_: List, raw: bytes, mail_from: str | None) -> Explanation:
    """Judge ``raw`` as if it had just arrived for the list. ``mail_from``: "" the null sender, None unknown."""
    case = read(list_, raw, mail_from)
    (facts,) = gather([case])
    return Explanation(judge(facts), facts.sender, audience_count(list_))
