"""``colporteur transport``: ways out, and whether they work."""

from __future__ import annotations

import asyncio
import sys
import uuid
from typing import Any

import click

from colporteur.adapters.transports import Outcome, Outgoing, Result, Trouble, open_transport
from colporteur.adapters.transports.esp import registering
from colporteur.cli.limits import limit_words, read_all, shown
from colporteur.cli.output import BY, json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.cli.routes import route_words, set_or_show
from colporteur.domain.addresses import normal
from colporteur.domain.providers import HOSTS
from colporteur.domain.services import SERVICES, read_account
from colporteur.flow import letters, limits, organisations, routes, services, transports
from colporteur.flow.trouble import over
from colporteur.mail.compose import Letter, compose
from colporteur.mail.render import Rewriting, prepare
from colporteur.store.organisations import Organisation
from colporteur.store.transports import Transport

COLUMNS = ("name", "kind", "enabled", "health", "default", "url")


@click.group()
def transport() -> None:
    """Ways out: SMTP relays, services with an interface of their own, folders."""


@transport.command()
@click.argument("name")
@click.argument("url")
@click.option("--organisation", metavar="ORG", help="Only this organisation may use it; without it everybody may.")
@json_option
@plainly
def add(name: str, url: str, organisation: str | None, as_json: bool) -> None:
    """Add a way out: smtp://user:password@host:port?tls=starttls , folder:///path , or a service by its own interface: mailjet://KEY:SECRET@ ,
    sparkpost://KEY@?region=eu , mandrill://KEY@ , brevo, mailgun, postmark, sendgrid, resend, mailersend, mailtrap, scaleway. The first one is the default."""
    _checked(url)
    owner = organisations.organisation_called(organisation) if organisation else None
    print_one(_row(transports.add(name, url, now(), owner, by=BY)), as_json)


@transport.command("list")
@paged("name")
@plainly
def list_(limit: int | None, after: str | None, as_json: bool) -> None:
    """Ways out, the newest first, with their health: ok, trouble or unused."""
    rows = page(Transport.objects.filter(removed__isnull=True).select_related("organisation"), limit, transports.find(after) if after else None)
    print_rows((_row(row) for row in rows), COLUMNS, as_json)


@transport.command()
@click.argument("name")
@click.option("--to", required=True, metavar="EMAIL", help="Where the test message goes.")
@click.option("--sender", metavar="EMAIL", help="Its envelope sender and From; without it, an address of the first domain.")
@json_option
@plainly
def test(name: str, to: str, sender: str | None, as_json: bool) -> None:
    """Send a real test message and say what was answered."""
    found = transports.find(name)
    outgoing = _test_message(normal(to), normal(sender) if sender else letters.sender_of(None))
    try:
        checked, outcome = asyncio.run(_send(transports.url_of(found), outgoing))
    except Trouble as trouble:
        transports.trouble(found, str(trouble), now(), lasting=not trouble.temporary)
        raise click.ClickException(f"{found.name} is in trouble ({trouble.stage.name.lower()}): {trouble}") from trouble
    over(found.pk, now())
    if outcome.result is not Result.SENT:
        raise click.ClickException(f"{found.name} works ({checked}), but the message was not taken: {outcome.code or ''} {outcome.text}".replace("  ", " "))
    if as_json:
        print_one({"name": found.name, "to": normal(to), "check": checked, "code": outcome.code, "reply": outcome.text}, True)
    else:
        tell(f"{checked}; sent to {normal(to)}: {outcome.code or ''} {outcome.text}".replace("  ", " "))


@transport.command("set")
@click.argument("name")
@click.argument("url")
@json_option
@plainly
def set_(name: str, url: str, as_json: bool) -> None:
    """Give a way out another URL, for example with a new password."""
    _checked(url)
    found = transports.find(name)
    transports.set_url(found, url, now(), by=BY)
    print_one(_row(found), as_json)


@transport.command()
@click.argument("name")
@json_option
@plainly
def enable(name: str, as_json: bool) -> None:
    """Use a way out again."""
    found = transports.find(name)
    transports.switch(found, True, now(), by=BY)
    print_one(_row(found), as_json)


@transport.command()
@click.argument("name")
@json_option
@plainly
def disable(name: str, as_json: bool) -> None:
    """Leave a way out alone: what would use it waits."""
    found = transports.find(name)
    transports.switch(found, False, now(), by=BY)
    print_one(_row(found), as_json)


@transport.command()
@click.argument("name")
@json_option
@plainly
def default(name: str, as_json: bool) -> None:
    """Make it the way out of lists that name none."""
    found = transports.find(name)
    transports.make_default(found, now(), by=BY)
    print_one(_row(found), as_json)


@transport.command()
@click.argument("name")
@json_option
@plainly
def remove(name: str, as_json: bool) -> None:
    """Take a way out away, with its password and from every route. What waited for it leaves by another way, or waits."""
    found = transports.find(name)
    transports.remove(found, now(), by=BY)
    if as_json:
        print_one({"name": name, "removed": True}, True)
    else:
        tell(f"{name} is removed")


@transport.command()
@route_words
@click.option("--organisation", metavar="ORG", help="The route of this organisation; without it, of the site.")
@plainly
def route(words: tuple[str, ...], inherit: bool, organisation: str | None, as_json: bool) -> None:
    """By which transports mail leaves where neither list nor domain says it, as in `colporteur list route`."""
    if organisation is None:
        set_or_show(routes.site(), "site", words, inherit, as_json)
        return
    found = Organisation.objects.filter(name=organisation).first()
    if found is None:
        raise ValueError(f"there is no organisation {organisation!r}")
    set_or_show(found, found.name, words, inherit, as_json)


@transport.command("limits")
@click.argument("name")
@limit_words
@click.option("--account", "accounts", multiple=True, metavar="RATE", help="A limit of its account at the provider, shared by every transport that has the same; several times.")
@click.option("--profile", metavar="HOST", help=f"Four fifths of what a host publishes: {', '.join(host.name for host in HOSTS)}.")
@click.option("--by-destination", type=click.Choice(["auto", "yes", "no"]), help="Whether limits of destinations hold, too; auto: as soon as the transport has limits itself.")
@plainly
def limits_(name: str, rates: tuple[str, ...], none: bool, accounts: tuple[str, ...], profile: str | None, by_destination: str | None, as_json: bool) -> None:
    """Show or set how many recipients a way out takes in any window of time."""
    found = transports.find(name)
    account = limits.of_account(found)
    if profile and (rates or accounts or none):
        raise ValueError("write --profile, or limits, not both")
    if accounts and account is None:
        raise ValueError(f"{found.name} has no account: use --set")
    wanted, wanted_of_account = read_all(rates, none), read_all(accounts, none)
    if profile:
        limits.use_profile(found, profile, now(), BY)
    if wanted is not None:
        limits.change(limits.of_transport(found), wanted, now(), BY)
    if wanted_of_account is not None and account:
        limits.change(account, wanted_of_account, now(), BY)
    if by_destination:
        limits.by_destination(found, {"auto": None, "yes": True, "no": False}[by_destination], now(), BY)
    suggested = limits.suggested(found)
    print_one(
        {
            "transport": found.name,
            "limits": shown(limits.of_transport(found)),
            "account": account.name if account else None,
            "account_limits": shown(account),
            "by_destination": {None: "auto", True: "yes", False: "no"}[found.by_destination],
            "suggested_profile": suggested.name if suggested else None,
        },
        as_json,
    )


@transport.command()
@click.argument("name")
@click.option("--renew", is_flag=True, help="Another address; what is posted to the old one is refused from now on.")
@click.option("--key", metavar="KEY", help='The key by which the service signs what it posts; "" asks for no signature. "-" reads it from standard input.')
@click.option("--register", "enter", is_flag=True, help="Enter it at the service by its interface (Mailjet, SparkPost, Mandrill, Brevo, Postmark, Resend), or mend it there; a key by which it signs is kept.")
@json_option
@plainly
def webhook(name: str, renew: bool, key: str | None, enter: bool, as_json: bool) -> None:
    """The address at which a service tells what came back, the events to choose over there, and what was told last."""
    found = transports.find(name)
    service = SERVICES.get(found.kind)
    if service is None or not service.hooks:
        raise ValueError(f"{found.name} tells nothing by a webhook")
    if key is not None:
        services.sign_with(found, sys.stdin.readline() if key == "-" else key, now(), by=BY)
    hook = services.renew(found, now(), by=BY) if renew else services.hook_of(found, now())
    done = _register(found) if enter else {}
    hook.refresh_from_db()
    last = {"heard": hook.heard, "last_heard": stamp(hook.heard_at), "last": hook.told or None, "last_refused": stamp(hook.refused_at), "refused": hook.refused or None}
    print_one({"transport": found.name, "url": services.url_of(hook), "events": list(service.ticks), "signed": bool(hook.key_sealed), **last, **done}, as_json)


def _register(found: Transport) -> dict[str, Any]:
    """What was done at the service. Raises ``ClickException`` with its words where it did not take it."""
    account = read_account(transports.url_of(found))
    if not registering.can(found.kind):
        raise ValueError(f"the webhook of {account.service.title} is entered by hand: the interface cannot do it from here")
    try:
        done = registering.register(account, services.url_of(services.hook_of(found, now())))
    except registering.NotRegistered as error:
        raise click.ClickException(f"the webhook was not registered: {error}") from error
    services.registered(found, done.done, done.key, now(), by=BY)
    return {"registered": done.done, "registered_events": list(done.events)}


def _checked(url: str) -> None:
    """Let the adapter read its URL, too, before anything is stored; it connects to nothing. Raises ``ValueError``."""
    opened = open_transport(url.strip(), 1)
    asyncio.run(opened.close())


def _test_message(to: str, sender: str) -> Outgoing:
    raw = compose(
        Letter(
            sender_name="Colporteur", sender=sender, to_name="", to=to, subject="Test of Colporteur",
            text="This message was sent by `colporteur transport test`. If you can read it, the way out works.\n", html="",
            message_id=f"<{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>", date=now(), language="en",
        )
    )  # fmt: skip
    rewriting = Rewriting(list_address=sender, list_title="", list_id="", language="en", plain=True)
    return Outgoing((0, 0), sender.encode(), (to.encode(),), prepare(raw, rewriting).wire_for(to, "", ""), not to.isascii() or not sender.isascii())


class _One:
    """A feed of one message: closed when it has been taken."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        self.closed = False
        self.changed = asyncio.Event()
        self.shut = False
        self.outcome: Outcome | None = None

    def take(self) -> Outgoing | None:
        if self.closed:
            return None
        self.closed = True
        self.changed.set()
        return self.outgoing

    def still(self, copy: Outgoing) -> bool:
        return True

    def accepted(self, copy: Outgoing) -> None:
        self.settle(Outcome(copy, 0, Result.SENT, 250, ""))

    def settle(self, outcome: Outcome) -> None:
        self.outcome = outcome


async def _send(url: str, outgoing: Outgoing) -> tuple[str, Outcome]:
    """What the transport said about itself, and about the message. Raises ``Trouble``."""
    opened = open_transport(url, 1)
    feed = _One(outgoing)
    try:
        checked = await opened.check()
        await opened.run(feed)
    finally:
        await opened.close()
    assert feed.outcome
    return checked, feed.outcome


def _row(found: Transport) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": found.kind,
        "enabled": found.enabled,
        "health": transports.health(found),
        "default": found.is_default,
        "organisation": found.organisation.name if found.organisation else None,
        "url": transports.shown(found),
        "last_success": stamp(found.last_success),
        "failures": found.failures,
        "next_try": stamp(found.next_try),
        "checked": stamp(found.checked_at),
        "last_error": found.last_error,
    }
