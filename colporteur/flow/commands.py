"""Commands by mail, done: which list each means, whether its sender may, what to say before and after.

What is said is a function that answers in the active language: letters and pages speak their reader's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain.commands import CHANGING, EVERY, OWNERS, Command, Reception, Verb
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.policy import DELIVERIES, Joining, MembersShown, offered
from colporteur.flow import joining, leaving, letters, memberships, moments, personal
from colporteur.flow.joining import Outcome
from colporteur.flow.moderation.telling import owner_address
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, zone_of
from colporteur.store.policies import policy, site_policy
from colporteur.store.rights import holds

Said = Callable[[], str]

SHOWN = 2000
"""Lines of one answer: members, lists."""
OWN_COPY = {Reception.NOT_ME: False, Reception.ME_TOO: True}
"""Whether members get the messages they write themselves."""
RECEIVING = {
    Reception.MAIL: (DeliveryMode.EACH,),
    Reception.DIGEST: (DeliveryMode.DAILY_MIME, DeliveryMode.WEEKLY_MIME),
    Reception.DIGEST_PLAIN: (DeliveryMode.DAILY_PLAIN, DeliveryMode.WEEKLY_PLAIN),
    Reception.WEEKLY: (DeliveryMode.WEEKLY_MIME,),
    Reception.WEEKLY_PLAIN: (DeliveryMode.WEEKLY_PLAIN,),
    Reception.SUMMARY: (DeliveryMode.SUBJECTS,),
    Reception.NOMAIL: (DeliveryMode.NONE,),
}
"""What ``set`` asks for, by the ways to receive; the first one that is offered. Sympa's DIGEST is as often as the list says."""
REMINDED = 1000
"""Members one ``remind`` writes to; longer lists are reached by writing to the list."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One command and the list it is about; None where there is none, or none the sender may know of."""

    command: Command
    list: List | None

    @property
    def changes(self) -> bool:
        """Whether it has to be confirmed. ``subscribe`` asks by a letter of its own."""
        return self.command.verb in CHANGING and self.command.verb is not Verb.SUBSCRIBE


def resolve(commands: Sequence[Command], here: List | None, host: str, author: Address) -> list[Asked]:
    """Each command with its list; ``*`` becomes one for each list of ``host`` the author is on."""
    found: list[Asked] = []
    for command in commands:
        if command.list == EVERY:
            found += [Asked(command, list_) for list_ in {membership.list_id: membership.list for membership in mine(author, host)}.values()] or [Asked(command, None)]
        elif command.list == "":
            found.append(Asked(command, here))
        else:
            named = _there(host).filter(address=command.list if "@" in command.list else f"{command.list}@{host}").first()
            found.append(Asked(command, named if named and known(named, author) else None))
    return found


def known(list_: List, author: Address) -> bool:
    """Whether somebody may know that the list exists: anybody where anybody may join, else who is on it or has a role."""
    return joining.open_to_all(list_) or Membership.objects.filter(list=list_, until__isnull=True, address__in=_own(author)).exists() or holds(list_, author, *(kind for kind in RoleKind if kind is not RoleKind.REFUSED_SENDER))


def mine(author: Address, host: str) -> QuerySet[Membership]:
    """What the author is on, among the lists of one host."""
    found = Membership.objects.filter(until__isnull=True, address__in=_own(author), list__address__endswith=f"@{host}").exclude(list__state=ListState.DELETED)
    return found.select_related("list__organisation", "list__domain", "address").order_by("list__address", "id")


def look(asked: Asked, author: Address, host: str) -> Said:
    """The answer to what changes nothing."""
    verb, list_ = asked.command.verb, asked.list
    if verb is Verb.WHICH:
        return _which(mine(author, host))
    if verb is Verb.LISTS:
        return _lists(host)
    if verb is Verb.UNKNOWN:
        return lambda: _("This command is not offered here; write “help” for those that are.")
    if list_ is None:
        return _no_list
    return _review(list_, author) if verb is Verb.REVIEW else _info(list_)


def refused(asked: Asked, author: Address) -> Said | None:
    """Why a change cannot be asked for; None when it can."""
    command, list_ = asked.command, asked.list
    if list_ is None:
        return _no_list
    name = list_.address
    if command.verb in OWNERS:
        return None if holds(list_, author, RoleKind.OWNER) else lambda: _("%(list)s: only its owners may do this.") % {"list": name}
    if command.email and command.email != author.email:
        return lambda: _("%(list)s: write from the address it is about.") % {"list": name}
    if not Membership.objects.filter(list=list_, until__isnull=True, address__in=_own(author)).exists():
        return lambda: _("%(list)s: your address is not on this list.") % {"list": name}
    if command.verb is Verb.UNSUBSCRIBE and not policy(list_).leaving.asked_for:
        return lambda: _("%(list)s: only an owner removes members; write to %(owner)s.") % {"list": name, "owner": owner_address(list_)}
    if command.verb is Verb.SET and delivery(command.word, list_) is None and command.word not in OWN_COPY:
        words = ", ".join(f"set {word}" for word in RECEIVING if delivery(word, list_))
        return lambda: _("%(list)s: this way of receiving is not offered; there are: %(words)s.") % {"list": name, "words": words}
    return None


def wanted(asked: Asked) -> str:
    """What a change would do, one line in the active language."""
    command, name = asked.command, asked.list.address if asked.list else ""
    words = {
        Verb.UNSUBSCRIBE: _("leave the list %(list)s") if asked.list and policy(asked.list).leaving.by_oneself else _("ask the owners of %(list)s to let you go"),
        Verb.SUSPEND: _pausing(command),
        Verb.RESUME: _("receive the messages of %(list)s again"),
        Verb.ADD: _("add %(email)s to the list %(list)s"),
        Verb.DEL: _("remove %(email)s from the list %(list)s"),
        Verb.INVITE: _("invite %(email)s to the list %(list)s"),
        Verb.REMIND: _("write to every member of %(list)s how to leave it"),
        Verb.SET: _receiving(asked) if command.verb is Verb.SET else "",
    }[command.verb]
    return f"- {words}" % {"list": name, "email": command.email, "first": _shown(command.first), "last": _shown(command.last)}


def _receiving(asked: Asked) -> str:
    own = {Reception.NOT_ME: _("receive no copy of my own messages to %(list)s"), Reception.ME_TOO: _("receive a copy of my own messages to %(list)s")}
    if asked.command.word in own:
        return own[Reception(asked.command.word)]
    mode = delivery(asked.command.word, asked.list) if asked.list else None
    return {
        DeliveryMode.EACH: _("receive every message of %(list)s"), DeliveryMode.SUBJECTS: _("receive only the subjects of the messages of %(list)s"),
        DeliveryMode.DAILY_MIME: _("receive the messages of %(list)s in a daily digest"), DeliveryMode.DAILY_PLAIN: _("receive the messages of %(list)s in a daily digest in plain text"),
        DeliveryMode.WEEKLY_MIME: _("receive the messages of %(list)s in a weekly digest"), DeliveryMode.WEEKLY_PLAIN: _("receive the messages of %(list)s in a weekly digest in plain text"),
    }.get(mode or DeliveryMode.NONE, _("stay on the list %(list)s and receive no message"))  # fmt: skip


def delivery(word: str, list_: List) -> DeliveryMode | None:
    """How ``set`` has members receive, by the first of its ways that the list offers; None where it offers none."""
    there = offered(policy(list_))
    return next((mode for mode in RECEIVING.get(Reception(word), ()) if mode in there), None)


def do(asked: Asked, author: Address, now: datetime) -> Said:
    """Do a confirmed change; whether the author may is looked at again."""
    command, list_ = asked.command, asked.list
    if (why := refused(asked, author)) or list_ is None:
        return why or _no_list
    if command.verb in OWNERS:
        return _as_owner(command, list_, author, now)
    own = list(Membership.objects.filter(list=list_, until__isnull=True, address__in=_own(author)).select_related("address"))
    emails, by = [membership.address.email for membership in own], author.email
    if command.verb is Verb.UNSUBSCRIBE:
        outcomes = [leaving.ask(list_, membership.address, now, by=by, sure=leaving.Sure.SAID, door="mail") for membership in own]
        return lambda: "\n".join(dict.fromkeys(parted(outcome, list_) for outcome in outcomes))
    elif command.word in OWN_COPY:
        for membership in own:
            personal.choose(membership, replace(personal.choices_of(membership), own_copy=OWN_COPY[Reception(command.word)]), now, by=by)
    elif command.verb is Verb.SET:
        mode = delivery(command.word, list_)
        assert mode is not None  # refused above
        memberships.set_delivery(list_, emails, mode, now, by=by)
        if mode is not DeliveryMode.NONE:
            memberships.pause(list_, emails, now, by=by, paused=False)
    elif command.first or command.last or command.verb is Verb.RESUME:
        begins, ends = _morning(command.first, author), _morning(command.last + timedelta(days=1), author) if command.last else None
        if ends and ends <= now:
            return lambda: _("%(list)s: the pause is over before it begins.") % {"list": list_.address}
        for membership in own:
            personal.choose(membership, replace(personal.choices_of(membership), pause_from=begins, pause_until=ends), now, by=by)
        if command.verb is Verb.RESUME:
            memberships.pause(list_, emails, now, by=by, paused=False)
    else:
        memberships.pause(list_, emails, now, by=by)
    return lambda: _("Done: %(what)s") % {"what": wanted(asked).removeprefix("- ")}


def parted(outcome: leaving.Outcome, list_: List) -> str:
    """What became of the wish to leave, in the active language."""
    return {
        leaving.Outcome.LEFT: _("Done: %(what)s") % {"what": _("leave the list %(list)s") % {"list": list_.address}},
        leaving.Outcome.WAITING: _("%(list)s: an owner will decide about your request to leave.") % {"list": list_.address},
        leaving.Outcome.REFUSED: _("%(list)s: the owners decided today that you stay; write to %(owner)s.") % {"list": list_.address, "owner": owner_address(list_)},
    }.get(outcome, _("%(list)s: only an owner removes members; write to %(owner)s.") % {"list": list_.address, "owner": owner_address(list_)})


def unsubscribe(asked: Asked, author: Address, now: datetime, proof: str) -> Said | None:
    """Leave, or have the owners asked, where no letter has to ask the author first; None where one has to. ``proof``: what shows
    that the author wrote it."""
    list_ = asked.list
    assert list_ is not None  # what cannot be asked for was refused before
    own = list(Membership.objects.filter(list=list_, until__isnull=True, address__in=_own(author)).select_related("address__person"))
    sure = leaving.Sure.VOUCHED if proof else leaving.Sure.NO
    outcomes = [leaving.ask(list_, membership.address, now, by=author.email, sure=sure, door="mail") for membership in own]
    return None if leaving.Outcome.UNSURE in outcomes else lambda: "\n".join(dict.fromkeys(parted(outcome, list_) for outcome in outcomes))


def subscribe(asked: Asked, author: Address, now: datetime, in_reply_to: str = "", proof: str = "") -> Said | None:
    """Ask the author's address to confirm; what to say besides, None when the letter says it all. An owner who names
    somebody else is told of ``invite``. ``proof``: what shows that the author wrote it."""
    command, list_ = asked.command, asked.list
    if list_ is None:
        return _no_list
    name = list_.address
    if command.email and command.email != author.email:
        return lambda: _("%(list)s: write from the address it is about.") % {"list": name}
    outcome = joining.ask(list_, author, now, joining.Asking(command.name, proof=proof), in_reply_to)
    if outcome is Outcome.CLOSED:
        return lambda: _("%(list)s: only its owners add members; write to %(owner)s.") % {"list": name, "owner": owner_address(list_)}
    if outcome is Outcome.MEMBER:
        return lambda: _("%(list)s: you are a member already.") % {"list": name}
    return (lambda: _("%(list)s: an owner will decide about your request.") % {"list": name}) if outcome is Outcome.WAITING else None


# --- how ---


def _pausing(command: Command) -> str:
    if command.first and command.last:
        return _("receive nothing from %(list)s from %(first)s to %(last)s")
    if command.first:
        return _("receive nothing from %(list)s from %(first)s on")
    return _("receive nothing from %(list)s until %(last)s is over") if command.last else _("receive nothing from %(list)s until further notice")


def _shown(day: date | None) -> str:
    return moments.day(day) if day else ""


def _morning(day: date | None, author: Address) -> datetime | None:
    """When a day begins where the author lives."""
    return timezone.make_aware(datetime.combine(day, time()), zone_of(author.person)) if day else None


def _no_list() -> str:
    return _("No list of that name is open to you here; write “lists” for those anybody may join, “which” for yours.")


def _own(author: Address) -> QuerySet[Address]:
    """The author's address, and the other ones of the person where it is known to be theirs."""
    return Address.objects.filter(person=author.person_id) if author.person_id and author.verified_at else Address.objects.filter(pk=author.pk)


def _there(host: str) -> QuerySet[List]:
    return List.objects.filter(address__endswith=f"@{host}").exclude(state__in=(ListState.DELETED, ListState.PENDING)).select_related("organisation", "domain").order_by("address")


def _which(found: QuerySet[Membership]) -> Said:
    rows = list(found[:SHOWN])

    def words() -> str:
        lines = [f"- {row.list.address}{_(' (paused)') if row.paused else _(' (no mail)') if row.delivery == DeliveryMode.NONE else f' ({_(DELIVERIES[row.delivery])})' if row.delivery != DeliveryMode.EACH else ''}" for row in rows]
        return "\n".join([_("You are on these lists:"), *lines]) if rows else _("Your address is on no list here.")

    return words


def _lists(host: str) -> Said:
    site = site_policy()
    rows = [list_ for list_ in _there(host).filter(state=ListState.ACTIVE)[:SHOWN] if (found := policy(list_, site)).joining.asked_for and not found.hidden]
    return lambda: "\n".join([_("Lists one can join:"), *(f"- {row.address}{f': {row.title}' if row.title else ''}" for row in rows)]) if rows else _("No list here is open for joining.")


def _info(list_: List) -> Said:
    def words() -> str:
        way = {
            Joining.OPEN: _("Anybody joins"), Joining.CONFIRM: _("Anybody joins"), Joining.OWNER: _("Anybody asks, and an owner decides"), Joining.APPROVAL: _("Anybody asks, and an owner decides"),
            Joining.INVITED: _("Only whom an owner invites"), Joining.CLOSED: _("Only an owner adds members"),
        }[policy(list_).joining]  # fmt: skip
        return "\n".join(line for line in (f"{list_.address}: {list_.title}", list_.description, way, _("Owners: %(owner)s") % {"owner": owner_address(list_)}) if line)

    return words


def _review(list_: List, author: Address) -> Said:
    """Members for whom the settings let see them; those who are hidden for owners and moderators only."""
    found, shown = Membership.objects.filter(list=list_, until__isnull=True), policy(list_).members_shown
    if shown is MembersShown.NOBODY:
        return lambda: _("%(list)s shows its members to nobody.") % {"list": list_.address}
    if not holds(list_, author, RoleKind.OWNER, RoleKind.MODERATOR):
        if shown is not MembersShown.MEMBERS or not found.filter(address__in=_own(author)).exists():
            return lambda: _("%(list)s: only its owners and moderators see the members.") % {"list": list_.address}
        found = found.filter(hidden=False)
    rows, count = list(found.order_by("address__email").values_list("address__email", "address__name")[:SHOWN]), found.count()

    def words() -> str:
        head = ngettext("%(list)s has %(n)s member:", "%(list)s has %(n)s members:", count) % {"list": list_.address, "n": count}
        return "\n".join([head, *(f"- {email} {name}".rstrip() for email, name in rows), *(["…"] if count > len(rows) else [])])

    return words


def _as_owner(command: Command, list_: List, author: Address, now: datetime) -> Said:
    values = {"list": list_.address, "email": command.email}
    if command.verb is Verb.ADD:
        added = memberships.add(list_, [(command.email, command.name)], now, by=author.email)
        if added.left:
            return lambda: _("%(email)s left %(list)s and is not brought back; invite the address instead.") % values
        return (lambda: _("%(email)s is on %(list)s now.") % values) if added.added or added.already else (lambda: _("%(email)s cannot be added to %(list)s.") % values)
    if command.verb is Verb.DEL:
        gone = memberships.remove(list_, [command.email], now, by=author.email).removed
        return (lambda: _("%(email)s is no longer on %(list)s.") % values) if gone else (lambda: _("%(email)s was not on %(list)s.") % values)
    if command.verb is Verb.INVITE:
        outcome = joining.invite(list_, command.email, now, by=author.email, name=command.name)
        return (lambda: _("%(email)s is on %(list)s already.") % values) if outcome is Outcome.MEMBER else (lambda: _("%(email)s is invited to %(list)s.") % values)
    return _remind(list_, now)


def _remind(list_: List, now: datetime) -> Said:
    """A letter to every member who receives, once a day."""
    found = Membership.objects.filter(list=list_, until__isnull=True, paused=False).select_related("address__person").order_by("id")
    if found.count() > REMINDED:
        return lambda: _("%(list)s has more than %(most)s members: write to the list instead.") % {"list": list_.address, "most": REMINDED}
    if Mailing.objects.filter(list=list_, letter="reminder", created__gt=now - timedelta(days=1)).exists():
        return lambda: _("%(list)s: the members were reminded today.") % {"list": list_.address}
    leave = leaving.asked_for(list_)
    count = 0
    for membership in found:
        fields = {"list": list_.address, "title": list_.title or list_.address, "email": membership.address.email, "owner": owner_address(list_), "leave": leave}
        letters.send("reminder", membership.address, now, list_=list_, fields=fields)
        count += 1
    return lambda: ngettext("%(list)s: %(n)s member is reminded.", "%(list)s: %(n)s members are reminded.", count) % {"list": list_.address, "n": count}
