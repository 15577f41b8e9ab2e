"""The policy of a list: every option declared once, with type, default, limits and one sentence.

A value is inherited site -> organisation -> domain -> template -> list. Each layer is a mapping (JSONB) where an absent
key inherits and ``None`` means "none chosen". Forms, CLI, documentation and importers follow from this declaration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from colporteur.domain.addresses import normal
from colporteur.domain.campaigns import Tracking
from colporteur.domain.digests import DeliveryMode, Offered, Weekday
from colporteur.domain.mailings import Pace
from colporteur.domain.standing import Preset
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _


class Layer(StrEnum):
    """Where a value may be set, weakest first."""

    DEFAULT = "default"
    SITE = "site"
    ORGANISATION = "organisation"
    DOMAIN = "domain"
    TEMPLATE = "template"
    LIST = "list"


class Posting(StrEnum):
    """Who may write without waiting for a moderator."""

    NOBODY = "nobody"  # moderated for everybody; moderators and free senders pass
    MEMBERS = "members"
    KNOWN = "known"  # members and people the organisation knows
    WORLD = "world"


class Stranger(StrEnum):
    """What becomes of a message whose sender is unknown."""

    HOLD = "hold"
    REJECT = "reject"
    DISCARD = "discard"


class Senders(StrEnum):
    """Whose messages are taken at all."""

    ALL = "all"  # from inside and outside
    INTERNAL = "internal"  # of the organisation only, and proven


class Unproven(StrEnum):
    """What becomes of a message that names an internal sender and proves nothing."""

    HOLD = "hold"
    REJECT = "reject"


class ReportsTo(StrEnum):
    """Who is told when copies of a message could not be delivered."""

    SENDER = "sender"
    OWNER = "owner"
    NOBODY = "nobody"


class ReplyTo(StrEnum):
    """Where an answer goes."""

    SENDER = "sender"
    LIST = "list"
    BOTH = "both"
    ADDRESS = "address"


class FromForm(StrEnum):
    """Whose address stands in From."""

    AUTHOR = "author"  # always the author
    WHEN_NEEDED = "when_needed"  # the list when the author's domain publishes DMARC quarantine or reject
    LIST = "list"  # always the list


class Copies(StrEnum):
    """What the copies of one message have in common."""

    INDIVIDUAL = "individual"  # each its own envelope sender, links and footer
    TOGETHER = "together"  # the same bytes for all, many recipients in one transaction


class Urgency(StrEnum):
    """Whose copies leave first when much is waiting."""

    PROMPT = "prompt"  # discussions
    PATIENT = "patient"  # newsletters


class Joining(StrEnum):
    """How somebody becomes a member."""

    OPEN = "open"  # at once, when the address is proven; else whoever confirms it
    CONFIRM = "confirm"  # whoever confirms the address
    OWNER = "owner"  # whoever is admitted by an owner
    APPROVAL = "approval"  # whoever confirms the address and is admitted by an owner
    INVITED = "invited"  # whom an owner invites, and who says yes
    CLOSED = "closed"

    @property
    def asked_for(self) -> bool:
        """Whether anybody may ask."""
        return self not in (Joining.INVITED, Joining.CLOSED)


class MembersShown(StrEnum):
    """Who may see who is on the list."""

    NOBODY = "nobody"
    OWNERS = "owners"
    MEMBERS = "members"


class Leaving(StrEnum):
    """How members leave."""

    OPEN = "open"  # at once, when the address is proven; else whoever confirms it
    CONFIRM = "confirm"  # whoever presses the button of a page, or answers the letter that asks
    OWNER = "owner"  # whoever an owner lets go
    APPROVAL = "approval"  # whoever confirms and an owner lets go
    CLOSED = "closed"

    @classmethod
    def _missing_(cls, value: object) -> Leaving | None:
        return cls.CONFIRM if value == "free" else None  # as it was called before

    @property
    def asked_for(self) -> bool:
        """Whether members may ask."""
        return self is not Leaving.CLOSED

    @property
    def by_oneself(self) -> bool:
        """Whether the member's word is enough."""
        return self in (Leaving.OPEN, Leaving.CONFIRM)


class WhenGone(StrEnum):
    """What becomes of the membership of an address that is gone."""

    LEAVE = "leave"
    SUSPEND = "suspend"  # stays and receives nothing


class OnComplaint(StrEnum):
    """What becomes of the membership of somebody who reports a message as spam."""

    LEAVE = "leave"
    PAUSE = "pause"


class ServiceOff(StrEnum):
    """What mail to a list gets while its service is off."""

    REJECT = "reject"
    DEFER = "defer"


DELIVERIES: dict[str, str] = {
    "each": _("Each message"), "subjects": _("Only subjects, with a link"), "daily-mime": _("A daily digest"), "daily-plain": _("A daily digest in plain text"),
    "weekly-mime": _("A weekly digest"), "weekly-plain": _("A weekly digest in plain text"), "none": _("Nothing; reads elsewhere"),
}  # fmt: skip
"""What the ways to receive are called."""


def offered(policy: Policy) -> tuple[DeliveryMode, ...]:
    """The ways to receive that members of a list can choose; each message, nothing, and what new members have always are."""
    return tuple(
        mode for mode in DeliveryMode
        if mode in (DeliveryMode.EACH, DeliveryMode.NONE, policy.delivery) or (mode is DeliveryMode.SUBJECTS and policy.subjects) or (mode.cadence and policy.digests in (Offered.BOTH, mode.cadence.value))
    )  # fmt: skip


def _option(default: Any, section: str, label: str, sentence: str, *, choices: Mapping[str, str] | None = None, unit: str = "", least: int | None = None, most: int | None = None, only: tuple[Layer, ...] = tuple(Layer)) -> Any:
    """``only``: the layers where it may be set; elsewhere it counts for nothing."""
    return field(default=default, metadata={"section": section, "label": label, "sentence": sentence, "choices": choices, "unit": unit, "least": least, "most": most, "only": only})


WRITING, MODERATION, REPLIES, MESSAGE, LEAVING, BOUNCES, NOTICES, SERVICE = "writing", "moderation", "replies", "message", "leaving", "bounces", "notices", "service"
DIGESTS = "digests"
CAMPAIGNS = "campaigns"
SECTIONS: dict[str, str] = {
    WRITING: _("Who writes"),
    MODERATION: _("Moderation"),
    REPLIES: _("Replies"),
    MESSAGE: _("The message"),
    DIGESTS: _("Digests"),
    CAMPAIGNS: _("Newsletters"),
    LEAVING: _("Joining and leaving"),
    BOUNCES: _("Messages that come back"),
    NOTICES: _("Notices"),
    SERVICE: _("Service"),
}


@dataclass(frozen=True)
class Policy:
    """Effective values for one list. Sizes in bytes, delays in days."""

    posting: Posting = _option(Posting.MEMBERS, WRITING, _("Who may write to the list"), _("Messages of others follow the setting “Message of a stranger”."), choices={
        "nobody": _("Nobody without a moderator's approval"), "members": _("The members"), "known": _("The members and people we know"), "world": _("Anybody")})
    stranger: Stranger = _option(Stranger.HOLD, WRITING, _("Message of a stranger"), _("What becomes of a message whose sender may not write without approval and is not known."), choices={
        "hold": _("It waits for a moderator"), "reject": _("It is refused with a word"), "discard": _("It is thrown away")})
    senders: Senders = _option(Senders.ALL, WRITING, _("Whose messages are taken"), _("Internal senders have an address at a domain of the organisation, or look after it or one of its lists; that the message is theirs must be proven by a mail server the administrator named."), choices={
        "all": _("From inside and outside the organisation"), "internal": _("Only those of internal senders")})
    unproven: Unproven = _option(Unproven.HOLD, WRITING, _("Internal sender not proven"), _("What becomes of a message that names an internal sender when only those may write and no named server vouches for it."), choices={
        "hold": _("It waits for a moderator"), "reject": _("It is refused with a word")})
    trusted_servers: str = _option("", WRITING, _("Servers that vouch for senders"), _("Names (authserv-id) your own mail servers write into Authentication-Results, one per line. They must remove fields with their name from mail that comes from outside (RFC 8601)."), only=(Layer.SITE, Layer.ORGANISATION))
    max_size: int = _option(10 * 1024 * 1024, WRITING, _("Size of a message"), _("Attachments included. A larger message waits for a decision."), unit="bytes", least=1024, most=200 * 1024 * 1024)
    blocked: str = _option("", WRITING, _("Blocked senders"), _("Addresses, or domains written @example.org, one per line; their messages are thrown away."))

    moderate_all: bool = _option(False, MODERATION, _("Moderators wait too"), _("Messages of moderators and owners wait for approval like those of others; only free senders write without waiting."))
    expire_days: int = _option(14, MODERATION, _("Without a decision"), _("After this delay the sender is told that the message did not leave."), unit="days", least=1, most=365)

    reply_to: ReplyTo = _option(ReplyTo.SENDER, REPLIES, _("A reply goes"), _("Where the answer goes when a member presses “Reply”."), choices={
        "sender": _("To the author of the message"), "list": _("To the list"), "both": _("To the author and the list"), "address": _("To a given address")})
    reply_address: str = _option("", REPLIES, _("Reply address"), _("Used when replies go to a given address."))

    prefix: str = _option("", MESSAGE, _("Before the subject"), _("A few letters that help to recognise the list in a full mailbox."))
    footer: str = _option("", MESSAGE, _("Footer"), _("Text at the end of each message; {list}, {address}, {email}, {name} and {unsubscribe} are filled in."))
    from_form: FromForm = _option(FromForm.WHEN_NEEDED, MESSAGE, _("Sender shown"), _("Whose address members see as the sender."), choices={
        "author": _("The author"), "when_needed": _("The author, or the list when the author's provider demands it"), "list": _("The list")})
    copies: Copies = _option(Copies.INDIVIDUAL, MESSAGE, _("Copies"), _("A copy for each member names them, has their own link for leaving and tells exactly whose address fails. The same copy for all burdens a small mail server less."), choices={
        "individual": _("One for each member"), "together": _("The same for all, many members at a time")})
    urgency: Urgency = _option(Urgency.PROMPT, MESSAGE, _("When much is waiting"), _("Which messages leave first when more is waiting than the sending service can take. Letters about moderation, signing in and leaving always go first."), choices={
        "prompt": _("They leave early, as a discussion needs it"), "patient": _("They give way to discussions, like a newsletter")})
    pace: Pace = _option(Pace.USUAL, MESSAGE, _("How fast they leave"), _("As fast as the sending services and their limits allow, or evenly, so that providers see a calm sender."), choices={
        "usual": _("Discussions at once, newsletters evenly"), "fast": _("As fast as can be: by every sending service of the route, those that stand in too"), "even": _("Evenly over the time the limits give")})
    own_copy: bool = _option(True, MESSAGE, _("Authors get their own copy"), _("The author of a message receives it like the other members."))
    moderators_receive: bool = _option(False, MESSAGE, _("Moderators are members too"), _("Moderators receive the messages of the list without being on it."))
    free_senders_receive: bool = _option(False, MESSAGE, _("Free senders are members too"), _("Free senders receive the messages of the list without being on it."))
    skip_addressed: bool = _option(False, MESSAGE, _("Skip people already addressed"), _("Members who stand in To or Cc of the message get no second copy from the list."))

    digests: Offered = _option(Offered.BOTH, DIGESTS, _("Digests offered"), _("A digest gathers the messages of a day or a week in one. Who has one already keeps it."), choices={
        "both": _("Daily and weekly"), "daily": _("Daily"), "weekly": _("Weekly"), "none": _("None")})
    subjects: bool = _option(True, DIGESTS, _("Subjects offered"), _("Members can choose to receive only subject, author and a link to read each message."))
    delivery: DeliveryMode = _option(DeliveryMode.EACH, DIGESTS, _("New members receive"), _("What members have who did not choose."), choices=DELIVERIES)
    digest_hour: int = _option(18, DIGESTS, _("Hour of the digests"), _("From 0 to 23, on the clocks of the time zone below. Nothing is sent when there was no message."), least=0, most=23)
    digest_weekday: Weekday = _option(Weekday.FRIDAY, DIGESTS, _("Day of the weekly digest"), _("It leaves at the hour above."), choices={
        "monday": _("Monday"), "tuesday": _("Tuesday"), "wednesday": _("Wednesday"), "thursday": _("Thursday"), "friday": _("Friday"), "saturday": _("Saturday"), "sunday": _("Sunday")})
    digest_messages: int = _option(50, DIGESTS, _("Messages in a digest"), _("With so many it leaves at once; further ones go into the next."), least=1, most=500)
    digest_size: int = _option(1024 * 1024, DIGESTS, _("Size of a digest"), _("With so much it leaves at once. Of a message that is larger by itself the attachments are left out, and named."), unit="bytes", least=10 * 1024, most=20 * 1024 * 1024)
    time_zone: str = _option("", DIGESTS, _("Time zone"), _("A name like Europe/Paris; empty: that of the installation."))

    identity: str = _option("", CAMPAIGNS, _("Who sends"), _("Name and postal address at the foot of newsletters, on as many lines as they need. The law of many countries demands them."))
    tracking: Tracking = _option(Tracking.TOTALS, CAMPAIGNS, _("Opens and clicks"), _("What is learned of how newsletters are read. A single newsletter may learn less, never more. Nobody is named who did not agree to it, apart from receiving; who takes that back is forgotten, in earlier newsletters too."), choices={
        "off": _("Nothing"), "totals": _("Totals; nobody is named"), "people": _("Totals, and the names of those who agreed")})
    keep_details: int = _option(12, CAMPAIGNS, _("Details of a newsletter are kept"), _("So long it is known what became of each copy and who followed which link. After that only totals stay, for ever."), unit="months", least=1, most=120)
    stop_percent: int = _option(50, CAMPAIGNS, _("Stopped when so much fails"), _("A newsletter is paused by itself when so many of its copies failed for good, because then the fault is on our side; its owners are told. With 0 it never is."), unit="percent", least=0, most=100)
    stop_copies: int = _option(100, CAMPAIGNS, _("At the earliest after"), _("So many copies must have been accepted or have failed before a newsletter is stopped."), unit="copies", least=10, most=1_000_000)
    sample_minutes: int = _option(30, CAMPAIGNS, _("After the first part"), _("Where a part of a newsletter is sent first, the rest waits for so long after it, to see what comes back."), unit="minutes", least=0, most=10_080)
    sample_percent: int = _option(10, CAMPAIGNS, _("Failures of the first part"), _("When more of the first part failed, the rest does not leave until somebody says so."), unit="percent", least=0, most=100)
    public_archive: bool = _option(False, CAMPAIGNS, _("Public archive"), _("Anybody can read the newsletters that were sent, and follow them in a feed, without any personal value. A single newsletter can be left out."))

    joining: Joining = _option(Joining.CLOSED, LEAVING, _("Joining the list"), _("Who asks to join gets a letter first, and joins only by saying yes to it, unless it says otherwise. Owners can always add members."), choices={
        "open": _("Anybody joins; who is signed in or proven by a named server, at once"), "confirm": _("Anybody joins"), "owner": _("Anybody asks, and an owner decides; the address is not asked first"),
        "approval": _("Anybody asks, and an owner decides"), "invited": _("Only whom an owner invites"), "closed": _("Only an owner adds members")})
    join_question: str = _option("", LEAVING, _("Question to who joins"), _("A line shown on the page for joining, like “Where do you live?”. Owners read the answer with the request, and later as a note at the member."))
    form_return: str = _option("", LEAVING, _("After the form on your own site"), _("Where whoever filled it in is led, like https://example.org/thanks. Empty: to our own page, which says the same."))
    form_sites: str = _option("", LEAVING, _("Sites that may show the form"), _("Those that show the public form inside a page of their own, like https://example.org, separated by spaces. Empty: none."))
    hidden: bool = _option(False, LEAVING, _("Hidden list"), _("Neither the command “lists” nor the public page of its domain names it; whoever knows its address can still ask to join."))
    leaving: Leaving = _option(Leaving.CONFIRM, LEAVING, _("Leaving the list"), _("Each message says how, unless it is closed. Newsletters (messages that give way to discussions) can always be left without asking anybody."), choices={
        "open": _("Members leave when they like; mail proven by a named server is enough"), "confirm": _("Members leave when they like"), "owner": _("Members ask, and an owner decides; the address is not asked first"),
        "approval": _("Members ask, and an owner decides"), "closed": _("Only an owner removes members")})
    members_shown: MembersShown = _option(MembersShown.OWNERS, LEAVING, _("Who sees the members"), _("Members who are hidden are seen by owners only. Where nobody sees them, owners find one by the whole address; administrators see all."), choices={
        "nobody": _("Nobody"), "owners": _("The owners"), "members": _("The members too")})

    bounce_rule: Preset = _option(Preset.USUAL, BOUNCES, _("When an address is paused"), _("One rule for all lists, because an address that fails on one fails on all. Only what is the mailbox's own fault counts, once a message, and never a message that reached nobody. A paused address gets a short letter after 3, 10, 24 and 54 days: if one arrives, messages come again; if all come back, the address is gone."), choices={
        "usual": _("Messages in a row came back, on different days"), "three": _("The last three messages came back"), "scores": _("By points: number, kind and regularity (as Sympa does)"), "never": _("Never; it is only shown")}, only=(Layer.SITE,))
    bounce_messages: int = _option(2, BOUNCES, _("Messages that must come back"), _("For the rule of messages in a row, when the address does not exist. A mailbox that is full or switched off is given twice as many, over at least two weeks."), least=1, most=50, only=(Layer.SITE,))
    bounce_days: int = _option(1, BOUNCES, _("Over at least so many days"), _("From the first to the last message of the row; so a bad day at a provider pauses nobody."), unit="days", least=0, most=365, only=(Layer.SITE,))
    bounce_campaigns: int = _option(3, BOUNCES, _("Newsletters that must come back"), _("With every rule but “never”, an address that refused so many newsletters in a row which others received is paused, however short the time. With 0 newsletters count like other messages."), least=0, most=50, only=(Layer.SITE,))
    when_gone: WhenGone = _option(WhenGone.LEAVE, BOUNCES, _("When an address is gone"), _("What becomes of the member when even the letters to the address came back. Members who come from a source stay in any case and receive nothing. An owner can bring everybody back."), choices={
        "leave": _("The member leaves the list"), "suspend": _("The member stays and receives nothing")})
    on_complaint: OnComplaint = _option(OnComplaint.PAUSE, BOUNCES, _("When a message is reported as spam"), _("What becomes of a member who presses “Spam” on a message. All other lists are paused for this address, and the person gets one letter with a button to come back."), choices={
        "leave": _("The member leaves the list"), "pause": _("The member is paused")})
    tell_standing: bool = _option(True, BOUNCES, _("Tell the owners"), _("Once a day at most, owners get one letter with the addresses that were paused, are gone or came back."))

    tell_waiting: bool = _option(True, NOTICES, _("Tell the author: waiting"), _("The author of a held message is told that it waits for a moderator."))
    tell_stranger_waiting: bool = _option(False, NOTICES, _("Tell strangers too"), _("A sender we do not know is told as well; off by default, because senders of spam are forged."))
    tell_rejected: bool = _option(True, NOTICES, _("Tell the author: rejected"), _("The author is told when a message is rejected with notice."))
    tell_distributed: bool = _option(True, NOTICES, _("Tell the author: distributed"), _("The author is told when a moderator let the message through."))
    tell_unmoderated: bool = _option(False, NOTICES, _("Tell the author: sent at once"), _("The author is told of every message that went out without waiting."))
    tell_expired: bool = _option(True, NOTICES, _("Tell the author: expired"), _("The author is told when nobody decided in time."))

    reports_to: ReportsTo = _option(ReportsTo.NOBODY, NOTICES, _("Tell of failed copies"), _("Who gets a letter when copies of a message could not be delivered. Only owners are told the addresses."), choices={
        "sender": _("The author of the message"), "owner": _("The owners"), "nobody": _("Nobody; screens show it")})

    service_off: ServiceOff = _option(ServiceOff.REJECT, SERVICE, _("Mail while the service is off"), _("What a sender is told while the list's service is switched off."), choices={
        "reject": _("Refused with a clear text"), "defer": _("Try again later")})
    keep_deleted: int = _option(30, SERVICE, _("A deleted list is kept"), _("So long it can be restored with everything it has; then it goes for good."), unit="days", least=1, most=365)


class Effective(NamedTuple):
    """A value, the layer that set it, and what would be inherited if that layer said nothing."""

    value: Any
    origin: Layer
    inherited: Any
    inherited_origin: Layer


OPTIONS = {option.name: option for option in fields(Policy)}
_DEFAULTS = Policy()


def parse(name: str, text: Any) -> Any:
    """Typed value of the option ``name`` from form text, CLI text or JSON; ``None`` stays None.

    Raises ``Invalid`` with a sentence that says what to write.
    """
    option = OPTIONS.get(name)
    if option is None:
        raise Invalid(_("there is no setting called %(text)r; known: %(known)s"), text=name, known=", ".join(OPTIONS))
    default = getattr(_DEFAULTS, name)
    if text is None:
        return None
    if isinstance(default, StrEnum):
        try:
            return type(default)(str(text).strip())
        except ValueError:
            raise Invalid(_("%(name)s must be one of: %(known)s"), name=name, known=", ".join(type(default))) from None
    if isinstance(default, bool):
        word = str(text).strip().lower()
        if word not in _BOOL:
            raise Invalid(_("%(name)s must be yes or no"), name=name)
        return _BOOL[word]
    if isinstance(default, int):
        return _number(name, text, option.metadata["least"], option.metadata["most"])
    return _text(name, str(text).replace("\x00", ""))


def _text(name: str, value: str) -> str:
    if len(value) > 20_000:
        raise Invalid(_("%(name)s is longer than 20,000 characters"), name=name)
    if name == "trusted_servers":
        return "\n".join(_server(entry) for entry in re.split(r"[\s,;]+", value) if entry)
    if name == "blocked":
        return "\n".join(_blocked(entry) for entry in re.split(r"[\s,;]+", value) if entry)
    if name not in ("prefix", "reply_address", "join_question", "time_zone", "form_return", "form_sites"):
        return value
    value = value.strip()
    if not value.isprintable():
        raise Invalid(_("%(name)s must be one line"), name=name)
    if name == "time_zone" and value:
        return _zone(value)
    if name == "form_return" and value:
        return _page(value)
    if name == "form_sites":
        return " ".join(dict.fromkeys(_site(entry) for entry in re.split(r"[\s,;]+", value) if entry))
    return normal(value) if name == "reply_address" and value else value


def _page(value: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[!-~]*)?", value) or len(value) > 1000:
        raise Invalid(_("%(name)s: %(entry)r is not the address of a page: write it like https://example.org/thanks"), name="form_return", entry=value[:80])
    return value


def _site(entry: str) -> str:
    """An origin (RFC 6454 section 6.2) fit for a content policy."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?/?", entry):
        raise Invalid(_("%(name)s: %(entry)r is not a site: write it like https://example.org"), name="form_sites", entry=entry[:80])
    return entry.rstrip("/").lower()


def _blocked(entry: str) -> str:
    try:
        return normal(f"x{entry}")[1:] if entry.startswith("@") else normal(entry)
    except ValueError:
        raise Invalid(_("%(name)s: %(entry)r is neither an address nor a domain: write anna@example.org or @example.org"), name="blocked", entry=entry[:80]) from None


def _zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise Invalid(_("%(name)s: %(entry)r is not a time zone: write a name like Europe/Paris"), name="time_zone", entry=value[:80]) from None


def _server(entry: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,252}", entry):
        raise Invalid(_("%(name)s: %(entry)r is not the name of a server: write it as its Authentication-Results begin, like mx.example.org"), name="trusted_servers", entry=entry[:80])
    return entry.lower()


def changed(held: Mapping[str, Any], values: Mapping[str, str | None], here: Layer) -> tuple[dict[str, Any], dict[str, tuple[Any, Any]]]:
    """The layer ``here`` with options set from texts (None: inherit again), and what is different, option -> (old, new).

    Raises ``Invalid`` with a sentence for every wrong one.
    """
    parsed, wrong = {}, []
    for name, text in values.items():
        try:
            parsed[name] = parse(name, text)
            if text is not None and here not in OPTIONS[name].metadata["only"]:
                raise Invalid(_("%(name)s can only be set for: %(known)s"), name=name, known=", ".join(OPTIONS[name].metadata["only"]))
        except Invalid as error:
            wrong.append(error)
    if wrong:
        raise Invalid.all_of(wrong)
    layer = {name: value for name, value in held.items() if parsed.get(name, value) is not None}
    layer |= {name: value for name, value in parsed.items() if value is not None}
    return layer, {name: (held.get(name), value) for name, value in parsed.items() if (name in held) != (value is not None) or held.get(name) != value}


_BOOL = {"true": True, "yes": True, "on": True, "1": True, "oui": True, "false": False, "no": False, "off": False, "0": False, "non": False, "": False}
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def _number(name: str, text: Any, least: int | None, most: int | None) -> int:
    word = str(text).strip().lower().removesuffix("b")
    unit = word[-1:] if word[-1:] in "kmg" else ""
    try:
        number = int(word.removesuffix(unit) if unit else word) * _UNITS[unit]
    except ValueError:
        raise Invalid(_("%(name)s must be a whole number"), name=name) from None
    if (least is not None and number < least) or (most is not None and number > most):
        raise Invalid(_("%(name)s must be between %(least)s and %(most)s"), name=name, least=least, most=most)
    return number


def effective(layers: Mapping[Layer, Mapping[str, Any]]) -> dict[str, Effective]:
    """Every option with its effective value and where it comes from; unknown or unreadable keys are ignored. A newsletter can
    be left whatever is set."""
    answer = _folded(layers)
    if _held_back(answer, layers):
        answer["leaving"] = answer["leaving"]._replace(value=Leaving.CONFIRM)
    return answer


def holds_readers(layers: Mapping[Layer, Mapping[str, Any]]) -> bool:
    """Whether the settings would keep the members of a newsletter from leaving by themselves (RFC 8058 promises them a way out).
    A newsletter is what gives way to discussions, or follows a template that makes its messages do so."""
    return _held_back(_folded(layers), layers)


def check_leaving(layers: Mapping[Layer, Mapping[str, Any]]) -> None:
    """Raises ``Invalid`` when the settings would keep the members of a newsletter."""
    if holds_readers(layers):
        raise Invalid(_("members of a newsletter can always leave by themselves: leaving can only be %(known)s while messages give way to discussions"), known=", ".join(way for way in Leaving if way.by_oneself))


def _held_back(found: Mapping[str, Effective], layers: Mapping[Layer, Mapping[str, Any]]) -> bool:
    return not found["leaving"].value.by_oneself and Urgency.PATIENT in (found["urgency"].value, layers.get(Layer.TEMPLATE, {}).get("urgency"))


def _folded(layers: Mapping[Layer, Mapping[str, Any]]) -> dict[str, Effective]:
    answer, set_somewhere = {}, [(layer, held) for layer in Layer if (held := layers.get(layer))]
    for name in OPTIONS:
        value, origin = getattr(_DEFAULTS, name), Layer.DEFAULT
        before: tuple[Any, Layer] = (value, origin)
        for layer, held in set_somewhere:
            if name not in held or layer not in OPTIONS[name].metadata["only"]:
                continue
            try:
                parsed = parse(name, held[name])
            except ValueError:
                continue  # a value of an older version: inherit rather than stop mail
            before = (value, origin)
            # "None chosen" is the empty text for texts; other kinds have no such state and keep the default.
            value, origin = getattr(_DEFAULTS, name) if parsed is None else parsed, layer
        answer[name] = Effective(value, origin, *before)
    return answer


def policy_of(layers: Mapping[Layer, Mapping[str, Any]]) -> Policy:
    """The effective policy as one struct."""
    return Policy(**{name: found.value for name, found in effective(layers).items()})
