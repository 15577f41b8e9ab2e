"""Routes: by which transports mail leaves, in which order, and how it is shared out among them.

A route is steps in ranks. The transports of the first rank that has a usable one share the mail by weight; those of later
ranks stand in. Sharing is by turns, one slice of copies a turn, so that it needs no counting and no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import gcd
from typing import Any, NamedTuple

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

MOST_WEIGHT = 100
MOST_STEPS = 20
TRAITS = ("envelope_sender", "from_address")
"""What decides how a message is prepared (``flow.rewriting``); absent means yes."""
NOWHERE = ("folder",)
"""Kinds of transports whose mail reaches nobody: they cannot stand in for one that delivers."""


class Step(NamedTuple):
    """One transport of a route, by id or by name. ``rank``: 0 is used first. ``weight``: its part among those of its rank."""

    transport: Any
    weight: int = 1
    rank: int = 0


class Means(NamedTuple):
    """What two transports are compared by: name, kind and traits."""

    name: str
    kind: str
    traits: Mapping[str, Any]


def read(words: Sequence[str]) -> tuple[Step, ...]:
    """Steps by name from words: ``NAME`` or ``NAME:WEIGHT``, a ``/`` between the ranks.

    Raises ``Invalid`` with a sentence that says what to write.
    """
    steps: list[Step] = []
    rank, empty = 0, True
    for word in words:
        if word.strip() == "/":
            if empty:
                raise Invalid(_("write a transport before each /: MAIN:3 SECOND / RESERVE"))
            rank, empty = rank + 1, True
            continue
        name, _colon, weight = word.rpartition(":") if ":" in word else (word, "", "1")
        steps.append(Step(name.strip(), _weight(weight), rank))
        empty = False
    if words and empty:
        raise Invalid(_("write a transport after each /: MAIN:3 SECOND / RESERVE"))
    return checked(steps)


def _weight(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= len(text) < 5 and 1 <= int(text) <= MOST_WEIGHT:
        return int(text)
    raise Invalid(_("a weight is a whole number from 1 to %(most)s, not %(text)r"), most=MOST_WEIGHT, text=text[:20])


def checked(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps in order, ranks numbered from 0 without gaps. Raises ``Invalid`` on one named twice, too many, a wrong weight."""
    given = sorted(steps, key=lambda step: step.rank)
    if len(given) > MOST_STEPS:
        raise Invalid(_("a route has at most %(most)s transports"), most=MOST_STEPS)
    names = [step.transport for step in given]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Invalid(_("%(name)s stands twice in the route"), name=twice[0])
    for step in given:
        _weight(str(step.weight))
    ranks = {rank: number for number, rank in enumerate(sorted({step.rank for step in given}))}
    return tuple(step._replace(rank=ranks[step.rank]) for step in given)


def text_of(steps: Sequence[Step]) -> str:
    """The route as ``read`` takes it: ``main:3 second / reserve``."""
    ranks: dict[int, list[str]] = {}
    for step in steps:
        ranks.setdefault(step.rank, []).append(f"{step.transport}:{step.weight}" if step.weight != 1 else str(step.transport))
    return " / ".join(" ".join(ranks[rank]) for rank in sorted(ranks))


def carries(one: Means, prepared_for: Means) -> bool:
    """Whether ``one`` can take a message that was prepared for the other."""
    if (one.kind in NOWHERE) != (prepared_for.kind in NOWHERE):
        return False
    return all(one.traits.get(trait, True) or not prepared_for.traits.get(trait, True) for trait in TRAITS)


def compatible(means: Sequence[Means]) -> None:
    """Refuse transports that cannot stand in for one another. Raises ``Invalid`` naming the two and why."""
    for other in means[1:]:
        first = means[0]
        if (first.kind in NOWHERE) != (other.kind in NOWHERE):
            raise Invalid(_("%(one)s and %(other)s cannot stand in for one another: one of them only writes files that reach nobody"), one=first.name, other=other.name)
        for trait in TRAITS:
            if bool(first.traits.get(trait, True)) != bool(other.traits.get(trait, True)):
                raise Invalid(_WHY[trait], one=first.name, other=other.name)


_WHY = {
    "envelope_sender": _("%(one)s and %(other)s cannot stand in for one another: only one of them takes an envelope sender of each copy's own, and a message is prepared for one way"),
    "from_address": _("%(one)s and %(other)s cannot stand in for one another: only one of them takes other people's addresses in From, and a message is prepared for one way"),
}


def sharing(steps: Iterable[Step], usable: Callable[[Any], bool], *, every_rank: bool = False) -> list[tuple[Any, int]]:
    """(transport, weight) of those that share the mail now: the first rank with a usable one, or all of them.

    Empty: none is usable.
    """
    ranks: dict[int, list[tuple[Any, int]]] = {}
    for step in steps:
        if usable(step.transport):
            ranks.setdefault(0 if every_rank else step.rank, []).append((step.transport, step.weight))
    return ranks[min(ranks)] if ranks else []


def turns(shares: Sequence[tuple[Any, int]]) -> tuple[Any, ...]:
    """Whose turn it is, one round long: each transport as often as its weight says, spread evenly (smooth weighted round
    robin), the heaviest first."""
    if not shares:
        return ()
    divisor = gcd(*(weight for _transport, weight in shares))
    weights = [weight // divisor for _transport, weight in shares]
    total, credit, order = sum(weights), [0] * len(weights), []
    for _turn in range(total):
        credit = [have + weight for have, weight in zip(credit, weights, strict=True)]
        best = max(range(len(credit)), key=credit.__getitem__)
        credit[best] -= total
        order.append(shares[best][0])
    return tuple(order)
