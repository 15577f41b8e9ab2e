"""``colporteur person``: people, administrators, sign-in links."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import click
from django.utils.timezone import make_aware

from colporteur.cli.output import BY, json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.domain.addresses import normal
from colporteur.flow import credentials, merging, oppositions, people, privacy
from colporteur.store.people import Person
from colporteur.store.privacy import opposed

COLUMNS = ("name", "addresses", "admin", "created")


@click.group()
def person() -> None:
    """People, administrators and sign-in links."""


@person.command()
@click.argument("email")
@click.option("--name", default="", help="Name shown on screens and in letters.")
@click.option("--admin", is_flag=True, help="Make the person an administrator of the site.")
@json_option
@plainly
def add(email: str, name: str, admin: bool, as_json: bool) -> None:
    """Add a person, or make a known one an administrator."""
    print_one(_row(people.add(email, name, admin, now=now())), as_json)


@person.command("add-address")
@click.argument("email")
@click.argument("other")
@json_option
@plainly
def add_address(email: str, other: str, as_json: bool) -> None:
    """Give the person with the address EMAIL the further address OTHER."""
    people.add_address(_find(email), other, now())
    print_one(_row(_find(email)), as_json)


@person.command("signin-link")
@click.argument("email")
@click.option("--minutes", type=click.IntRange(1, 7 * 24 * 60), metavar="N", default=people.LINK_MINUTES, show_default=True, help="How long the link is good.")
@json_option
@plainly
def signin_link(email: str, minutes: int, as_json: bool) -> None:
    """Print a link that signs the person in, once."""
    moment = now()
    url = people.sign_in_link(email, moment, minutes)
    if as_json:
        print_one({"url": url, "expires": stamp(moment + timedelta(minutes=minutes))}, True)
    else:
        tell(url)


@person.command("list")
@click.option("--admin", is_flag=True, help="Administrators only.")
@paged("email")
@plainly
def list_(admin: bool, limit: int | None, after: str | None, as_json: bool) -> None:
    """People, the newest first."""
    rows = Person.objects.filter(is_admin=True) if admin else Person.objects.all()
    last = _find(after) if after else None
    print_rows((_row(row) for row in page(rows.prefetch_related("addresses"), limit, last)), COLUMNS, as_json)


@person.command()
@click.argument("email")
@plainly
def export(email: str) -> None:
    """Print everything known about whoever has the address EMAIL, as JSON."""
    print_one(privacy.export(privacy.subject(email)), True)


@person.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@json_option
@plainly
def erase(email: str, yes: bool, as_json: bool) -> None:
    """Erase whoever has the address EMAIL: memberships and roles end, names and addresses go.

    It cannot be undone. Others cannot add the address again. Lists without another owner must be handed over first.
    """
    who = privacy.subject(email)
    if found := list(privacy.obstacles(who)):
        raise ValueError("; ".join(found))
    if not yes:
        click.confirm(f"Erase {', '.join(who.emails)} for good?", abort=True)
    privacy.erase(who, now(), by=BY)
    if as_json:
        print_one({"erased": who.emails}, True)
    else:
        tell(f"erased {', '.join(who.emails)}")


@person.command()
@click.argument("email")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Until this day; without it the lists send again.")
@json_option
@plainly
def pause(email: str, until: datetime | None, as_json: bool) -> None:
    """Let no list send to whoever has the address EMAIL until a day; every address of the person is paused."""
    who = privacy.subject(email)
    people.pause_all(who.addresses, make_aware(until) if until else None, now())
    if as_json:
        print_one({"paused": who.emails if until else [], "until": until.date().isoformat() if until else None}, True)
    else:
        tell(f"{', '.join(who.emails)}: paused until {until.date()}" if until else f"{', '.join(who.emails)}: lists send again")


@person.command("opposition")
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option("--end", is_flag=True, help="They may be added again.")
@click.option("--check", is_flag=True, help="Only say which of them nobody may add; status 1 when it is none.")
@json_option
@plainly
def opposition(emails: tuple[str, ...], end: bool, check: bool, as_json: bool) -> None:
    """Let nobody add these addresses to a list; they can still join by themselves."""
    checked = [normal(email) for email in emails]
    if check:
        found = opposed(checked)
        print_rows(({"address": email, "opposed": email in found} for email in checked), ("address", "opposed"), as_json)
        if not found:
            raise click.exceptions.Exit(1)
        return
    if end:
        oppositions.end(checked, now(), by=BY)
    else:
        oppositions.oppose(checked, now(), by=BY)
    if as_json:
        print_one({"addresses": checked, "opposed": not end}, True)
    else:
        tell(f"{len(checked)} may be added again" if end else f"{len(checked)} can be added by nobody but themselves")


@person.command("merge")
@click.argument("email")
@click.argument("other")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@json_option
@plainly
def merge(email: str, other: str, yes: bool, as_json: bool) -> None:
    """Make two accounts one: everything of whoever has the address OTHER goes to the account of EMAIL.

    Addresses, memberships, roles, offices, passkeys and connections move; on a list both are on, the membership of OTHER
    ends. It cannot be undone.
    """
    kept, gone = _find(email), _find(other)
    move = merging.foresee(kept, gone)
    if not yes and kept != gone:
        click.confirm(f"Merge {', '.join(move.addresses)} ({len(move.lists)} memberships, {move.roles} roles) into {kept.primary_email}?", abort=True)
    merging.merge(kept, gone, now(), by=BY)
    if as_json:
        print_one(_row(_find(email)) | {"moved": dataclasses.asdict(move)}, True)
    else:
        tell(f"merged {', '.join(move.addresses)} into {kept.primary_email}")


@person.command("reset-two-steps")
@click.argument("email")
@json_option
@plainly
def reset_two_steps(email: str, as_json: bool) -> None:
    """Take app, passkeys and recovery codes of a person away, for who lost them; every device must sign in again."""
    found = _find(email)
    credentials.reset(found, now(), by=BY)
    if as_json:
        print_one(_row(found), True)
    else:
        tell(f"{found.primary_email} signs in by mail or password alone")


@person.command("sign-out")
@click.argument("email")
@json_option
@plainly
def sign_out(email: str, as_json: bool) -> None:
    """Sign a person out on every device; mailed links that were not used yet are worth nothing."""
    found = _find(email)
    credentials.end_sessions(found, now(), by=BY)
    if as_json:
        print_one(_row(found), True)
    else:
        tell(f"{found.primary_email} must sign in again everywhere")


def _find(email: str) -> Person:
    if found := people.find(email):
        return found
    raise ValueError(f"nobody here has the address {email}")


def _row(found: Person) -> dict[str, Any]:
    addresses = sorted(found.addresses.all(), key=lambda address: (address.verified_at is None, address.id))
    return {"name": found.name, "addresses": [address.email for address in addresses], "admin": found.is_admin, "active": found.is_active, "created": stamp(found.created)}
