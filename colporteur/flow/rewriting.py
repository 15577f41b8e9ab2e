"""What a list's copies look like, frozen when its mailing is planned: the same for every copy, however long sending lasts."""

from __future__ import annotations

from django.conf import settings

from colporteur.domain.policy import Copies, FromForm, Layer, Policy, Posting, ReplyTo, Stranger
from colporteur.domain.tokens import LENGTH
from colporteur.flow import senders
from colporteur.mail.render import Rewriting
from colporteur.store import mailboxes, wordings
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.policies import explained
from colporteur.store.posts import Post
from colporteur.store.transports import Transport

_LOCAL_PART = 64  # octets, RFC 5321 section 4.5.3.1.1


def frozen(mailing: Mailing, values: Policy) -> Rewriting:
    """The rewriting of a post's or a digest's mailing, from the list's effective policy and what its mailbox and transport allow."""
    list_, post = mailing.list, mailing.post
    assert list_
    mailbox = _mailbox(list_)
    leaving = values.leaving.asked_for
    nobody = values.posting == Posting.NOBODY and values.stranger == Stranger.REJECT
    traits = mailing.transport.traits if mailing.transport else {}
    together = values.copies == Copies.TOGETHER
    foreign_from = (mailbox.traits if mailbox else {}).get("from_address", True) and traits.get("from_address", True)
    return Rewriting(
        list_address=list_.address,
        list_title=list_.title or list_.name,
        list_id=list_.list_id,
        language=mailing.language,
        prefix=values.prefix,
        reply_to=_reply_to(list_, post, values),
        from_list=post is not None and (not foreign_from or _from_list(values.from_form, post)),  # a digest comes from the list as it is
        footer=_footer(list_, values, mailing.language),
        owner="" if mailbox else f"{list_.name}-owner@{list_.host}",
        help="" if mailbox else f"{list_.name}-request@{list_.host}",
        post="NO" if nobody else list_.address,
        unsubscribe_mailto=_leave_address(list_, mailbox, together) if leaving else "",
        unsubscribe_url=f"{settings.BASE_URL}/u/{{token}}" if leaving and settings.PUBLIC_HTTPS and not together else "",
        one_click=values.leaving.by_oneself,
        trace=not together,
        personal=not together,
    )


def _footer(list_: List, values: Policy, language: str) -> str:
    """The own footer of this language, unless the settings have one from a nearer place."""
    found = wordings.nearest("footer", language, wordings.above(list_))
    if found is None:
        return values.footer
    row, place = found
    layer = Layer.LIST if isinstance(place, List) else Layer.DOMAIN if isinstance(place, Domain) else Layer.ORGANISATION if isinstance(place, Organisation) else Layer.SITE
    nearer = list(Layer).index(explained(list_)["footer"].origin) > list(Layer).index(layer)
    return values.footer if nearer else row.text


def bounces_address(list_: List, transport: Transport | None, *, together: bool = False) -> str:
    """Envelope sender: where reports about copies go, ``{token}`` naming the copy (VERP); the bare address where nothing
    else is taken, and without a token where all copies are one (``together``)."""
    found = mailboxes.of_list(list_.pk)
    if found and found.only_reports and (reports := _reports_to(found, together)):
        return reports
    mailbox = found if found and not found.only_reports else None
    if only := _only_sender(list_, mailbox, transport):
        return only
    if mailbox:
        if together or not (mailbox.traits.get("plus_part", False) and _fits(f"{list_.name}+")):
            return list_.address
        return f"{list_.name}+{{token}}@{list_.host}"
    if together:
        return f"{list_.name}-bounces@{list_.host}" if _fits(f"{list_.name}-bounces+") else f"b@{list_.host}"
    return f"{list_.name}-bounces+{{token}}@{list_.host}" if _fits(f"{list_.name}-bounces+") else f"b+{{token}}@{list_.host}"


def _reports_to(mailbox: Mailbox, together: bool) -> str:
    """Envelope sender where a mailbox is there for reports only; "" when none can be named."""
    if not mailbox.enabled or "@" not in mailbox.user:
        return ""
    local, _at, host = mailbox.user.rpartition("@")
    return f"{local}+{{token}}@{host}" if not together and mailbox.traits.get("plus_part", False) and _fits(f"{local}+") else mailbox.user


def only_sender(list_: List, transport: Transport | None) -> str:
    """The one envelope sender that is taken where a live test saw no other accepted, letters included; "" elsewhere."""
    return _only_sender(list_, _mailbox(list_), transport)


def _only_sender(list_: List, mailbox: Mailbox | None, transport: Transport | None) -> str:
    if (transport and not transport.traits.get("envelope_sender", True)) or (mailbox and not mailbox.traits.get("envelope_sender", False)):
        return mailbox.user if mailbox and "@" in mailbox.user else list_.address
    return ""


def _from_list(form: FromForm, post: Post) -> bool:
    """Whether the list stands in From. An author nobody can name has no domain to ask about, and receivers refuse such a
    From of a strict domain, or any: the list answers for what a moderator let through."""
    return form == FromForm.LIST or (form == FromForm.WHEN_NEEDED and (not post.sender or senders.strict(senders.domain_of(post.sender))))


def _reply_to(list_: List, post: Post | None, values: Policy) -> tuple[str, ...]:
    if post is None:  # a digest: it has many authors
        closed = values.posting == Posting.NOBODY and values.stranger == Stranger.REJECT and not _mailbox(list_)
        return (values.reply_address if values.reply_to == ReplyTo.ADDRESS and values.reply_address else f"{list_.name}-owner@{list_.host}" if closed else list_.address,)
    if values.reply_to == ReplyTo.LIST:
        return (list_.address,)
    if values.reply_to == ReplyTo.BOTH:
        return tuple(dict.fromkeys(filter(None, (post.sender, list_.address))))
    if values.reply_to == ReplyTo.ADDRESS and values.reply_address:
        return (values.reply_address,)
    return ()


def _leave_address(list_: List, mailbox: Mailbox | None, together: bool) -> str:
    """Address whose mail ends the membership, the token in it; with a long name, or where no plus-part arrives, the token
    stands in the subject. Without a token, where all copies are one, whoever writes there is asked to confirm."""
    if together:
        return f"mailto:{list_.address}?subject=unsubscribe" if mailbox else f"{list_.name}-unsubscribe@{list_.host}"
    if mailbox is None:
        for word in ("unsubscribe", "leave"):
            if _fits(f"{list_.name}-{word}+"):
                return f"{list_.name}-{word}+{{token}}@{list_.host}"
        return f"mailto:{list_.name}-leave@{list_.host}?subject=unsubscribe%20%5B%23{{token}}%5D"
    if mailbox.traits.get("plus_part", False) and _fits(f"{list_.name}+"):
        return f"mailto:{list_.name}+{{token}}@{list_.host}?subject=unsubscribe"
    return f"mailto:{list_.address}?subject=unsubscribe%20%5B%23{{token}}%5D"


def _fits(before: str) -> bool:
    return len(before.encode()) + LENGTH <= _LOCAL_PART


def _mailbox(list_: List) -> Mailbox | None:
    """The mailbox the list is run from: it then has one address, whatever its domain is."""
    found = mailboxes.of_list(list_.pk)
    return found if found and not found.only_reports else None
