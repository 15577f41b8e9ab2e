"""Gathering what the rules need to know: bytes are read one message at a time, rows for a whole batch in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from colporteur.domain import tokens
from colporteur.domain.moderation import Facts
from colporteur.domain.moderation.automatic import PASSED_ON
from colporteur.domain.policy import Policy
from colporteur.mail import headers, reports
from colporteur.mail.defects import AMBIGUOUS
from colporteur.mail.parse import Skim, skim
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
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
    post: int = 0

    @property
    def sender(self) -> str:
        """The one author, normal form; empty when there is none or it cannot be told who."""
        return self.skim.sender.email if self.skim.sender else ""


class Known:
    """Who the senders of a batch are: their addresses, memberships and roles. Three queries, whatever the batch."""

    def __init__(self, senders: Collection[str], organisations: Collection[int]) -> None:
        self.address: dict[str, int] = {}
        self._same: dict[int, set[int]] = {}  # address -> every address of the same person
        person: dict[int, set[int]] = defaultdict(set)
        rows = list(Address.objects.filter(Q(email__in=senders) | Q(person__addresses__email__in=senders)).distinct().values_list("id", "email", "person_id"))
        for id_, _email, owner in rows:
            if owner:
                person[owner].add(id_)
        for id_, email, owner in rows:
            self.address[email] = id_
            self._same[id_] = person[owner] if owner else {id_}
        ids = [row[0] for row in rows]
        held = Role.objects.filter(Q(address__in=ids) | Q(person__in=list(person)), list__organisation__in=organisations)
        self._roles: dict[int, set[tuple[int, int, str]]] = defaultdict(set)  # address -> (list, organisation, kind)
        for list_, organisation, kind, address, owner in held.values_list("list_id", "list__organisation_id", "kind", "address_id", "person_id"):
            for id_ in person[owner] if owner else {address}:
                self._roles[id_].add((list_, organisation, kind))
        self._member: dict[int, set[tuple[int, int]]] = defaultdict(set)  # address -> (list, organisation)
        current = Membership.objects.filter(address__in=ids, until__isnull=True, list__organisation__in=organisations)
        for address, list_, organisation in current.values_list("address_id", "list_id", "list__organisation_id"):
            self._member[address].add((list_, organisation))

    def member(self, email: str, list_: List) -> bool:
        """Whether one of the sender's addresses is on the list."""
        return any((list_.pk, list_.organisation_id) in self._member[id_] for id_ in self._addresses(email))

    def roles(self, email: str, list_: List) -> set[str]:
        """Roles of the sender on the list, by any of their addresses."""
        return {kind for id_ in self._addresses(email) for held, _organisation, kind in self._roles[id_] if held == list_.pk}

    def known(self, email: str, organisation: int) -> bool:
        """Whether the sender is a member or holds a role anywhere in the organisation."""
        ids = self._addresses(email)
        return any(place == organisation for id_ in ids for _list, place in self._member[id_]) or any(row[1] == organisation for id_ in ids for row in self._roles[id_])

    def _addresses(self, email: str) -> set[int]:
        return self._same.get(self.address.get(email, 0), set())


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
        post=post,
    )


def gather(cases: Sequence[Case]) -> list[Facts]:
    """Facts of each case, in order. A fixed number of queries: site policy, people (3), traces (2)."""
    site = site_policy()
    known = Known({case.sender for case in cases} - {""}, {case.list_.organisation_id for case in cases})
    sent_by = dict(Mailing.objects.filter(pk__in={id_ for case in cases for id_ in case.traces}).values_list("id", "list_id"))
    before = _posted_before([case for case in cases if case.traces])
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
        authors=tuple(author.email for author in case.skim.authors if author.email),
        automatic="" if passed_on else case.automatic,
        automatic_evidence="" if passed_on else case.evidence,
        list_ids=tuple(value.rpartition("<")[2].partition(">")[0].strip().lower() for value in case.skim.fields.get("list-id", ())),
        returned=list_.pk in through or first != case.post,
        ambiguous=tuple(code for code in case.skim.defects if code in AMBIGUOUS),
        hops=len(case.skim.fields.get("received", ())),
        member=known.member(sender, list_),
        known=known.known(sender, list_.organisation_id),
        free_sender=RoleKind.FREE_SENDER in roles,
        moderator=RoleKind.MODERATOR in roles,
        owner=RoleKind.OWNER in roles,
    )
