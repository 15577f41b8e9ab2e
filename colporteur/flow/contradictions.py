"""What is contradictory about a list's settings, in sentences for its owners; said at once, by screens and commands alike."""

from __future__ import annotations

from django.utils.translation import gettext as _

from colporteur.domain import policy as options
from colporteur.flow import mailings
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.mailboxes import Mailbox
from colporteur.store.policies import policy


def warnings(list_: List) -> list[str]:
    """What is contradictory about the list's settings, in sentences for its owners; empty when all is well."""
    found = policy(list_)
    kinds = set(Role.objects.filter(list=list_).values_list("kind", flat=True))
    said = []
    if not kinds & {RoleKind.OWNER, RoleKind.MODERATOR}:
        said.append(_("Nobody can approve: the list has no moderator and no owner."))
    if found.posting == options.Posting.NOBODY and found.stranger != options.Stranger.HOLD and not kinds:
        said.append(_("Nobody can write: every message waits for a moderator or is refused, and there is no moderator, owner or free sender."))
    if found.posting == options.Posting.NOBODY and not kinds & {RoleKind.MODERATOR, RoleKind.FREE_SENDER}:
        said.append(_("Nobody may write without approval, and there is no moderator or free sender: only the owners' own messages leave at once."))
    if found.reply_to == options.ReplyTo.ADDRESS and not found.reply_address:
        said.append(_("Replies should go to a given address, but none is given."))
    if found.copies == options.Copies.TOGETHER and any(word in found.footer for word in ("{name}", "{email}")):
        said.append(_("The footer names the reader, but all members get the same copy: these lines are left out."))
    said += _ways(list_)
    return said


def _ways(list_: List) -> list[str]:
    """Warnings about the ways in and out."""
    said = []
    transport = mailings.transport_for(list_)
    if transport is None:
        said.append(_("The list has no transport that is switched on: nothing can leave."))
    elif not transport.enabled:
        said.append(_("The transport %(name)s is switched off: nothing can leave.") % {"name": transport.name})
    if list_.domain is None and not Mailbox.objects.filter(list=list_, enabled=True).exists():
        said.append(_("The list lives at an address of another host but has no mailbox to collect from: nothing arrives."))
    if list_.domain and not list_.domain.enabled:
        said.append(_("The service of %(domain)s is switched off: the list takes and sends nothing.") % {"domain": list_.domain.name})
    return said
