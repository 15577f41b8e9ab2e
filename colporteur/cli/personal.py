"""``colporteur member show | change | invite | asking | admit | refuse | consents``: what is decided for single members, and how people come to lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Any

import click
from django.utils.timezone import make_aware

from colporteur.cli.output import BY, complain, json_option, now, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.domain.addresses import normal
from colporteur.domain.digests import DeliveryMode
from colporteur.flow import joining, leaving, lists, personal
from colporteur.store.consents import ledger, told
from colporteur.store.joining import OPEN, JoinRequest, JoinState
from colporteur.store.leaving import waiting
from colporteur.store.lists import List
from colporteur.store.memberships import Membership, Posting

_OWN = {"list": None, "yes": True, "no": False}
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("address")
@click.argument("email")
@json_option
@plainly
def show(address: str, email: str, as_json: bool) -> None:
    """What is decided for one member: delivery, pause, messages, own copy, hidden, note."""
    print_one(row_of(_member(address, email)), as_json)


@click.command()
@click.argument("address")
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option("--delivery", type=click.Choice([mode.value for mode in DeliveryMode]), help="How they receive.")
@click.option("--pause-from", type=_DAY, metavar="YYYY-MM-DD", help="First day of a pause.")
@click.option("--pause-until", type=_DAY, metavar="YYYY-MM-DD", help="Day on which they receive again.")
@click.option("--no-pause", is_flag=True, help="End the pause, and one to come.")
@click.option("--posting", type=click.Choice(["list", "free", "moderated", "never"]), help="What becomes of their messages; `list`: as the list says.")
@click.option("--own-copy", type=click.Choice(list(_OWN)), help="Whether they receive what they write; `list`: as the list says.")
@click.option("--hidden/--shown", default=None, help="Whether other members see them.")
@click.option("--note", metavar="TEXT", help="Note for those who look after the list; empty takes it away.")
@json_option
@plainly
def change(address: str, emails: tuple[str, ...], as_json: bool, no_pause: bool, **wanted: Any) -> None:
    """Decide for members of a list; what is not named stays."""
    if no_pause and (wanted["pause_from"] or wanted["pause_until"]):
        raise ValueError("--no-pause goes without days")
    values = _values(wanted) | ({"pause_from": None, "pause_until": None} if no_pause else {})
    if not values:
        raise ValueError("say what to change")
    rows = [_member(address, email) for email in dict.fromkeys(emails)]
    changed = {row.email: personal.choose(row, replace(personal.choices_of(row), **values), now(), by=BY) for row in rows}
    if as_json:
        print_one({"changed": changed}, True)
    else:
        tell(f"{sum(map(bool, changed.values()))} of {len(changed)} changed")


@click.command()
@click.argument("address")
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@json_option
@plainly
def invite(address: str, emails: tuple[str, ...], as_json: bool) -> None:
    """Invite addresses: who says yes to the letter is a member. One letter a day at most."""
    list_ = lists.find(address)
    outcomes = {email: joining.invite(list_, email, now(), by=BY).value for email in dict.fromkeys(normal(email) for email in emails)}
    print_rows(({"address": email, "outcome": outcome} for email, outcome in outcomes.items()), ("address", "outcome"), as_json)


@click.command()
@click.argument("address")
@paged("id")
@plainly
def asking(address: str, limit: int | None, after: str | None, as_json: bool) -> None:
    """Who asks to leave (their ids begin with `leave-`), then who asks to join or is invited, and waits for an answer; the newest first."""
    number = (after or "").removeprefix("leave-")
    if after and not number.isdigit():
        raise ValueError("--after takes the id of a row")
    list_ = lists.find(address)
    print_rows(islice(chain(_leaving(list_, after), _joining(list_, after)), limit), ("id", "address", "name", "state", "by", "asked"), as_json)


def _leaving(list_: List, after: str | None) -> Iterator[dict[str, Any]]:
    if after and after.isdigit():
        return
    rows = waiting(list_).filter(**({"pk__lt": int(after.removeprefix("leave-"))} if after else {})).order_by("-id")
    for row in rows.iterator(chunk_size=2000):
        yield {"id": f"leave-{row.pk}", "address": row.address.email, "name": row.address.name, "state": "leaves", "by": row.door, "asked": stamp(row.asked_at), "confirmed": stamp(row.confirmed_at), "words": ""}


def _joining(list_: List, after: str | None) -> Iterator[dict[str, Any]]:
    rows = JoinRequest.objects.filter(list=list_, state__in=OPEN, **({"pk__lt": int(after)} if after and after.isdigit() else {})).select_related("address").order_by("-id")
    for row in rows.iterator(chunk_size=2000):
        yield {"id": row.pk, "address": row.address.email, "name": row.name, "state": row.state, "by": row.door, "asked": stamp(row.asked_at), "confirmed": stamp(row.confirmed_at), "words": row.words}


@click.command()
@click.argument("address")
@click.argument("email")
@json_option
@plainly
def admit(address: str, email: str, as_json: bool) -> None:
    """Admit somebody who asks to join, or let somebody go who asks to leave, and waits for an owner."""
    _decide(address, email, True, "", as_json)


@click.command()
@click.argument("address")
@click.argument("email")
@click.option("--reason", default="", help="Words to who asked.")
@json_option
@plainly
def refuse(address: str, email: str, reason: str, as_json: bool) -> None:
    """Refuse somebody who asks to join or to leave; he or she is told."""
    _decide(address, email, False, reason, as_json)


def _decide(address: str, email: str, accept: bool, reason: str, as_json: bool) -> None:
    list_ = lists.find(address)
    if part := waiting(list_).filter(address__email=normal(email)).first():
        outcome = leaving.decide(part.pk, accept, now(), by=BY, reason=reason).value
    elif row := JoinRequest.objects.filter(list=list_, address__email=normal(email), state=JoinState.WAITING).first():
        outcome = joining.decide(row.pk, accept, now(), by=BY, reason=reason).value
    else:
        raise ValueError(f"{email} does not wait for an owner of {address}")
    print_one({"address": normal(email), "outcome": outcome}, as_json)


@click.command()
@click.option("--list", "list_address", metavar="ADDRESS", default="", help="Of this list.")
@click.option("--email", default="", help="Of addresses that begin so.")
@paged("id")
@plainly
def consents(list_address: str, email: str, limit: int | None, after: str | None, as_json: bool) -> None:
    """The consent ledger: how memberships, of now and of before, began; the newest first."""
    if after and not after.isdigit():
        raise ValueError("--after takes the id of a row")
    rows = ledger(None, email.strip().lower(), lists.find(list_address).address if list_address else "")
    rows = rows.filter(pk__lt=int(after)) if after else rows
    shown = ({name: stamp(value) if isinstance(value, datetime) else value for name, value in told(row).items()} for row in rows[:limit].iterator(chunk_size=2000))
    print_rows(shown, ("list", "address", "since", "until", "how", "by", "evidence"), as_json)


def _member(address: str, email: str) -> Membership:
    row = Membership.objects.filter(list=lists.find(address), until__isnull=True, address__email=normal(email)).select_related("address__person", "source", "list").first()
    if row is None:
        complain(f"{email} is not a member")
        raise click.exceptions.Exit(1)
    return row


def _values(wanted: dict[str, Any]) -> dict[str, Any]:
    """The choices that were named."""
    values = {name: wanted[name] for name in ("delivery", "hidden", "note") if wanted[name] is not None}
    values |= {name: make_aware(wanted[name]) for name in ("pause_from", "pause_until") if wanted[name]}
    if wanted["posting"]:
        values["posting"] = {"list": Posting.LIST.value}.get(wanted["posting"], wanted["posting"])
    return values | ({"own_copy": _OWN[wanted["own_copy"]]} if wanted["own_copy"] else {})


def row_of(row: Membership) -> dict[str, Any]:
    """One member with all that is decided."""
    person = row.address.person
    return {
        "address": row.email, "name": (person.name if person else "") or row.address.name, "state": "paused" if row.paused else "active", "since": stamp(row.since), "source": str(row.source) if row.source else "manual",
        "delivery": row.delivery, "pause_from": stamp(row.pause_from), "pause_until": stamp(row.pause_until), "posting": row.posting or "list", "own_copy": row.own_copy, "hidden": row.hidden, "note": row.note,
    }  # fmt: skip


COMMANDS = (show, change, invite, asking, admit, refuse, consents)
