"""Sources of a list: set up, asked, compared, applied, and told about when they fail or would remove many.

The network is the worker's: it takes a run (``claim``), fetches, and hands over what came (``take``) or why nothing did
(``failed``). One run of a list at a time; a run that lost its lease changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.functional import lazy
from django.utils.translation import gettext, override
from django.utils.translation import gettext_noop as _

from colporteur.domain import sources as decisions
from colporteur.domain.addresses import SUFFIXES
from colporteur.domain.attributes import Value
from colporteur.domain.entries import Refused
from colporteur.domain.sources import Change, Contents, Feeds, Kind, Setting, Table
from colporteur.domain.words import Invalid, Sentence
from colporteur.flow import attributes, letters, people, quotas
from colporteur.flow.mailboxes import Failure
from colporteur.flow.organisations import actor, may_reach_inside
from colporteur.store import journal, privacy, sources
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, ListState, Role, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy
from colporteur.store.rights import Right, addresses_of, lists_for
from colporteur.store.sealed import SealBroken, seal, unseal
from colporteur.store.sources import Source

log = logging.getLogger("colporteur.sources")
mail = logging.getLogger("colporteur.mail")

LEASE = timedelta(minutes=10)
"""How long one run may take; afterwards it changes nothing and another may begin."""
REFRESH_PATIENCE = timedelta(minutes=2)
"""So long a message waits for a source that is asked before sending; then it goes to those of the last good answer."""
ONE_BY_ONE = 20
LINES = 20

BROKEN_SEAL = Failure(_("Its address cannot be read: it was sealed with another COLPORTEUR_SECRET_KEY. Enter it again."), lasting=True)
LIST_GONE = Failure(_("The list it follows is gone."), lasting=True)
NO_OWNER = Failure(_("It would leave the list without an owner: nothing was changed."), lasting=True)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that was taken: ``setting`` None when its secrets cannot be read."""

    id: int
    run: int
    kind: str
    setting: Setting | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do now: the change, the lines that cannot be taken, whether it would wait for an owner, and why nothing
    would be done at all."""

    change: Change | None
    refused: Sequence[Refused]
    waits: bool
    doubt: str


# --- setting up -------------------------------------------------------------------------------------------------------


@transaction.atomic
def add(list_: List, setting: Setting, now: datetime, *, by: Person | str) -> Source:
    """Give a list a source; it is asked as soon as a worker looks. Raises ``Invalid``."""
    source = Source(list=list_, kind=setting.kind.value)
    _set(source, setting, by)
    source.next_run = now
    source.save()
    journal.write("source.added", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, source=str(source), by=str(by))
    return source


@transaction.atomic
def change(source: Source, setting: Setting, now: datetime, *, by: Person | str) -> Source:
    """Set a source anew; an empty secret is the one it has, as long as it goes to the same place. Raises ``Invalid``."""
    if source.internal and not may_reach_inside(by):
        raise Invalid(_("only an administrator of the site may change a source inside the network"))
    source = Source.objects.select_for_update(of=("self",)).select_related("list__organisation").get(pk=source.pk)
    if source.feeds != setting.feeds and sources.fed(source):
        raise Invalid(_("this source feeds the list already: remove it and add another one for another role"))
    _set(source, setting, by)
    source.next_run, source.failures, source.error, source.told_at, source.waiting, source.approved = now, 0, "", None, None, 0
    source.run += 1  # a run of the old setting changes nothing any more
    source.running_until = None
    source.save()
    journal.write("source.changed", now, actor=actor(by), organisation=source.list.organisation_id, list=source.list_id, source=str(source), by=str(by))
    return source


@transaction.atomic
def remove(source: Source, now: datetime, *, by: Person | str, keep: bool = True) -> int:
    """Take a source away; whom it fed stays by hand (``keep``) or goes, unless another source names them. How many. Raises ``Invalid``."""
    source = Source.objects.select_for_update(of=("self",)).select_related("list__organisation").get(pk=source.pk)
    touched = sources.let_go(source, now, keep=keep)
    if not keep and source.feeds == Feeds.OWNER and not Role.objects.filter(list=source.list_id, kind=RoleKind.OWNER).exists():
        raise Invalid(_("this would leave the list without an owner: give it another one first"))
    words = str(source)
    source.delete()
    journal.write("source.removed", now, actor=actor(by), organisation=source.list.organisation_id, list=source.list_id, source=words, count=touched, kept=keep, by=str(by))
    return touched


def _set(source: Source, setting: Setting, by: Person | str) -> None:
    if setting.internal and not may_reach_inside(by):
        raise Invalid(_("only an administrator of the site may use what lies inside the network"))
    setting = decisions.checked(setting)
    old = _unsealed(source)
    if not setting.secret and source.secret_sealed and not decisions.same_place(setting.kind, old or "", setting.url):
        raise Invalid(_("another server needs its own password or secret: write it again"))
    source.of = _list_to_follow(source.list, setting.url, by) if setting.kind is Kind.LIST else None
    source.name = setting.name or _name(setting)
    source.feeds, source.every, source.refresh, source.internal = setting.feeds.value, setting.every, setting.refresh, setting.internal
    source.url_sealed, source.options, source.mapping = seal(setting.url), dict(setting.options), dict(setting.mapping)
    if setting.secret:
        source.secret_sealed = seal(setting.secret)


def _name(setting: Setting) -> str:
    return setting.url if setting.kind in (Kind.LIST, Kind.FILE) else decisions.shown_url(setting.url).partition("://")[2].partition("?")[0][:100]


def _list_to_follow(list_: List, address: str, by: Person | str) -> List:
    known = List.objects.filter(organisation=list_.organisation_id).exclude(state=ListState.DELETED)
    if isinstance(by, Person):
        known = known.filter(pk__in=lists_for(by, Right.MANAGE).values("pk"))
    found = known.filter(address=address.lower()).first()
    if found is None:
        raise Invalid(_("there is no list %(address)s in this organisation that you own"), address=address)
    names = dict(List.objects.filter(organisation=list_.organisation_id).values_list("pk", "address"))
    follows: dict[str, set[str]] = {list_.address: {found.address}}
    for follower, followed in Source.objects.filter(of__isnull=False, list__organisation=list_.organisation_id, feeds=Feeds.MEMBER).values_list("list_id", "of_id"):
        if follower != list_.pk and followed in names:
            follows.setdefault(names[follower], set()).add(names[followed])
    if path := decisions.circle(list_.address, follows):
        raise Invalid(_("these lists would take their members from each other in a circle: %(path)s"), path=" > ".join(path))
    return found


def setting_of(source: Source) -> Setting:
    """The source as it is set, without its secret; the address empty when its seal is broken."""
    return Setting(Kind(source.kind), _unsealed(source) or "", "", source.options, source.mapping, Feeds(source.feeds), source.name, source.every, source.refresh, source.internal)


def opened(source: Source) -> Setting:
    """The source with its secret, for fetching. Raises ``SealBroken``."""
    return replace(setting_of(source), url=unseal(source.url_sealed), secret=unseal(source.secret_sealed) if source.secret_sealed else "")


def _unsealed(source: Source) -> str | None:
    try:
        return unseal(source.url_sealed) if source.url_sealed else ""
    except SealBroken:
        return None


# --- running ----------------------------------------------------------------------------------------------------------


def claim(now: datetime) -> Claimed | None:
    """Take the next run that is due; None when there is none."""
    for id_ in sources.due(now):
        if claimed := claim_one(id_, now):
            return claimed
    return None


@transaction.atomic
def claim_one(source_id: int, now: datetime) -> Claimed | None:
    """Take the run of one source; None while another source of its list is being asked."""
    list_ids = Source.objects.filter(pk=source_id).values("list_id")
    rows = list(Source.objects.select_for_update(of=("self",)).filter(list_id__in=list_ids).exclude(kind="manual").order_by("id"))
    source = next((row for row in rows if row.pk == source_id), None)
    if source is None or any(row.running_until and row.running_until >= now for row in rows):
        return None
    source.run += 1
    source.running_until, source.last_run = now + LEASE, now
    source.save(update_fields=["run", "running_until", "last_run"])
    try:
        return Claimed(source.pk, source.run, source.kind, opened(source))
    except SealBroken:
        return Claimed(source.pk, source.run, source.kind, None)


class _Stop(Exception):
    """Nothing is changed, for this reason."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


def take(claimed: Claimed, table: Table | None, now: datetime) -> Change | None:
    """Apply what a source answered (None: the members of the list it follows); None when nothing was changed: it waits for an
    owner, cannot be believed, or another run is newer."""
    try:
        with transaction.atomic():
            source = _locked(claimed)
            if source is None:
                return None
            contents = _staged(source, table)
            found = sources.look(source)
            if decisions.waits(found.removed, found.before, source.approved):
                _hold(source, found, now)
                return None
            _apply(source, found, contents, now)
            return found
    except _Stop as stop:
        failed(claimed, stop.failure, now)
    except ValueError as error:  # a column is missing, a quota is used up
        failed(claimed, Failure("{reason}", {"reason": error.into(gettext) if isinstance(error, Invalid) else str(error)}, lasting=True), now)
    return None


def failed(claimed: Claimed, failure: Failure, now: datetime) -> None:
    """A source gave no answer that can be used: nobody is removed, and owners are told once."""
    with transaction.atomic():
        source = _locked(claimed)
        if source is None:
            return
        source.failures += 1
        source.running_until, source.next_run = None, decisions.next_run(now, source.every, source.failures)
        with override(source.list.language or source.list.organisation.language):
            source.error = failure.shown().replace("\x00", "")[:1000]
        if source.failures == 1:
            journal.write("source.trouble", now, organisation=source.list.organisation_id, list=source.list_id, source=str(source), error=source.error)
        if not source.told_at and (failure.lasting or source.failures >= decisions.PATIENCE):
            source.told_at = now
            _tell("trouble", source, now, thing=_thing(source), error=lazy(failure.shown, str)(), since=source.last_good or now)
        source.save(update_fields=["failures", "running_until", "next_run", "error", "told_at"])
    mail.warning("source-trouble source=%s list=%s failures=%d error=%s", source.pk, source.list.address, source.failures, source.error)


def preview(source: Source, table: Table | None) -> Preview:
    """What a run would do; nothing is changed. Raises ``Invalid`` when the answer cannot be read at all."""
    with transaction.atomic():
        try:
            contents = _staged(source, table)
        except _Stop as stop:
            return Preview(None, _read(source, table).refused if table else (), False, stop.failure.shown())
        found = sources.look(source)
        transaction.set_rollback(True)
    return Preview(found, contents.refused, decisions.waits(found.removed, found.before, source.approved), "")


@transaction.atomic
def approve(source: Source, now: datetime, *, by: Person | str) -> bool:
    """Agree to the removals that wait: the source is asked again, and may remove as many. False when nothing waits."""
    row = Source.objects.select_for_update(of=("self",)).select_related("list").get(pk=source.pk)
    if not row.waiting:
        return False
    row.approved, row.next_run = int(row.waiting["removed"]), now
    row.save(update_fields=["approved", "next_run"])
    journal.write("source.approved", now, actor=actor(by), organisation=row.list.organisation_id, list=row.list_id, source=str(row), removed=row.approved, by=str(by))
    return True


def ask_soon(source: Source, now: datetime) -> None:
    """Let a worker ask it now."""
    Source.objects.filter(pk=source.pk).update(next_run=now)


def asked_for(mailing: Mailing, now: datetime) -> datetime | None:
    """The moment of the audience of a message whose list has sources that are asked before sending: after they were.
    None while that is still to come."""
    moment = mailing.audience_at
    for last_run, running_until, last_good in sources.asked_first(mailing.list_id or 0):
        waits = last_run is None or last_run < mailing.created or (running_until is not None and running_until >= now)
        if waits and now < mailing.created + REFRESH_PATIENCE:
            return None
        moment = max(moment, last_good or moment)
    return moment


# --- how --------------------------------------------------------------------------------------------------------------


def _locked(claimed: Claimed) -> Source | None:
    """The source, when this is still its newest run."""
    return Source.objects.select_for_update(of=("self",)).select_related("list__organisation", "list__domain").filter(pk=claimed.id, run=claimed.run, running_until__isnull=False).first()


def _own(list_: List) -> set[str]:
    return {list_.address, *(f"{list_.name}{suffix}@{list_.host}" for suffix in SUFFIXES), *list_.aliases.values_list("address", flat=True)}


def _read(source: Source, table: Table) -> Contents:
    return decisions.read(table, source.mapping, _own(source.list))


def _staged(source: Source, table: Table | None) -> Contents:
    """What it names, staged beside the list. Raises ``_Stop``, or ``Invalid`` when a column is missing."""
    if source.kind == Kind.LIST:
        if source.of is None or source.of.state == ListState.DELETED:
            raise _Stop(LIST_GONE)
        contents = Contents([], [])
        if not sources.stage_list(source, source.of.pk, sorted(_own(source.list))) and (before := sources.fed(source)):
            raise _Stop(Failure(_("it names nobody, where it named {before} before: nobody was removed"), {"before": before}, lasting=True))
    else:
        contents = _read(source, table or Table((), ()))
        if doubt := decisions.unbelievable(contents, sources.fed(source)):
            raise _Stop(Failure(doubt.sentence, dict(doubt.values), lasting=True))  # type: ignore[arg-type]
        sources.stage(source, contents.entries)
    if opposed := privacy.opposed(sources.newcomers()):
        sources.leave_out(opposed)
    return contents


def _apply(source: Source, found: Change, contents: Contents, now: datetime) -> None:
    unread: list[dict[str, Any]] = []
    if source.feeds == Feeds.MEMBER:
        came, went = sources.apply_members(source, now, policy(source.list).delivery.value)
        quotas.check_members(source.list, len(came))
        unread = _tell_attributes(source)
    else:
        came, went = sources.apply_roles(source, now)
        if source.feeds == Feeds.OWNER:
            for email in Address.objects.filter(pk__in=came, person__isnull=True).values_list("email", flat=True):
                people.add(email, now=now)  # so that they can sign in
            if went and not Role.objects.filter(list=source.list_id, kind=RoleKind.OWNER).exists():
                raise _Stop(NO_OWNER)
    told = source.told_at
    source.counts = {**_counts(found), "refused": len(contents.refused), "lines": _lines(contents.refused), "unread": unread}
    source.last_good, source.running_until, source.next_run = now, None, decisions.next_run(now, source.every)
    recovered, source.failures, source.error, source.told_at = source.failures > 0, 0, "", None
    source.waiting, source.approved = None, 0
    source.save()
    if recovered:
        journal.write("source.recovered", now, organisation=source.list.organisation_id, list=source.list_id, source=str(source))
    if told:
        _tell("recovered", source, now, thing=_thing(source))
    _journal(source, came, went, now)
    log.info("source source=%s list=%s added=%d removed=%d unchanged=%d away=%d refused=%d", source.pk, source.list.address, len(came), len(went), found.unchanged, found.away, len(contents.refused))


def _tell_attributes(source: Source) -> list[dict[str, Any]]:
    """Keep what the source tells of members, by the attributes of the list; some of what cannot be read, with its address."""
    fields = attributes.fields_of(source.list)
    changed: list[tuple[str, dict[str, Value]]] = []
    unread: list[dict[str, Any]] = []
    for email, told, known in sources.told(source) if fields else ():
        values, wrong = attributes.read(fields, told)
        unread += [{"email": email, "reason": error.sentences[0].msgid, "values": error.sentences[0].values} for error in wrong[: LINES - len(unread)]]
        if any(known.get(key) != value for key, value in values.items()):
            changed.append((email, values))
    attributes.write_many(source.list, changed)
    return unread


def _counts(found: Change) -> dict[str, int]:
    return {"added": found.added, "removed": found.removed, "unchanged": found.unchanged, "away": found.away}


def _lines(refused: Sequence[Refused]) -> list[dict[str, Any]]:
    """The first lines that cannot be taken; their reasons are kept so that they can be said in any language."""
    shown = [(line, line.reason if isinstance(line.reason, Sentence) else Sentence(line.reason.replace("%", "%%"))) for line in refused[:LINES]]
    return [{"line": line.line, "reason": why.msgid, "values": why.values, "text": line.text} for line, why in shown]


def lines_of(source: Source) -> list[Refused]:
    """The first lines of the last good answer that could not be taken."""
    return [Refused(row["line"], Sentence(row["reason"], **row["values"]), row["text"]) for row in source.counts.get("lines", [])]


def unread_of(source: Source) -> list[tuple[str, Sentence]]:
    """Some of the values the last good answer told of members and nobody can read: whose, and why."""
    return [(row["email"], Sentence(row["reason"], **row["values"])) for row in source.counts.get("unread", [])]


def _journal(source: Source, came: list[int], went: list[int], now: datetime) -> None:
    if not came and not went:
        return
    organisation, list_id = source.list.organisation_id, source.list_id
    journal.write("source.ran", now, organisation=organisation, list=list_id, source=str(source), added=len(came), removed=len(went))
    member = source.feeds == Feeds.MEMBER
    for ids, event in ((came, "membership.joined" if member else "role.given"), (went, "membership.left" if member else "role.taken")):
        if len(ids) > ONE_BY_ONE:
            continue
        for id_, email in Address.objects.filter(pk__in=ids).order_by("id").values_list("id", "email"):
            values = {"email": email} if member else {"who": email, "role": source.feeds}
            JournalEntry.objects.create(at=now, event=event, organisation_id=organisation, list_id=list_id, address_id=id_, values={**values, "by": str(source)})


def _hold(source: Source, found: Change, now: datetime) -> None:
    """Too many would go: nothing is changed until an owner agrees."""
    first = source.waiting is None
    source.waiting = {**_counts(found), "before": found.before, "some_removed": list(found.some_removed), "since": (source.waiting or {}).get("since") or now.isoformat()}
    source.running_until, source.next_run, source.approved = None, decisions.next_run(now, source.every), 0
    source.save(update_fields=["waiting", "running_until", "next_run", "approved"])
    mail.warning("source-waits source=%s list=%s removed=%d of=%d", source.pk, source.list.address, found.removed, found.before)
    if first:
        journal.write("source.waiting", now, organisation=source.list.organisation_id, list=source.list_id, source=str(source), removed=found.removed, before=found.before)
        some = "\n".join(found.some_removed[:10]) + ("\n…" if found.removed > 10 else "")
        _tell("removals", source, now, list=source.list.address, title=source.list.title or source.list.address, thing=str(source), removed=found.removed, before=found.before, some=some)


def _thing(source: Source) -> Any:
    return lazy(lambda: gettext("the source %(source)s of %(list)s") % {"source": str(source), "list": source.list.address}, str)()


def _tell(letter: str, source: Source, now: datetime, **fields: Any) -> None:
    link = f"{settings.BASE_URL}/sources/{source.pk}"
    for address in addresses_of(source.list, RoleKind.OWNER):
        try:
            with transaction.atomic():
                letters.send(letter, address, now, fields={"link": link, **fields}, list_=source.list)
        except (ValueError, LookupError):  # somebody's own text that cannot be used must not hide the trouble itself
            log.exception("letter not written letter=%s source=%s", letter, source.pk)


def state_of(source: Source) -> str:
    """One word: ``waiting`` (for an owner), ``trouble``, ``running``, ``ok``, or ``new`` when it never answered yet."""
    if source.waiting:
        return "waiting"
    if source.failures:
        return "trouble"
    return "running" if source.running_until else "ok" if source.last_good else "new"


def as_json(source: Source) -> dict[str, Any]:
    """What ``source list --json`` prints; never a secret."""
    setting = setting_of(source)
    moments = {name: at.isoformat() if (at := getattr(source, name)) else None for name in ("last_run", "last_good", "next_run")}
    return {
        "id": source.pk, "list": source.list.address, "name": str(source), "kind": source.kind, "feeds": source.feeds, "url": decisions.shown_url(setting.url), "options": source.options,
        "mapping": decisions.written_mapping(source.mapping), "every": source.every, "refresh": source.refresh, "internal": source.internal,
        "state": state_of(source), "error": source.error, "failures": source.failures, "counts": source.counts, "waiting": source.waiting, **moments,
    }  # fmt: skip
