"""The journal: append-only record of what happened, to what, by whom and why."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_noop as _

from colporteur.store.statements import execute

EVENTS: dict[str, str] = {
    "post.received": _("Received by {door}"),
    "post.duplicate": _("An exact duplicate arrived by {door} and was dropped"),
    "post.held": _("Waits for a moderator"),
    "post.accepted": _("Accepted"),
    "post.rejected": _("Rejected with notice"),
    "post.discarded": _("Thrown away"),
    "post.expired": _("Nobody decided in time"),
    "post.quarantined": _("Could not be processed: {error}"),
    "post.retried": _("Processed again at the wish of {by}"),
    "post.decided": _("{by} decided: {decision}"),
    "post.held_back": _("Held back: it comes from the backup of {backup}, and may have been decided since"),
    "mailing.planned": _("{total} copies planned"),
    "digest.made": _("Digest made: volume {volume}, number {issue}, {count} messages"),
    "mailing.pace": _("Pace changed by {by}: {pace}"),
    "mailing.resent": _("Sent again by {by}, to: {whom}"),
    "mailing.paused": _("Paused by {by}"),
    "mailing.stopped": _("Paused: {reason}"),
    "mailing.resumed": _("Resumed by {by}"),
    "mailing.cancelled": _("Abandoned by {by}"),
    "mailing.done": _("Done"),
    "mailing.held_back": _("Held back: it comes from the backup of {backup}, and copies may have left since"),
    "campaign.created": _("{by} began the newsletter “{subject}”"),
    "campaign.changed": _("{by} changed the newsletter “{subject}”"),
    "campaign.deleted": _("{by} threw away the newsletter “{subject}”"),
    "campaign.tested": _("{by} sent a test of “{subject}” to {emails}"),
    "campaign.sent_to": _("{by} sent “{subject}” to {email}"),
    "campaign.scheduled": _("{by} scheduled the newsletter “{subject}” for {at}"),
    "campaign.unscheduled": _("{by} took the newsletter “{subject}” back from its schedule"),
    "campaign.started": _("{by} sent the newsletter “{subject}” to {count} recipients"),
    "campaign.per_day": _("{by} changed how many copies of “{subject}” leave a day: {before} → {after}"),
    "campaign.unsent": _("The newsletter “{subject}” was not sent at its time: {reason}"),
    "campaign.released": _("The sample of “{subject}” went well: the rest leaves"),
    "campaign.stopped": _("The newsletter “{subject}” was stopped: {reason}"),
    "campaign.held_back": _("The newsletter “{subject}” is a draft again: it comes from the backup of {backup}, and may have been sent since"),
    "copy.report": _("A report came back for {email}: {summary}"),
    "membership.joined": _("{email} joined ({by})"),
    "membership.left": _("{email} left ({by})"),
    "membership.changed": _("Membership of {email} changed ({by}): {change}"),
    "standing.good": _("{email} receives again ({by})"),
    "standing.shaky": _("Messages to {email} came back: {reason}"),
    "standing.paused": _("{email} is paused: {reason}"),
    "standing.gone": _("{email} is gone, the letters sent to try came back: {reason}"),
    "standing.complaint": _("{email} reported a message as spam"),
    "standing.probed": _("A letter was sent to {email} to see whether it arrives ({by})"),
    "standing.spared": _("Left out because mail does not reach them: {count}"),
    "memberships.joined": _("Members added: {count} ({by})"),
    "memberships.left": _("Members removed: {count} ({by})"),
    "memberships.changed": _("Memberships changed: {count} ({by}): {change}"),
    "wording.changed": _("{by} rewrote the text “{letter}” ({language}) of {place}"),
    "wording.reset": _("{by} went back to the standard text “{letter}” ({language}) of {place}"),
    "join.asked": _("{email} asks to join"),
    "join.refused": _("{by} did not admit {email}"),
    "join.invited": _("{by} invited {email}"),
    "leave.asked": _("{email} asks to leave"),
    "leave.refused": _("{by} did not let {email} go"),
    "tracking.agreed": _("{email} agreed to be named among those who open newsletters ({how})"),
    "tracking.withdrawn": _("{email} is no longer named among those who open newsletters ({how})"),
    "campaign.purged": _("Details of the newsletter “{subject}” went, its totals stay: {copies} copies"),
    "opposition.added": _("Addresses put on the opposition list by {by}: {count}"),
    "opposition.ended": _("Addresses taken off the opposition list by {by}: {count}"),
    "list.created": _("List created by {by}"),
    "list.changed": _("Settings changed by {by}: {change}"),
    "policy.changed": _("Settings of {place} changed by {by}: {change}"),
    "list.deleted": _("List deleted by {by}"),
    "list.restored": _("List restored by {by}"),
    "list.asked": _("{by} asked for the list"),
    "list.activated": _("{by} activated the list"),
    "list.refused": _("{by} refused the list {name}"),
    "list.withdrawn": _("{by} took back the request for {name}"),
    "list.purged": _("The deleted list {name} went for good"),
    "list.closed": _("List closed by {by}"),
    "list.reopened": _("List opened again by {by}"),
    "list.moved": _("{by} moved the list from {old} to {new}"),
    "list.copied": _("{by} made the list as a copy of {of}"),
    "list.on": _("List switched on by {by}"),
    "list.off": _("List switched off by {by}"),
    "nesting.added": _("{inner} stands inside the list ({by}): {covers}"),
    "nesting.removed": _("{inner} stands no longer inside the list ({by})"),
    "on_every_list.added": _("{email} receives every list of {domain} ({by})"),
    "on_every_list.removed": _("{email} receives every list of {domain} no more ({by})"),
    "exclusion.added": _("{email} is left out of the list ({by})"),
    "exclusion.removed": _("{email} is no longer left out ({by})"),
    "role.given": _("{who} became {role} ({by})"),
    "role.taken": _("{who} is no longer {role} ({by})"),
    "template.made": _("{by} made the template {template}"),
    "template.changed": _("{by} changed the template {template}"),
    "template.deleted": _("{by} deleted the template {template}"),
    "archive.nearly_full": _("The archive of {place} is nearly full"),
    "archive.full": _("The archive of {place} is full"),
    "quotas.changed": _("Quotas of {place} changed by {by}: {change}"),
    "organisation.changed": _("{by} changed the organisation: {change}"),
    "administrator.given": _("{who} became an administrator of {place} ({by})"),
    "administrator.taken": _("{who} is no longer an administrator of {place} ({by})"),
    "domain.added": _("Domain {domain} added by {by}"),
    "domain.changed": _("{by} changed {domain}: {change}"),
    "domain.on": _("Service of {domain} switched on by {by}"),
    "domain.off": _("Service of {domain} switched off by {by}"),
    "signing.made": _("DKIM key {selector} of {domain} made by {by}"),
    "signing.published": _("The record of the DKIM key {selector} of {domain} was seen in the DNS"),
    "signing.lost": _("The record of the DKIM key {selector} of {domain} is no longer in the DNS"),
    "signing.used": _("Mail of {domain} is signed with the DKIM key {selector} from now on ({by})"),
    "signing.retired": _("The DKIM key {selector} of {domain} signs no more ({by})"),
    "signing.deleted": _("DKIM key {selector} of {domain} deleted by {by}"),
    "transport.added": _("Transport {transport} added by {by}"),
    "transport.changed": _("Transport {transport} changed by {by}: {change}"),
    "transport.trouble": _("The transport {transport} is in trouble: {error}"),
    "transport.recovered": _("The transport {transport} works again"),
    "limits.changed": _("Limits of {place} changed by {by}: {change}"),
    "destination.paused": _("Nothing is sent to {group} for a while: {reason}"),
    "destination.resumed": _("{by} let mail to {group} go on"),
    "destination.changed": _("Destinations {group} changed by {by}: {change}"),
    "stream.stopped": _("Nothing is sent to {group} by {transport} for a while: {reason}"),
    "mailbox.trouble": _("The mailbox {mailbox} is in trouble: {error}"),
    "mailbox.recovered": _("The mailbox {mailbox} answers again"),
    "mailbox.changed": _("Mailbox set by {by}"),
    "mailbox.removed": _("Mailbox taken away by {by}"),
    "mailbox.left": _("A message stays in the mailbox: {error}"),
    "source.added": _("Source {source} added by {by}"),
    "source.changed": _("Source {source} changed by {by}"),
    "source.removed": _("Source {source} removed by {by}"),
    "source.ran": _("The source {source} was followed: {added} added, {removed} removed"),
    "source.waiting": _("The source {source} would remove {removed} of {before}: an owner is asked"),
    "source.approved": _("{by} agreed to the removal of {removed} by the source {source}"),
    "source.trouble": _("The source {source} is in trouble: {error}"),
    "source.recovered": _("The source {source} answers again"),
    "signin.added": _("New way to sign in: {way} ({by})"),
    "signin.removed": _("Way to sign in taken away: {way} ({by})"),
    "signin.codes": _("New recovery codes ({by})"),
    "signin.reset": _("Second steps taken away by {by}"),
    "signin.ended": _("Signed out everywhere by {by}"),
    "person.merged": _("{email} came here with another account, merged by {by}"),
    "identity.added": _("Sign-in with {provider} set up by {by}"),
    "identity.changed": _("Sign-in with {provider} changed by {by}"),
    "identity.removed": _("Sign-in with {provider} taken away by {by}"),
    "errand.owner": _("A message to the owners was passed on"),
    "errand.quarantined": _("A message to {recipient} could not be processed: {error}"),
    "errand.retried": _("A message to {recipient} is processed again at the wish of {by}"),
    "errand.discarded": _("A message to {recipient} was thrown away by {by}"),
    "errand.held_back": _("A message to {recipient} is held back: it comes from the backup of {backup}"),
    "errand.unmatched": _("A report to {recipient} names no copy of ours"),
    "installation.restored": _("Restored from the backup of {backup} by {by}"),
}
"""What can happen, with its sentence; the only place that names events."""


class JournalEntry(models.Model):
    """One event. References are plain numbers: the journal outlives what it tells about."""

    at = models.DateTimeField()
    event = models.TextField()  # "post.held", "mailing.paused", "membership.left" ...: EVENTS has the sentences
    organisation_id = models.BigIntegerField(null=True)
    list_id = models.BigIntegerField(null=True)
    post_id = models.BigIntegerField(null=True)
    mailing_id = models.BigIntegerField(null=True)
    address_id = models.BigIntegerField(null=True)
    actor_id = models.BigIntegerField(null=True)  # person; null: the system, or an address in values["by"]
    values = models.JSONField(default=dict)

    class Meta:
        db_table = "journal"
        indexes = [
            models.Index(fields=["list_id", "-id"], name="journal_of_list", condition=models.Q(list_id__isnull=False)),
            models.Index(fields=["post_id", "-id"], name="journal_of_post", condition=models.Q(post_id__isnull=False)),
            models.Index(fields=["mailing_id", "-id"], name="journal_of_mailing", condition=models.Q(mailing_id__isnull=False)),
            models.Index(fields=["address_id", "-id"], name="journal_of_address", condition=models.Q(address_id__isnull=False)),
        ]


_WRITE = 'INSERT INTO journal (at, event, actor_id, organisation_id, list_id, post_id, mailing_id, address_id, "values") VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)'


def write(event: str, now: datetime, *, actor: int | None = None, organisation: int | None = None, list: int | None = None, post: int | None = None, mailing: int | None = None, address: int | None = None, **values: Any) -> None:
    """Append one entry within the caller's transaction. ``event`` must be in ``EVENTS``; ``values`` are JSON."""
    assert event in EVENTS, event
    execute(_WRITE, [now, event, actor, organisation, list, post, mailing, address, json.dumps(values)])
