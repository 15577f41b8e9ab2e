"""Events are written down, each once, and the addresses they concern are judged. A thousand at a time is a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from colporteur.domain.bounces import Event, Kind
from colporteur.domain.policy import Layer, policy_of
from colporteur.domain.standing import SILENCE, WINDOW, Judged, Message, Rules, Standing, Took, judge, took_of
from colporteur.flow import streams
from colporteur.flow.standing import moving, probing, telling
from colporteur.flow.standing.moving import Move
from colporteur.store import bounces, standing
from colporteur.store.policies import site_policy
from colporteur.store.standing import COUNTING, FAILING, AddressStanding, DeliveryEvent, Trace

MOST = 20
"""Events kept about one copy: whoever has a copy could send any number of reports."""
MESSAGES = 60
"""Messages of each list an address is judged by."""
REVIEW, LATER = timedelta(hours=1), timedelta(days=7)
"""When an address is judged again: while a message is still leaving, and while it is shaky."""
AT_ONCE = 1000
KEPT = WINDOW + timedelta(days=100)
"""What came back is kept so long: longer than anything is judged by it."""


@dataclass
class Recorded:
    """``new``: events not told before. ``moved``: addresses by their new standing."""

    new: int = 0
    moved: dict[Standing, int] = field(default_factory=dict)


def rules() -> Rules:
    """The rule that judges, as the site's settings say."""
    values = policy_of({Layer.SITE: site_policy()})
    return Rules(values.bounce_rule, values.bounce_messages, values.bounce_days, values.bounce_campaigns)


@transaction.atomic
def record(events: Sequence[Event], now: datetime) -> Recorded:
    """Write down what was learnt and let it have its effect. The same event told twice counts once."""
    fresh = _new(events)
    if not fresh:
        return Recorded()
    failing = {event.mailing_id for event in fresh if event.mailing_id and event.verdict.kind.value in FAILING}
    empty = standing.nobody_reached(failing)
    wronged = _blamed_for(empty)  # a message that turns out to have reached nobody: whoever it was counted against is judged again
    concerned = {event.address_id for event in fresh}
    standing.lock(concerned | wronged)
    probed = probing.answered(fresh, now)
    moves = probed + telling.complaints([event for event in fresh if event.verdict.kind is Kind.COMPLAINT], now)
    counted = {event.address_id for event in fresh if event.verdict.kind.counts and event.mailing_id}
    moves += _judged((counted | wronged) - {move.row.pk for move in moves}, now, review=REVIEW, wronged=wronged)
    streams.reported(fresh, now)
    answer = Recorded(len(fresh))
    for move in moves:
        if move.new != move.old:
            answer.moved[move.new] = answer.moved.get(move.new, 0) + 1
    return answer


def look_due(now: datetime) -> int:
    """What time has made due: addresses to judge again, probes to send or to settle, news to tell; how much was done."""
    return review_due(now) + probing.probes_due(now) + telling.tell_due(now) + standing.forget(now - KEPT) + bounces.forget_unmatched(now - timedelta(days=settings.KEEP_UNMATCHED))


def review_due(now: datetime) -> int:
    """Judge addresses again whose time has come; how many."""
    with transaction.atomic():
        due = list(AddressStanding.objects.select_for_update(skip_locked=True).filter(review_at__lte=now).order_by("review_at").values_list("pk", flat=True)[:AT_ONCE])
        if due:
            standing.lock(due)
            AddressStanding.objects.filter(pk__in=due).update(review_at=None)
            _judged(due, now, review=LATER)
    return len(due)


def _new(events: Iterable[Event]) -> list[Event]:
    once: dict[str, Event] = {}
    for event in events:
        once.setdefault(event.key, event)
    new = standing.keep(list(once.values()), MOST) if once else set()
    return [event for key, event in once.items() if key in new]


def _blamed_for(mailings: Collection[int]) -> set[int]:
    """Addresses in trouble that one of these mailings was counted against."""
    found = DeliveryEvent.objects.filter(mailing_id__in=mailings, kind__in=COUNTING).values("address_id")
    in_trouble = (Standing.SHAKY, Standing.PAUSED)
    return set(AddressStanding.objects.filter(pk__in=found, state__in=in_trouble).exclude(kind=Kind.COMPLAINT).values_list("pk", flat=True)) if mailings else set()


def _judged(addresses: Collection[int], now: datetime, *, review: timedelta, wronged: Collection[int] = ()) -> list[Move]:
    """Judge addresses and write what follows. A pause ends here only where it was ``wronged``."""
    if not addresses:
        return []
    found, rule = moving.rows_of(addresses, now), rules()
    failed = standing.failed(addresses, now - WINDOW)
    empty = standing.nobody_reached({trace.mailing for trace in failed if trace.kind in COUNTING})
    by_address: defaultdict[int, list[Trace]] = defaultdict(list)
    for trace in failed:
        by_address[trace.address].append(trace)
    firsts = {address: min(trace.at for trace in traces) for address, traces in by_address.items()}
    sent: defaultdict[int, list[Trace]] = defaultdict(list)
    for trace in standing.sent(firsts, MESSAGES):
        sent[trace.address].append(trace)
    moves = []
    for address, row in found.items():
        if row.standing is Standing.GONE or (row.standing is Standing.PAUSED and address not in wronged):
            continue
        old, traces = row.standing, by_address[address]
        counted = [trace for trace in traces if trace.kind in COUNTING and trace.mailing not in empty]
        _write(row, judge(_messages(counted, traces, sent[address], now), rule, now), counted, now)
        waits = any(trace.mailing in empty and trace.at > now - timedelta(days=1) for trace in traces)
        row.review_at = now + REVIEW if waits and review == REVIEW else now + LATER if row.standing is Standing.SHAKY or waits else None
        moves.append(Move(row, old))
    moving.make(moves, now, by="bounces")
    return moves


def _messages(counted: Iterable[Trace], traces: Iterable[Trace], sent: Iterable[Trace], now: datetime) -> list[Message]:
    """Messages with a known fate, the oldest first: what came back and counts, and what is silent for long."""
    spoken_of = {trace.mailing for trace in traces}
    known = [Message(trace.at, took, trace.campaign) for trace in counted if (took := took_of(Kind(trace.kind)))]
    known += [Message(trace.at, Took.THROUGH) for trace in sent if trace.mailing not in spoken_of and trace.at <= now - SILENCE]
    return sorted(known)


def _write(row: AddressStanding, judged: Judged, counted: Sequence[Trace], now: datetime) -> None:
    old, row.state = row.standing, judged.standing.value
    row.failures, row.first_at, row.last_at, row.score = judged.failures, judged.first, judged.last, judged.score
    if counted:
        last = max(counted, key=lambda trace: trace.at)
        row.kind, row.reason, row.list_id = last.kind, last.reason, last.list
    if judged.standing is Standing.GOOD:
        row.kind = row.reason = ""
    if judged.standing is Standing.PAUSED and old is not Standing.PAUSED:
        probing.begin(row, now)
    elif judged.standing is not Standing.PAUSED:
        probing.stop(row)
