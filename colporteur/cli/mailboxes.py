"""``colporteur mailbox``: the account a list is run from."""

from __future__ import annotations

import asyncio

import click

from colporteur.adapters import probes
from colporteur.adapters.probes import Checked
from colporteur.cli.output import BY, complain, json_option, now, page, paged, plainly, print_one, print_rows, tell
from colporteur.daemons.collect import collect_once
from colporteur.domain.mailboxes import CODES, FORM, SIGNS, read_url
from colporteur.flow import collecting, lists, mailboxes, routes, transports
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.sealed import SealBroken

COLUMNS = ("address", "kind", "user", "host", "port", "tls", "health", "last_success", "error")


@click.group()
def mailbox() -> None:
    """Accounts lists are run from."""


@mailbox.command(help=f"Run a list from an IMAP or POP3 account. URL: {FORM} (signs like {SIGNS} in user or password are written {CODES}); ?tls=none, &self_signed=1, &move=Folder, &every=60 may follow.")
@click.argument("address")
@click.argument("url")
@click.option("--no-test", is_flag=True, help="Do not try the account first.")
@click.option("--only-reports", is_flag=True, help="Collect only what comes back about the list's messages: its copies name the account's user as envelope sender, the list is run from its own address as before.")
@json_option
@plainly
def add(address: str, url: str, no_test: bool, only_reports: bool, as_json: bool) -> None:
    list_ = lists.find(address)
    account = read_url(url)
    if not no_test:
        checked = probes.check_mailbox(account)
        if not checked.ok:
            raise click.ClickException(f"{checked.text()} Nothing was changed; --no-test sets the mailbox all the same.")
        if not as_json:
            tell(checked.text())
    made = mailboxes.set_mailbox(list_, account, now(), by=BY, only_reports=only_reports)
    print_one(mailboxes.as_json(made), as_json)


@mailbox.command()
@click.argument("address")
@click.option("--shared", is_flag=True, help="Also send from the list's transport to the mailbox, and keep what the host lets pass.")
@json_option
@plainly
def test(address: str, shared: bool, as_json: bool) -> None:
    """Try the account now: "Configuration OK", or what is wrong and what to do (status 1)."""
    found = _find(address)
    account = _account(found)
    results: list[tuple[str, Checked]] = [("mailbox", probes.check_mailbox(account))]
    if results[0][1].ok and (way := routes.route_of(found.list).first):
        url = transports.url_of(way)
        results.append(("transport", probes.check_transport(url, found.list.address)))
        if shared and way.kind == "smtp" and results[-1][1].ok:
            tested = probes.check_shared(url, account, found.list.address, mailboxes.probe_mark(now()))
            results.append(("shared", tested.checked))
            if tested.traits:
                mailboxes.learn(found, dict(tested.traits), now())
    good = all(checked.ok for _name, checked in results)
    if as_json:
        print_one({"address": found.list.address, "ok": good, **{name: checked.text() for name, checked in results}, "traits": found.traits}, True)
    else:
        for name, checked in results:
            (tell if checked.ok else complain)(f"{name}: {checked.text()}")
        for trait, value in sorted(found.traits.items()):
            tell(f"{trait}: {'yes' if value else 'no'}")
    if not good:
        raise SystemExit(1)


@mailbox.command()
@click.argument("address", required=False)
@json_option
@plainly
def collect(address: str | None, as_json: bool) -> None:
    """Look once, now, in one mailbox or in all of them; status 1 when one is in trouble."""
    if address:
        _find(address)
    due = collecting.due(now(), lists.find(address).address if address else "")
    if address and not due:
        raise click.ClickException(f"the mailbox of {address}, its list or its domain is switched off: nothing is collected")
    rows = []
    for one in due:
        if not collecting.claim(one.id):
            rows.append({"address": one.address, "messages": 0, "error": "a collector is at it already"})
            continue
        taken, failure = asyncio.run(collect_once(one))
        collecting.release(one.id)
        rows.append({"address": one.address, "messages": taken, "error": failure.shown() if failure else ""})
    print_rows(rows, ("address", "messages", "error"), as_json)
    if any(row["error"] for row in rows):
        raise SystemExit(1)


@mailbox.command()
@click.argument("address")
@json_option
@plainly
def enable(address: str, as_json: bool) -> None:
    """Collect from the list's mailbox again."""
    _switch(address, True, as_json)


@mailbox.command()
@click.argument("address")
@json_option
@plainly
def disable(address: str, as_json: bool) -> None:
    """Leave the list's mailbox alone; what lies in it stays there."""
    _switch(address, False, as_json)


@mailbox.command("list")
@paged("address")
@plainly
def list_(limit: int | None, after: str | None, as_json: bool) -> None:
    """Mailboxes with their health, the newest first."""
    rows = Mailbox.objects.select_related("list")
    print_rows((mailboxes.as_json(row) for row in page(rows, limit, _find(after) if after else None)), COLUMNS, as_json)


def _switch(address: str, enabled: bool, as_json: bool) -> None:
    mailboxes.switch(_find(address), enabled, now(), by=BY)
    print_one(mailboxes.as_json(_find(address)), as_json)


def _find(address: str) -> Mailbox:
    found: List = lists.find(address)
    if row := Mailbox.objects.select_related("list__organisation", "list__domain").filter(list=found).first():
        return row
    raise ValueError(f"{found.address} has no mailbox: give it one with `colporteur mailbox add {found.address} URL`")


def _account(found: Mailbox) -> mailboxes.Account:
    try:
        return mailboxes.account_of(found)
    except SealBroken as error:
        raise ValueError(str(error)) from error
