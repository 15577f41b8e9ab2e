"""Gathering what the rules need to know: bytes are read one message at a time, rows for a whole batch in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.authentication import Result, proof
from colporteur.domain.moderation import Facts
from colporteur.domain.moderation.automatic import PASSED_ON
from colporteur.domain.policy import Policy
from colporteur.flow.moderation.known import Known
from colporteur.mail import authentication, headers, reports
from colporteur.mail.defects import AMBIGUOUS
from colporteur.mail.parse import Skim, skim
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.policies import policy, site_policy
from colporteur.store.posts import Post

_MAILBOXES = ("imap", "pop3")


@dataclass(frozen=True, slots=True)
class Case:
    """One message to be judged, as its bytes tell. ``post`` is 0 for a message that is only asked about."""

    list_: List
    skim: Skim
    automatic: str
    evidence: str
    traces: tuple[int, ...]  # mailings of ours the message claims, with a signature that is right, to be a copy of
    size: int
    results: tuple[Result, ...] = ()  # what servers say about who sent it
    own: bool = False  # written on this site by somebody signed in
    post: int = 0

    @property
    def sender(self) -> str:
        """The one author, normal form; empty when there is none or it cannot be told who."""
        return self.skim.sender.email if self.skim.sender else ""

    @property
    def authors(self) -> tuple[str, ...]:
        """Every readable address in From, normal form."""
        return tuple(author.email for author in self.skim.authors if author.email)


def envelope_sender(skimmed: Skim, mail_from: str | None, door: str) -> str | None:
    """Envelope sender as far as the door could tell: None, not the null sender, where a mailbox does not write it down."""
    return None if mail_from == "" and door in _MAILBOXES and "return-path" not in skimmed.fields else mail_from


def read(list_: List, raw: bytes, mail_from: str | None, post: int = 0, door: str = "") -> Case:
    """What the bytes of one message say. ``mail_from``: envelope sender, "" the null sender, None unknown."""
    skimmed = skim(raw)
    kind, evidence = reports.automatic(skimmed, envelope_sender(skimmed, mail_from, door))
    claimed = (tokens.read(settings.TOKEN_KEY, tokens.Purpose.COPY, token) for token in headers.trace_tokens(raw)[:20])
    return Case(
        list_=list_,
        skim=skimmed,
        automatic="" if kind is reports.Automatic.NONE else kind.value,
        evidence=evidence,
        traces=tuple(found[0] for found in claimed if found),
        size=len(raw),
        results=authentication.results(raw),
        own=door == "web",
        post=post,
    )


def gather(cases: Sequence[Case]) -> list[Facts]:
    """Facts of each case, in order. A fixed number of queries: site policy, people (at most 7), traces (2)."""
    site = site_policy()
    known = Known({author for case in cases for author in case.authors}, {case.list_.organisation_id for case in cases}, {case.list_.pk for case in cases})
    passed = [case for case in cases if case.traces]
    sent_by = dict(Mailing.objects.filter(pk__in={id_ for case in passed for id_ in case.traces}).values_list("id", "list_id")) if passed else {}
    before = _posted_before(passed) if passed else {}
    return [_facts(case, known, sent_by, before, policy(case.list_, site)) for case in cases]


def _posted_before(cases: Sequence[Case]) -> dict[tuple[int, str], int]:
    """(list, Message-ID) -> the oldest post with it, for messages that went through a list of ours."""
    identifiers = {case.skim.message_id for case in cases} - {""}
    rows = Post.objects.filter(list__in={case.list_.pk for case in cases}, message_id__in=identifiers).order_by("-id").values_list("list_id", "message_id", "id")
    return {(list_, identifier): id_ for list_, identifier, id_ in rows}


def _facts(case: Case, known: Known, sent_by: Mapping[int, int | None], before: Mapping[tuple[int, str], int], rules: Policy) -> Facts:
    list_, sender = case.list_, case.sender
    through = {sent_by[id_] for id_ in case.traces if id_ in sent_by}
    first = before.get((list_.pk, case.skim.message_id), case.post) if through else case.post
    roles = known.roles(sender, list_)
    # A nested list's post says Precedence: list; it is a person's message that a list of ours passed on.
    passed_on = case.automatic in PASSED_ON and bool(through - {list_.pk})
    return Facts(
        policy=rules,
        list_id=list_.list_id.lower(),
        size=case.size,
        sender=sender,
        sender_name=" ".join(case.skim.sender.name.split()) if case.skim.sender else "",
        authors=case.authors,
        automatic="" if passed_on else case.automatic,
        automatic_evidence="" if passed_on else case.evidence,
        list_ids=tuple(value.rpartition("<")[2].partition(">")[0].strip().lower() for value in case.skim.fields.get("list-id", ())),
        returned=list_.pk in through or first != case.post,
        ambiguous=tuple(code for code in case.skim.defects if code in AMBIGUOUS),
        hops=len(case.skim.fields.get("received", ())),
        member=known.member(sender, list_),
        member_posting=known.posting(sender, list_),
        known=known.known(sender, list_.organisation_id),
        free_sender=RoleKind.FREE_SENDER in roles,
        moderator=RoleKind.MODERATOR in roles,
        owner=RoleKind.OWNER in roles,
        internal=known.internal(sender, list_.organisation_id),
        proof=proof(case.results, rules.trusted_servers.splitlines(), sender) or ("door=web" if case.own else ""),
        restricted=known.restricted(list_),
        allowed_sender=RoleKind.ALLOWED_SENDER in roles,
        refused_sender=next((author for author in case.authors if RoleKind.REFUSED_SENDER in known.roles(author, list_)), ""),
    )
