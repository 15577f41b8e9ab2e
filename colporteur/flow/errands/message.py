"""One errand with what its message says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from colporteur.domain import authentication, tokens
from colporteur.domain.tokens import Purpose
from colporteur.flow.moderation.facts import envelope_sender
from colporteur.mail import reports
from colporteur.mail.authentication import results
from colporteur.mail.parse import Skim, skim
from colporteur.store.arrivals import Errand
from colporteur.store.lists import List
from colporteur.store.people import Address
from colporteur.store.policies import policy

_TAG = re.compile(r"\[#([a-z2-7]{24})\]", re.IGNORECASE)


def tag(subject: str) -> str:
    """The token in a subject, "" when there is none."""
    found = _TAG.search(subject)
    return found[1].lower() if found else ""


@dataclass(frozen=True, slots=True)
class Message:
    """An errand, its bytes, and what they say. ``list`` is None for addresses of a whole domain."""

    errand: Errand
    list: List | None
    raw: bytes
    skim: Skim
    automatic: reports.Automatic
    evidence: str
    now: datetime
    said: str = ""  # the token of a "confirm TOKEN" in the text

    @property
    def token(self) -> str:
        """The token of the recipient, else of the subject, where an address was too long for it."""
        return self.errand.token or self.said or tag(self.skim.subject)

    @property
    def by_a_person(self) -> bool:
        """Whether it may be answered and acted on (RFC 3834 section 2): written by somebody, and we know by whom."""
        return self.automatic is reports.Automatic.NONE and self.skim.sender is not None

    def numbers(self, purpose: Purpose) -> tuple[int, int] | None:
        """What the token names, when it was made by us for this purpose."""
        return tokens.read(settings.TOKEN_KEY, purpose, self.token)

    def proof(self, list_: List | None) -> str:
        """What a server the list's administrators named says for the author; "" when nothing shows who wrote. Only where ``by_a_person``."""
        assert self.skim.sender is not None
        return authentication.proof(results(self.raw), policy(list_).trusted_servers.splitlines(), self.skim.sender.email) if list_ else ""

    def author(self) -> Address:
        """The address of the one author; only where ``by_a_person``."""
        assert self.skim.sender is not None
        made, _new = Address.objects.select_related("person").get_or_create(email=self.skim.sender.email, defaults={"name": " ".join(self.skim.sender.name.split())[:200]})
        return made


def message_of(errand: Errand, now: datetime) -> Message:
    """Read the errand's message."""
    raw = bytes(errand.arrival.blob.raw)
    skimmed = skim(raw)
    kind, evidence = reports.automatic(skimmed, envelope_sender(skimmed, errand.arrival.mail_from, errand.arrival.door))
    return Message(errand, errand.list, raw, skimmed, kind, evidence, now)
