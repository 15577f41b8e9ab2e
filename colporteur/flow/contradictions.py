"""What is contradictory about a list's settings, in sentences for its owners; said at once, by screens and commands alike."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from colporteur.domain import policy as options
from colporteur.flow import mailings, nesting
from colporteur.flow.moderation.known import Known
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.mailboxes import Mailbox
from colporteur.store.memberships import Membership
from colporteur.store.policies import layers, policy


def warnings(list_: List) -> list[str]:
    """What is contradictory about the list's settings, in sentences for its owners; empty when all is well."""
    found = policy(list_)
    kinds = set(Role.objects.filter(list=list_).values_list("kind", flat=True))
    said = []
    if not kinds & {RoleKind.OWNER, RoleKind.MODERATOR}:
        said.append(_("Nobody can approve: the list has no moderator and no owner."))
    if found.posting == options.Posting.NOBODY and found.stranger != options.Stranger.HOLD and not kinds & {RoleKind.OWNER, RoleKind.MODERATOR, RoleKind.FREE_SENDER}:
        said.append(_("Nobody can write: every message waits for a moderator or is refused, and there is no moderator, owner or free sender."))
    if found.posting == options.Posting.NOBODY and not kinds & {RoleKind.MODERATOR, RoleKind.FREE_SENDER}:
        said.append(_("Nobody may write without approval, and there is no moderator or free sender: only the owners' own messages leave at once."))
    if found.reply_to == options.ReplyTo.ADDRESS and not found.reply_address:
        said.append(_("Replies should go to a given address, but none is given."))
    if found.copies == options.Copies.TOGETHER and any(word in found.footer for word in ("{name}", "{email}")):
        said.append(_("The footer names the reader, but all members get the same copy: these lines are left out."))
    if options.holds_readers(layers(list_)):
        said.append(_("Members of a newsletter can always leave by themselves: what the setting “Leaving the list” says counts for nothing here."))
    said += _senders(list_, found)
    said += nesting.warnings(list_, found)
    said += _ways(list_)
    return said


def _senders(list_: List, found: options.Policy) -> list[str]:
    """Warnings about who may write."""
    said = []
    internal = found.senders == options.Senders.INTERNAL
    if internal and not found.trusted_servers:
        said.append(_("Only internal senders may write, but no server that vouches for them is named: every message from outside this site waits or is refused. An administrator names it in the settings of the site or the organisation."))
    rows = list(Role.objects.filter(list=list_, kind__in=(RoleKind.ALLOWED_SENDER, RoleKind.REFUSED_SENDER)).select_related("person", "address", "group"))
    allowed, refused = ([role for role in rows if role.kind == kind] for kind in (RoleKind.ALLOWED_SENDER, RoleKind.REFUSED_SENDER))
    outside = _outside(list_, allowed) if internal and allowed else {}
    said += [_("%(who)s is an allowed sender, but writes from outside: only internal senders may write to this list.") % {"who": who} for who in list(outside.values())[:5]]
    holders = {(role.person_id, role.address_id, role.group_id, role.domain) for role in refused}
    both = [role for role in allowed if (role.person_id, role.address_id, role.group_id, role.domain) in holders]
    if allowed and all(role in both or role.pk in outside for role in allowed):
        said.append(_("Nobody can write: every allowed sender is refused or writes from outside."))
    elif both:
        said.append(_("Somebody is an allowed and a refused sender: being refused is stronger."))
    empty = [role.group.address for role in Role.objects.filter(list=list_, group__isnull=False).select_related("group") if role.group and not Membership.objects.filter(list=role.group_id, until__isnull=True).exists()]
    said += [_("The members of %(list)s have a role here, but it has no members.") % {"list": address} for address in dict.fromkeys(empty)]
    return said


def _outside(list_: List, allowed: Sequence[Role]) -> dict[int, str]:
    """Roles whose holder is not internal -> how they are called. Of a list, only when none of its members is internal."""
    emails = {role.pk: _emails(role) for role in allowed}
    known = Known({email for found in emails.values() for email in found}, {list_.organisation_id})
    called = {role.pk: role.group.address if role.group else f"@{role.domain}" if role.domain else next(iter(emails[role.pk]), "") for role in allowed}
    return {pk: called[pk] for pk, found in emails.items() if found and not any(known.internal(email, list_.organisation_id) for email in found)}


def _emails(role: Role) -> list[str]:
    if role.group_id:
        return list(Membership.objects.filter(list=role.group_id, until__isnull=True).order_by("id").values_list("address__email", flat=True)[:200])
    if role.domain:
        return [f"x@{role.domain}"]
    return [role.address.email] if role.address else list(role.person.addresses.values_list("email", flat=True)) if role.person else []


def _ways(list_: List) -> list[str]:
    """Warnings about the ways in and out."""
    said = []
    transport = mailings.transport_for(list_)
    if transport is None:
        said.append(_("The list has no transport that is switched on: nothing can leave."))
    elif not transport.enabled:
        said.append(_("The transport %(name)s is switched off: nothing can leave.") % {"name": transport.name})
    if list_.domain is None and not Mailbox.objects.filter(list=list_, enabled=True, only_reports=False).exists():
        said.append(_("The list lives at an address of another host but has no mailbox to collect from: nothing arrives."))
    if list_.domain and not list_.domain.enabled:
        said.append(_("The service of %(domain)s is switched off: the list takes and sends nothing.") % {"domain": list_.domain.name})
    return said
