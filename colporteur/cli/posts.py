"""``colporteur post``: what was received, what is decided about it, and what would be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click
from django.db.models import prefetch_related_objects

from colporteur.cli.output import BY, complain, json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.domain.addresses import normal
from colporteur.domain.posts import Decision, PostState
from colporteur.flow import lists, moderation
from colporteur.mail.defects import DEFECTS
from colporteur.store.journal import JournalEntry
from colporteur.store.posts import Post
from colporteur.web.journal import sentence

COLUMNS = ("id", "list", "subject", "sender", "state", "received")
_VERBS = {Decision.RELEASE: "released", Decision.REJECT: "rejected", Decision.DISCARD: "discarded"}


@click.group()
def post() -> None:
    """Messages received, and what is decided about them."""


@post.command("list")
@click.argument("address")
@click.option("--state", type=click.Choice([state.value for state in PostState]), help="Only messages that stand so.")
@paged("id")
@plainly
def list_(address: str, state: str | None, limit: int | None, after: str | None, as_json: bool) -> None:
    """Messages of a list, the newest first."""
    rows = Post.objects.filter(list=lists.find(address)).select_related("list")
    if state:
        rows = rows.filter(state=state)
    print_rows(_rows(page(rows, limit, _find(after) if after else None)), COLUMNS, as_json)


@post.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def show(number: str, as_json: bool) -> None:
    """One message: why it stands where it stands, and what happened to it."""
    found = _find(number)
    print_one(
        {
            **next(_rows([found])),
            "sender_name": found.sender_name,
            "message_id": found.message_id,
            "size": found.size,
            "door": found.arrival.door,
            "mail_from": found.arrival.mail_from,
            "defects": found.defects if as_json else [DEFECTS.get(code, code) for code in found.defects],
            "error": found.error,
            "expires": stamp(found.expires_at),
            "decided_by": moderation.decided_by(found),
            "decided": stamp(found.decided_at),
            "reason": found.decision_reason,
            "mailings": list(found.mailings.order_by("id").values_list("id", flat=True)),
            "journal": [
                {"at": stamp(entry.at), "event": entry.event, "text": sentence(entry)} for entry in JournalEntry.objects.filter(post_id=found.pk).order_by("id")
            ],
        },
        as_json,
    )


@post.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def release(number: str, as_json: bool) -> None:
    """Distribute a message that waits."""
    _decide(number, Decision.RELEASE, "", as_json)


@post.command()
@click.argument("number", metavar="ID")
@click.option("--reason", default="", help="Words to the author.")
@json_option
@plainly
def reject(number: str, reason: str, as_json: bool) -> None:
    """Refuse a message that waits, with a notice to its author where the list's settings say so."""
    _decide(number, Decision.REJECT, reason, as_json)


@post.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def discard(number: str, as_json: bool) -> None:
    """Throw a message away that waits; its author is not told."""
    _decide(number, Decision.DISCARD, "", as_json)


@post.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def retry(number: str, as_json: bool) -> None:
    """Process a quarantined message again."""
    found = _find(number)
    if not moderation.retry(found.pk, now(), BY):
        raise ValueError(f"message {found.pk} is {found.state}, not quarantined")
    if as_json:
        print_one(next(_rows([_find(number)])), True)
    else:
        tell(f"message {found.pk} is processed again")


@post.command()
@click.argument("address")
@click.option("--sender", metavar="ADDR", help="Envelope sender; '' is the null sender. Without it the author's address counts.")
@click.argument("message", type=click.File("rb"), default="-")
@json_option
@plainly
def explain(address: str, sender: str | None, message: Any, as_json: bool) -> None:
    """Say what would become of a message read from standard input, and why. Nothing is stored."""
    found = lists.find(address)
    mail_from = None if sender is None else normal(sender) if sender.strip("<> ") else ""
    explanation = moderation.explain(found, message.read(), mail_from)
    if as_json:
        print_one(explanation.as_json(), True)
        return
    tell(f"{explanation.verdict.action.value}: from {explanation.sender or 'nobody who can be told'}, to {explanation.audience} members of {found.address}")
    for finding in explanation.verdict.findings:
        tell(f"  {finding.action.value} ({finding.rule}): {moderation.sentence(finding)}")


def _find(number: str) -> Post:
    if number.isascii() and number.isdigit() and len(number) < 19 and (found := Post.objects.select_related("list", "arrival", "decided_by").filter(pk=int(number)).first()):
        return found
    raise ValueError(f"there is no message {number}")


def _decide(number: str, decision: Decision, reason: str, as_json: bool) -> None:
    decided = moderation.decide(_find(number).pk, decision, now(), address=BY, reason=reason)
    if as_json:
        print_one(next(_rows([_find(number)])), True)
    elif decided.won:
        tell(f"message {number} is {_VERBS[decision]}")
    if not decided.won:
        when = f" on {stamp(decided.at)}" if decided.at else ""
        complain(f"Error: message {number} is {decided.state.value} already{f', decided by {decided.by}' if decided.by else ''}{when}: nothing was changed")
        raise click.exceptions.Exit(1)


def _rows(found: Iterable[Post]) -> Iterator[dict[str, Any]]:
    """The contract's fields; findings are fetched 500 posts at a time."""
    rest = iter(found)
    while chunk := list(islice(rest, 500)):
        prefetch_related_objects(chunk, "findings")
        for row in chunk:
            findings = [{"rule": finding.rule, "reason": moderation.sentence(finding), "action": finding.action} for finding in row.findings.all()]
            yield {"id": row.pk, "list": row.list.address, "subject": row.subject, "sender": row.sender, "state": row.state, "received": stamp(row.received_at), "findings": findings}
