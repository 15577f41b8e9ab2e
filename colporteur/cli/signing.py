"""``colporteur domain dkim``: keys that sign a domain's mail, and the records that publish them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import click

from colporteur.adapters import dns
from colporteur.cli.output import BY, json_option, now, plainly, print_rows, stamp, tell
from colporteur.domain.signing import Algorithm, KeyState, strings
from colporteur.flow import organisations, signing
from colporteur.store.organisations import Domain
from colporteur.store.signing import SigningKey

COLUMNS = ("selector", "algorithm", "state", "dns", "created", "used", "retired")


@click.command()
@click.argument("name")
@click.option("--make", type=click.Choice([*(one.value for one in Algorithm), "both"]), help="Make a key, or one of each kind.")
@click.option("--check", is_flag=True, help="Look at the DNS now. A key whose record is seen for the first time is used, when no other of its kind is.")
@click.option("--use", metavar="SELECTOR", help="Sign with this key from now on; the one of its kind in use before is retired.")
@click.option("--retire", metavar="SELECTOR", help="Sign no more with this key. Leave its record in the DNS for ten days.")
@click.option("--delete", metavar="SELECTOR", help="Forget a key that never signed, or was retired ten days ago.")
@click.option("--force", is_flag=True, help="Use a key whose record was not seen; delete one that was retired just now.")
@json_option
@plainly
def dkim(name: str, make: str | None, check: bool, use: str | None, retire: str | None, delete: str | None, force: bool, as_json: bool) -> None:
    """Keys that sign the mail of a domain (DKIM), and the DNS records to publish.

    Mail is signed once the record of a key was seen in the DNS; it is looked for again and again.
    """
    domain = organisations.find_domain(name)
    for algorithm in (list(Algorithm) if make == "both" else [Algorithm(make)] if make else []):
        signing.make(domain, algorithm, now(), by=BY)
    if check:
        _check(signing.of_domain(domain))
    if use:
        signing.use(signing.find(domain, use), now(), by=BY, force=force)
    if retire:
        signing.retire(signing.find(domain, retire), now(), by=BY)
    if delete:
        signing.delete(signing.find(domain, delete), now(), by=BY, force=force)
    _print(domain, as_json)


def _check(keys: Iterable[SigningKey]) -> None:
    wanted = {key.name: key.pk for key in keys}
    for name, texts in asyncio.run(dns.texts(wanted)):
        signing.looked_up(wanted[name], texts, now(), by=BY)


def _print(domain: Domain, as_json: bool) -> None:
    keys = signing.of_domain(domain)
    print_rows((_row(key) for key in keys), COLUMNS, as_json)
    if as_json:
        return
    if not keys:
        tell(f"no key: colporteur domain dkim {domain.name} --make both")
    for key in keys:
        if key.state != KeyState.RETIRED:
            tell(f"{key.name}. IN TXT ( {' '.join(_quoted(key))} )")


def _quoted(key: SigningKey) -> list[str]:
    return [f'"{one}"' for one in strings(key.record)]


def _row(key: SigningKey) -> dict[str, Any]:
    return {
        "selector": key.selector, "algorithm": key.algorithm, "state": key.state, "dns": key.seen, "checked": stamp(key.looked_at), "created": stamp(key.created),
        "used": stamp(key.used_at), "retired": stamp(key.retired_at), "name": key.name, "type": "TXT", "record": key.record, "strings": strings(key.record),
    }  # fmt: skip
