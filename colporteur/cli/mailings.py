"""``colporteur mailing``: what goes out, how far it is, and its brakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import click

from colporteur.cli.again import again, to_whom
from colporteur.cli.output import BY, json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.domain.addresses import normal
from colporteur.domain.mailings import CopyState, Pace
from colporteur.flow import backup, lists, mailings, routes
from colporteur.store.mailings import Copy, Mailing, Refusal

COLUMNS = ("id", "subject", "list", "kind", "state", "total", "counts", "created")
COPY_COLUMNS = ("address", "state", "attempts", "code", "text")


@click.group()
def mailing() -> None:
    """What goes out: progress, pause, resume, cancel."""


@mailing.command("list")
@click.option("--list", "address", metavar="ADDRESS", help="Mailings of this list only.")
@click.option("--letters", is_flag=True, help="Letters (notices, sign-in links) too.")
@click.option("--held-back", is_flag=True, help="Only what a restore holds back.")
@paged("id")
@plainly
def list_(address: str | None, letters: bool, held_back: bool, limit: int | None, after: str | None, as_json: bool) -> None:
    """Mailings, the newest first."""
    rows = Mailing.objects.select_related("list", "transport")
    if address:
        rows = rows.filter(list=lists.find(address))
    if not letters:
        rows = rows.exclude(kind="letter")
    if held_back:
        rows = rows.filter(restored_from__isnull=False)
    print_rows(_rows(page(rows, limit, _find(after) if after else None)), COLUMNS, as_json)


@mailing.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def show(number: str, as_json: bool) -> None:
    """One mailing: its copies by state, how fast they leave and when it will be done."""
    found = _find(number)
    totals = mailings.totals(found.pk, now())
    print_one(
        {
            **next(_rows([found])),
            "rate_per_s": round(totals.rate_per_s, 3),
            "eta": stamp(totals.eta),
            "transport": found.transport.name if found.transport else None,
            "transports": [{"name": name, "total": totals.total, "counts": totals.counts} for name, totals in mailings.by_transport(found.pk)],
            "pace": found.pace,
            "waits_for": [one.name for one in routes.waits_for(found)],
            "pause_reason": found.pause_reason,
            "restored_from": stamp(found.restored_from),
            "post": found.post_id,
            "error": found.error,
        },
        as_json,
    )


@mailing.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def pause(number: str, as_json: bool) -> None:
    """Stop sending; what has left has left."""
    _move(number, mailings.pause, "paused", as_json)


@mailing.command()
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@json_option
@plainly
def resume(numbers: tuple[str, ...], as_json: bool) -> None:
    """Go on sending."""
    for number in numbers:
        _move(number, mailings.resume, "running", as_json)


@mailing.command()
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@json_option
@plainly
def cancel(numbers: tuple[str, ...], as_json: bool) -> None:
    """Abandon what has not left."""
    for number in numbers:
        _move(number, mailings.cancel, "cancelled", as_json)


@mailing.command()
@click.argument("number", metavar="ID")
@click.argument("pace", type=click.Choice([one.value for one in Pace]))
@json_option
@plainly
def pace(number: str, pace: str, as_json: bool) -> None:
    """How fast what has not left leaves: fast (by every transport of the route at once), even (spread over the time the
    limits give), or usual."""
    _move(number, lambda id_, at, by: mailings.set_pace(id_, Pace(pace), at, by), f"{pace}", as_json)


@mailing.command()
@click.argument("number", metavar="ID")
@to_whom
@json_option
@plainly
def resend(number: str, failed: bool, unknown: bool, new: bool, dry_run: bool, as_json: bool) -> None:
    """Send a message again, never to anybody who has it already."""
    found = _find(number)
    whom, preview, resent = again(found, failed=failed, unknown=unknown, new=new, dry_run=dry_run)
    if resent is None:
        print_one({"mailing": found.pk, "whom": whom.value, "count": preview.number, "unknown": preview.unknown, "first": preview.first}, as_json)
    elif as_json:
        print_one({**next(_rows([_find(str(resent.mailing.pk))])), "whom": resent.mailing.chosen, "made": resent.made}, True)
    else:
        tell(f"mailing {resent.mailing.pk} goes to {preview.number}" if resent.made else f"mailing {resent.mailing.pk} does it already")


@mailing.command()
@click.argument("number", metavar="ID")
@click.option("--state", type=click.Choice([state.name.lower() for state in CopyState]), help="Only copies that stand so.")
@paged("address")
@plainly
def copies(number: str, state: str | None, limit: int | None, after: str | None, as_json: bool) -> None:
    """The copies of a mailing, one a recipient, with the last reply."""
    found = _find(number)
    rows = Copy.objects.filter(mailing=found)
    if state:
        rows = rows.filter(state=CopyState[state.upper()].value)
    if after:
        last = Copy.objects.filter(mailing=found, address__email=normal(after)).values_list("address_id", flat=True).first()
        if last is None:
            raise ValueError(f"the mailing has no copy for {after}")
        rows = rows.filter(address__lt=last)
    values = rows.order_by("-address_id").values_list("address_id", "address__email", "state", "attempts", "code")
    print_rows(_copies(found, values[:limit].iterator(chunk_size=2000)), COPY_COLUMNS, as_json)


def _find(number: str) -> Mailing:
    if number.isascii() and number.isdigit() and len(number) < 19 and (found := Mailing.objects.select_related("list", "transport").filter(pk=int(number)).first()):
        return found
    raise ValueError(f"there is no mailing {number}")


def _move(number: str, change: Callable[[int, datetime, str], bool], state: str, as_json: bool) -> None:
    found = _find(number)
    if not change(found.pk, now(), BY):
        raise ValueError(f"mailing {found.pk} is {_find(number).state}: nothing was changed")
    if as_json:
        print_one(next(_rows([_find(number)])), True)
        return
    tell(f"mailing {found.pk} is {state}")
    if found.restored_from and state == "running":
        left = mailings.totals(found.pk)
        copies = f"{left.queued + left.deferred} copies that were" if found.planned else "the copies that would have been"
        tell(f"{copies} open in the backup of {backup.moment(found.restored_from)} leave now, also those that left since")


def _rows(found: Iterable[Mailing]) -> Iterator[dict[str, Any]]:
    """The contract's fields; totals are asked for 500 mailings at a time."""
    rest = iter(found)
    while chunk := list(islice(rest, 500)):
        totals = mailings.totals_of([row.pk for row in chunk])
        for row in chunk:
            yield {
                "id": row.pk,
                "subject": row.subject,
                "list": row.list.address if row.list else None,
                "kind": row.letter or row.kind,
                "state": row.state,
                "total": totals[row.pk].total,
                "spared": row.spared,
                "counts": totals[row.pk].counts,
                "created": stamp(row.created),
                "started": stamp(row.started),
                "finished": stamp(row.finished),
            }


def _copies(found: Mailing, rows: Iterator[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    while chunk := list(islice(rows, 2000)):
        refusals = Refusal.objects.filter(mailing_id=found.pk, address_id__in=[row[0] for row in chunk]).order_by("at", "id")
        texts = dict(refusals.values_list("address_id", "text"))  # the last one stays
        for address, email, state, attempts, code in chunk:
            yield {"address": email, "state": CopyState(state).name.lower(), "attempts": attempts, "code": code, "text": texts.get(address, "")}
