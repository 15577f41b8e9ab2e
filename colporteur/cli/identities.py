"""``colporteur identity``: sites people can sign in with (OpenID Connect)."""

from __future__ import annotations

from typing import Any

import click

from colporteur.adapters import oidc
from colporteur.cli.output import BY, json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.flow import identities
from colporteur.store.identities import IdentityProvider

COLUMNS = ("name", "issuer", "enabled", "new_accounts", "people", "created")

secret_option = click.option("--secret-file", type=click.File(), metavar="FILE", help="File with the client secret; - for standard input.")


@click.group()
def identity() -> None:
    """Identity providers: sites that sign people in (OpenID Connect)."""


@identity.command()
@click.argument("name")
@click.argument("issuer")
@click.argument("client_id")
@secret_option
@click.option("--new-accounts", is_flag=True, help="Whoever it knows with a verified address gets an account.")
@json_option
@plainly
def add(name: str, issuer: str, client_id: str, secret_file: Any, new_accounts: bool, as_json: bool) -> None:
    """Add a provider: NAME on the button, ISSUER as it calls itself, CLIENT_ID as it was registered there."""
    made = identities.add(name, issuer, client_id, secret_file.read().strip() if secret_file else "", now(), by=BY, new_accounts=new_accounts)
    print_one(_row(made), as_json)


@identity.command("set")
@click.argument("name")
@click.option("--rename", metavar="NAME", help="Another name on the button.")
@click.option("--client-id", metavar="ID", help="As it is registered over there now.")
@secret_option
@click.option("--new-accounts/--no-new-accounts", default=None, help="Whether it makes accounts.")
@click.option("--on/--off", "enabled", default=None, help="Whether people can sign in with it.")
@json_option
@plainly
def set_(name: str, rename: str | None, client_id: str | None, secret_file: Any, new_accounts: bool | None, enabled: bool | None, as_json: bool) -> None:
    """Change a provider; what is not named stays."""
    found = identities.find(name)
    identities.change(found, now(), by=BY, name=rename, client_id=client_id, secret=secret_file.read().strip() if secret_file else None, new_accounts=new_accounts, enabled=enabled)
    print_one(_row(found), as_json)


@identity.command("list")
@paged("name")
@plainly
def list_(limit: int | None, after: str | None, as_json: bool) -> None:
    """Providers, the newest first."""
    print_rows((_row(row) for row in page(IdentityProvider.objects.all(), limit, identities.find(after) if after else None)), COLUMNS, as_json)


@identity.command()
@click.argument("name")
@json_option
@plainly
def test(name: str, as_json: bool) -> None:
    """Read what a provider publishes about itself, as a sign-in would."""
    try:
        ends = oidc.discover(identities.find(name).issuer)
    except oidc.Refused as error:
        raise ValueError(str(error)) from None
    print_one({"issuer": ends.issuer, "authorization": ends.authorization, "token": ends.token, "keys": ends.keys, "userinfo": ends.userinfo}, as_json)


@identity.command()
@click.argument("name")
@json_option
@plainly
def remove(name: str, as_json: bool) -> None:
    """Take a provider away; whoever signed in with it still has the mailed link."""
    found = identities.find(name)
    connected = identities.remove(found, now(), by=BY)
    if as_json:
        print_one({"removed": name, "people": connected}, True)
    else:
        tell(f"removed {name}, which {connected} people were connected with")


def _row(found: IdentityProvider) -> dict[str, Any]:
    return {"name": found.name, "issuer": found.issuer, "client_id": found.client_id, "enabled": found.enabled, "new_accounts": found.new_accounts, "people": found.identities.count(), "created": stamp(found.created)}
