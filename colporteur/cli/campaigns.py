"""``colporteur campaign``: newsletters, from the draft to the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import click
from django.utils import timezone

from colporteur.cli.again import again, to_whom
from colporteur.cli.output import BY, json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.domain.campaigns import CampaignState, Editor, Tracking
from colporteur.domain.tracking import Range
from colporteur.flow import campaigns, lists, mailings, segments, tracking
from colporteur.flow.campaigns import preflight as checks
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.segments import Segment
from colporteur.store.tracking import CampaignTotals

COLUMNS = ("id", "subject", "list", "state", "total", "counts", "send_at", "created")
_EDITORS = {"html": Editor.HTML, "mjml": Editor.MJML, "markdown": Editor.MARKDOWN}


@click.group()
def campaign() -> None:
    """Newsletters: write, test, send, follow."""


@campaign.command("list")
@click.option("--list", "address", metavar="ADDRESS", help="Newsletters of this list only.")
@click.option("--state", type=click.Choice([state.value for state in CampaignState]), help="Only drafts, scheduled or started ones.")
@paged("id")
@plainly
def list_(address: str | None, state: str | None, limit: int | None, after: str | None, as_json: bool) -> None:
    """Newsletters, the newest first."""
    rows = Campaign.objects.select_related("list", "mailing")
    if address:
        rows = rows.filter(list=lists.find(address))
    if state:
        rows = rows.filter(state=state)
    print_rows(_rows(page(rows, limit, _find(after) if after else None)), COLUMNS, as_json)


@campaign.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def show(number: str, as_json: bool) -> None:
    """One newsletter: whom it is for, what it would take, or how far it is."""
    found = _find(number)
    chosen = campaigns.audience_of(found)
    shown = next(_rows([found])) | {
        "editor": found.editor,
        "tracking": tracking.mode(found).value,
        "to": [*(one.address for one in chosen.lists), *map(_named, chosen.segments)],
        "without": [*(one.address for one in chosen.left_out_lists), *map(_named, chosen.left_out_segments)],
        "lost": found.lost,
        "same_as": found.same_as_id,
        "pace": found.pace,
        "per_day": found.per_day,
        "sample": found.sample,
    }
    if found.state == CampaignState.STARTED and found.mailing:
        totals = mailings.totals(found.mailing.pk, now())
        shown |= {"rate_per_s": round(totals.rate_per_s, 3), "eta": stamp(totals.eta), "pause_reason": found.mailing.pause_reason}
    else:
        shown |= _plan(found)
    print_one(shown, as_json)


@campaign.command()
@click.argument("address")
@click.option("--subject", required=True, help="May have fields in it, like every text of a newsletter.")
@click.option("--html", type=click.File(encoding="utf-8"), help="File with the HTML; - for standard input.")
@click.option("--mjml", type=click.File(encoding="utf-8"), help="File with MJML.")
@click.option("--markdown", type=click.File(encoding="utf-8"), help="File with Markdown.")
@click.option("--text", type=click.File(encoding="utf-8"), help="File with the text part; alone, the whole newsletter.")
@click.option("--preheader", default="", help="Shown after the subject by mail programs.")
@click.option("--template", help="The frame it is set in: letter, bulletin, announcement; Markdown is a letter unless told otherwise.")
@click.option("--language", default="", help="Like fr; else the list's.")
@click.option("--sender-name", default="", help="Else the list's title.")
@click.option("--sender-address", default="", help="At a domain of the organisation; else the list's address.")
@click.option("--reply-to", default="", help="Where answers go; else to the list's owners.")
@click.option("--tracking", "how", type=click.Choice([one.value for one in Tracking]), help="What is learned of opens and clicks; else as the list says.")
@click.option("--sample", type=click.IntRange(0, 90), default=0, metavar="PERCENT", help="Send so much first, the rest when it went well.")
@click.option("--to", "to", multiple=True, metavar="ADDRESS[/SEGMENT]", help="Instead of the list: these lists, or segments of them.")
@click.option("--without", multiple=True, metavar="ADDRESS[/SEGMENT]", help="Leave their members out.")
@json_option
@plainly
def create(address: str, subject: str, text: Any, template: str | None, how: str | None, to: Sequence[str], without: Sequence[str], as_json: bool, **values: Any) -> None:
    """A new draft of a list."""
    given = {name: values.pop(name) for name in _EDITORS}
    sources = [(editor, given[name].read()) for name, editor in _EDITORS.items() if given[name]]
    if len(sources) > 1 or not (sources or text):
        raise ValueError("give one of --html, --mjml, --markdown, or --text alone")
    plain = text.read() if text else None
    values |= {"template": template} if template is not None else {}
    editor, source = sources[0] if sources else (Editor.TEXT, plain or "")
    made = campaigns.create(lists.find(address), now(), by=BY, subject=subject, editor=editor, source=source, text=plain if sources else None, tracking=how or "", **values)
    if to or without:
        made = campaigns.address_to(made.pk, made.version, now(), BY, to=[_part(one) for one in to], left_out=[_part(one) for one in without])
    _print(made, as_json, f"newsletter {made.pk} is a draft")


@campaign.command()
@click.argument("number", metavar="ID")
@click.option("--to", "to", multiple=True, metavar="ADDRESS[/SEGMENT]", help="These lists, or segments of them; else its own list.")
@click.option("--without", multiple=True, metavar="ADDRESS[/SEGMENT]", help="Leave their members out.")
@json_option
@plainly
def address(number: str, to: Sequence[str], without: Sequence[str], as_json: bool) -> None:
    """Choose anew whom a draft is for."""
    found = _find(number)
    found = campaigns.address_to(found.pk, found.version, now(), BY, to=[_part(one) for one in to], left_out=[_part(one) for one in without])
    _print(found, as_json, f"newsletter {number} would reach {campaigns.counted(found, now()).recipients} recipients")


@campaign.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def preflight(number: str, as_json: bool) -> None:
    """Try every copy and look at the links: "ready", or what to mend. Ask again while it is checking. Status 1: it cannot be sent so."""
    found = checks.preflight(_find(number), now())
    shown = {
        "id": int(number), "verdict": found.verdict, "ready": not found.blocked and not found.checking, "checking": found.checking, "recipients": found.recipients, "tried": found.tried,
        "findings": [one._asdict() for one in found.findings], "failing": [{"address": one.email, "reason": one.reason} for one in found.failing], "failing_count": found.failing_count, "links_waiting": found.waiting,
    }  # fmt: skip
    print_one(shown, as_json)
    if found.blocked:
        raise SystemExit(1)


@campaign.command()
@click.argument("number", metavar="ID")
@click.option("--to", "emails", multiple=True, required=True, metavar="EMAIL", help="May be given several times.")
@json_option
@plainly
def test(number: str, emails: Sequence[str], as_json: bool) -> None:
    """Send a copy marked [TEST] to some addresses."""
    made = campaigns.test(_find(number), emails, now(), BY)
    if as_json:
        print_one({"campaign": int(number), "mailings": [one.pk for one in made], "to": list(emails)}, True)
    else:
        tell(f"a test is on its way to {', '.join(emails)}")


@campaign.command()
@click.argument("number", metavar="ID")
@click.option("--to", "email", required=True, metavar="EMAIL", help="On the list or not.")
@json_option
@plainly
def send(number: str, email: str, as_json: bool) -> None:
    """Send it to one address, subscribed or not."""
    made = campaigns.send_to(_find(number), email, now(), BY)
    if as_json:
        print_one({"campaign": int(number), "mailing": made.pk, "to": email}, True)
    else:
        tell(f"it is on its way to {email}")


@campaign.command()
@click.argument("number", metavar="ID")
@click.option("--at", metavar="TIME", help="Later: 2026-12-24T08:00, in the installation's time zone unless it names an offset.")
@click.option("--per-day", type=click.IntRange(min=1), metavar="N", help="At most so many copies in 24 hours, evenly.")
@click.option("--untried", is_flag=True, help="Without making every copy for trial first.")
@json_option
@plainly
def start(number: str, at: str | None, per_day: int | None, untried: bool, as_json: bool) -> None:
    """Send it now, or at a time, when every copy was made for trial."""
    moment = _moment(at) if at else None
    if moment and moment <= now():
        raise ValueError(f"{at} is past")
    found = _find(number)
    if found.state == CampaignState.STARTED:
        raise ValueError(f"newsletter {found.pk} was sent already, by mailing {found.mailing_id}")
    if not untried:
        checks.to_the_end(found, now())
    made = campaigns.start(found.pk, now(), BY, at=moment, per_day=per_day, untried=untried)
    found = _find(number)
    _print(found, as_json, f"newsletter {found.pk} leaves by mailing {made.pk}" if made else f"newsletter {found.pk} leaves at {stamp(found.send_at)}")


@campaign.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def unschedule(number: str, as_json: bool) -> None:
    """Make a scheduled newsletter a draft again."""
    found = _find(number)
    if not campaigns.unschedule(found.pk, now(), BY):
        raise ValueError(f"newsletter {found.pk} is {_state(found)}: nothing was changed")
    _print(_find(number), as_json, f"newsletter {found.pk} is a draft")


@campaign.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def pause(number: str, as_json: bool) -> None:
    """Stop sending; what has left has left."""
    _move(number, mailings.pause, as_json)


@campaign.command()
@click.argument("number", metavar="ID")
@click.option("--rest", is_flag=True, help="Let the rest leave, too, without waiting for what becomes of the first part.")
@json_option
@plainly
def resume(number: str, rest: bool, as_json: bool) -> None:
    """Go on sending."""
    if rest and campaigns.release(_find(number), now(), BY):
        _print(_find(number), as_json, f"the rest of newsletter {number} leaves")
        return
    _move(number, mailings.resume, as_json)


@campaign.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def cancel(number: str, as_json: bool) -> None:
    """Abandon what has not left."""
    _move(number, mailings.cancel, as_json)


@campaign.command()
@click.argument("number", metavar="ID")
@click.option("--per-day", type=click.IntRange(min=1), metavar="N", help="At most so many copies in 24 hours, evenly; those that left count.")
@click.option("--no-limit", is_flag=True, help="As many as the limits of sending services allow.")
@json_option
@plainly
def pace(number: str, per_day: int | None, no_limit: bool, as_json: bool) -> None:
    """Change how many copies leave a day, while it is sent or paused."""
    if no_limit == bool(per_day):
        raise ValueError("say how many: --per-day N or --no-limit")
    mailing = _sent(number)
    if not campaigns.set_per_day(mailing.pk, per_day, now(), BY):
        raise ValueError(f"newsletter {number} is {_state(_find(number))}, or leaves so already: nothing was changed")
    eta = stamp(mailings.totals(mailing.pk, now()).eta)
    _print(_find(number), as_json, f"newsletter {number} leaves {f'at {per_day} copies a day' if per_day else 'as limits allow'}{f', until about {eta}' if eta else ''}")


@campaign.command()
@click.argument("number", metavar="ID")
@to_whom
@json_option
@plainly
def resend(number: str, failed: bool, unknown: bool, new: bool, dry_run: bool, as_json: bool) -> None:
    """Send it again, never to anybody who has it already."""
    whom, preview, resent = again(_sent(number), failed=failed, unknown=unknown, new=new, dry_run=dry_run)
    said: dict[str, Any] = {"campaign": int(number), "whom": whom.value, "count": preview.number, "first": preview.first}
    print_one(said | ({"mailing": resent.mailing.pk, "made": resent.made} if resent else {}), as_json)


@campaign.command()
@click.argument("number", metavar="ID")
@click.option("--list", "address", metavar="ADDRESS", help="Of another list: whoever has the first gets no second one.")
@json_option
@plainly
def copy(number: str, address: str | None, as_json: bool) -> None:
    """A new draft like it."""
    made = campaigns.copy(_find(number), now(), BY, lists.find(address) if address else None)
    _print(made, as_json, f"newsletter {made.pk} is a draft")


@campaign.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def delete(number: str, as_json: bool) -> None:
    """Throw a draft away."""
    found = _find(number)
    id_ = found.pk
    campaigns.delete(found, now(), BY)
    if as_json:
        print_one({"id": id_, "deleted": True}, True)
    else:
        tell(f"newsletter {id_} is deleted")


@campaign.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def stats(number: str, as_json: bool) -> None:
    """What became of it. Opens and clicks: [sure, at most]; null where they are not shown."""
    found = _find(number)
    figures = tracking.figures(found)
    print_one(
        {
            **next(_rows([found])), "tracking": figures.mode.value, "recipients": figures.fates._asdict(), "opened": _range(figures.opened, figures.shown), "clicked": _range(figures.clicked, figures.shown),
            "left": figures.left, "complaints": figures.complaints, "causes": [{"reason": reason, "count": count} for reason, count in figures.causes],
            "links": [one._asdict() for one in figures.links] if figures.shown else [], "programs": {why.name.lower(): count for why, count in figures.programs.items()}, "purged": stamp(figures.purged),
        },
        as_json,
    )  # fmt: skip


@campaign.command()
@click.option("--list", "address", metavar="ADDRESS", help="Newsletters of this list only.")
@click.option("--months", type=click.IntRange(min=1), help="That ended so long ago, instead of what their lists say.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@plainly
def purge(address: str | None, months: int | None, dry_run: bool, as_json: bool) -> None:
    """Take the details of old newsletters for good; their totals stay."""
    going = tracking.purge_preview(now(), lists.find(address) if address else None, months)
    if not dry_run:
        tracking.purge([one.campaign for one in going], now(), by=BY)
    print_rows(({"id": one.campaign.pk, "subject": one.campaign.subject, "copies": one.copies, "purged": not dry_run} for one in going), ("id", "subject", "copies", "purged"), as_json)


# --- how ---


def _find(number: str) -> Campaign:
    rows = Campaign.objects.select_related("list__organisation", "list__domain", "mailing__list")
    if number.isascii() and number.isdigit() and len(number) < 19 and (found := rows.filter(pk=int(number)).first()):
        return found
    raise ValueError(f"there is no newsletter {number}")


def _sent(number: str) -> Mailing:
    if mailing := _find(number).mailing:
        return mailing
    raise ValueError(f"newsletter {number} was not sent yet")


def _part(text: str) -> List | Segment:
    """A list, or a segment of one. Raises ``ValueError``."""
    address, slash, name = text.partition("/")
    list_ = lists.find(address)
    return segments.find(list_, name) if slash else list_


def _named(segment: Segment) -> str:
    return f"{segment.list.address}/{segment.name}"


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a time: write 2026-12-24T08:00") from None
    return found if found.tzinfo else timezone.make_aware(found)


def _plan(found: Campaign) -> dict[str, Any]:
    counted, at = campaigns.counted(found, now()), now()
    expected = campaigns.expected(found, at, counted.recipients)
    return {
        "recipients": counted.recipients,
        "excluded": [{"reason": reason, "count": count} for reason, count in counted.excluded],
        "transports": expected.transports,
        "seconds": round(expected.seconds),
    }


def _range(found: Range, shown: bool) -> list[int] | None:
    return [found.sure, found.most] if shown else None


def _state(found: Campaign) -> str:
    return found.mailing.state if found.mailing else found.state


def _move(number: str, change: Callable[[int, datetime, str], bool], as_json: bool) -> None:
    mailing = _sent(number)
    if not change(mailing.pk, now(), BY):
        raise ValueError(f"newsletter {number} is {_state(_find(number))}: nothing was changed")
    found = _find(number)
    _print(found, as_json, f"newsletter {found.pk} is {_state(found)}")


def _print(found: Campaign, as_json: bool, sentence: str) -> None:
    if as_json:
        print_one(next(_rows([_find(str(found.pk))])), True)
    else:
        tell(sentence)


def _rows(found: Iterable[Campaign]) -> Iterator[dict[str, Any]]:
    """The contract's fields; totals are asked for 500 newsletters at a time, of purged ones they are those that stay."""
    rest = iter(found)
    while chunk := list(islice(rest, 500)):
        totals = mailings.totals_of([row.mailing_id for row in chunk if row.mailing_id])
        kept = {row.campaign_id: row.values["fates"] for row in CampaignTotals.objects.filter(campaign__in=chunk)}
        for row in chunk:
            found_ = totals.get(row.mailing_id or 0, mailings.Totals())
            if row.pk in kept:
                total, received, failed, _waiting = kept[row.pk]
                found_ = mailings.Totals(total=total, sent=received, failed=failed, cancelled=total - received - failed)
            yield {
                "id": row.pk, "subject": row.subject, "list": row.list.address, "state": _state(row), "total": found_.total, "counts": found_.counts, "mailing": row.mailing_id,
                "send_at": stamp(row.send_at), "created": stamp(row.created), "started": stamp(row.mailing.started) if row.mailing else None, "finished": stamp(row.mailing.finished) if row.mailing else None,
            }  # fmt: skip
