"""``colporteur bounce``: addresses that messages do not reach, why, and what is done about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from colporteur.cli.output import BY, json_option, now, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.cli.reports import explain, print_unmatched
from colporteur.domain.addresses import normal
from colporteur.domain.standing import Standing
from colporteur.flow import lists, memberships, standing
from colporteur.store.lists import List, ListState
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding, DeliveryEvent, of_list

COLUMNS = ("address", "standing", "kind", "reason", "failures", "since", "next_probe")
_STATES = [one.word for one in Standing if one is not Standing.GOOD]


@click.group()
def bounce() -> None:
    """What comes back: addresses in trouble, and the way back."""


bounce.add_command(explain)


@bounce.command("list")
@click.argument("list_address", metavar="[LIST]", required=False)
@click.option("--standing", "state", type=click.Choice(_STATES), help="Only those.")
@click.option("--unmatched", is_flag=True, help="Instead: reports that name none of our copies, the newest first; they count for nothing. --after takes their number.")
@paged("address")
@plainly
def list_(list_address: str | None, state: str | None, unmatched: bool, limit: int | None, after: str | None, as_json: bool) -> None:
    """Addresses in trouble, of a list or of all, by address; or, with --unmatched, reports that name none of our copies."""
    if unmatched:
        print_unmatched(lists.find(list_address).pk if list_address else None, limit, after, as_json)
        return
    rows = of_list(lists.find(list_address).pk) if list_address else AddressStanding.objects.filter(state__gt=Standing.GOOD.value)
    if state:
        rows = rows.filter(state=Standing[state.upper()].value)
    if after:
        if not rows.filter(address__email=normal(after)).exists():
            raise ValueError(f"there is no address {after!r} in the list")
        rows = rows.filter(address__email__gt=normal(after))
    rows = rows.select_related("address").order_by("address__email")
    print_rows((_row(row) for row in (rows[:limit] if limit else rows.iterator(chunk_size=2000))), COLUMNS, as_json)


@bounce.command()
@click.argument("email")
@json_option
@plainly
def show(email: str, as_json: bool) -> None:
    """One address: its standing, why, and what came back."""
    address = Address.objects.filter(email=normal(email)).first()
    if address is None:
        raise ValueError(f"nobody here has the address {email}")
    row = AddressStanding.objects.filter(pk=address.pk).select_related("address").first() or AddressStanding(address=address, since=address.created)
    places = Membership.objects.filter(address=address, until__isnull=True).exclude(list__state=ListState.DELETED).order_by("list__address").values_list("list__address", flat=True)
    known = dict(List.objects.values_list("pk", "address").filter(pk__in=DeliveryEvent.objects.filter(address_id=address.pk).values("list_id")))
    events = [
        {"at": stamp(one.at), "kind": one.kind, "reason": one.reason, "list": known.get(one.list_id or 0, ""), "mailing": one.mailing_id, "code": one.code, "status": one.status, "text": one.text, "by": one.origin}
        for one in DeliveryEvent.objects.filter(address_id=address.pk).order_by("-at", "-id")[:50]
    ]
    print_one({**_row(row), "why": standing.in_words(row), "lists": list(places), "events": events}, as_json)


@bounce.command()
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@json_option
@plainly
def forgive(emails: Sequence[str], as_json: bool) -> None:
    """Let addresses receive again: what came back counts no more, memberships that ended by it begin again."""
    _tell(standing.forgive(_addresses(emails), now(), by=BY, also_complained=True), "forgiven", as_json)


@bounce.command()
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@json_option
@plainly
def probe(emails: Sequence[str], as_json: bool) -> None:
    """Send a letter now to paused or lost addresses, to see whether it arrives."""
    _tell(standing.probe(_addresses(emails), now(), by=BY), "probed", as_json)


@bounce.command()
@click.argument("list_address", metavar="LIST")
@click.argument("emails", nargs=-1, metavar="[EMAIL]...")
@click.option("--standing", "state", type=click.Choice(_STATES), help="All whose address stands so.")
@json_option
@plainly
def remove(list_address: str, emails: Sequence[str], state: str | None, as_json: bool) -> None:
    """Remove members whose address is in trouble from a list."""
    found = lists.find(list_address)
    if bool(emails) == bool(state):
        raise ValueError("name addresses, or a standing with --standing")
    rows = of_list(found.pk).filter(state=Standing[state.upper()].value) if state else of_list(found.pk).filter(address__email__in=[normal(email) for email in emails])
    chosen = list(rows.values_list("address__email", flat=True))
    if missing := {normal(email) for email in emails} - set(chosen):
        raise ValueError(f"not in trouble on {found.address}: {', '.join(sorted(missing))}")
    _tell(len(memberships.remove(found, chosen, now(), by=BY).removed), "removed", as_json)


def _addresses(emails: Sequence[str]) -> list[int]:
    wanted = {normal(email) for email in emails}
    found = dict(Address.objects.filter(email__in=wanted).values_list("email", "pk"))
    if missing := wanted - set(found):
        raise ValueError(f"nobody here has the address {', '.join(sorted(missing))}")
    return list(found.values())


def _tell(number: int, done: str, as_json: bool) -> None:
    if as_json:
        print_one({done: number}, True)
    else:
        tell(f"{number} {done}")


def _row(row: AddressStanding) -> dict[str, Any]:
    return {
        "address": row.address.email, "standing": row.standing.word, "kind": row.kind, "reason": row.reason, "failures": row.failures, "score": row.score, "since": stamp(row.since),
        "first": stamp(row.first_at), "last": stamp(row.last_at), "probes_failed": row.probes, "next_probe": stamp(row.next_probe),
    }  # fmt: skip
