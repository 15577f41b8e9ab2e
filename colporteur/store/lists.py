"""Lists, their further addresses, and roles."""

from __future__ import annotations

from collections.abc import Collection

from django.db import models
from django.db.models import Q

from colporteur.store.instances import Shape
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Address, Person


class ListState(models.TextChoices):
    """Whether a list works."""

    PENDING = "pending"  # asked for: settings can be made, mail and members come when an administrator activates it
    ACTIVE = "active"
    OFF = "off"  # switched off: takes and sends nothing, loses nothing
    CLOSED = "closed"  # its time is over: mail is refused for good, everything is kept, and it can be opened again
    DELETED = "deleted"  # hidden, restorable, then purged


class List(models.Model):
    """What has an address, members and a policy."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="lists")
    domain = models.ForeignKey(Domain, models.PROTECT, null=True, related_name="lists")  # null: an address of a shared host, run from its mailbox
    address = models.TextField(unique=True)
    title = models.TextField(default="")
    description = models.TextField(default="", blank=True)
    template = models.TextField(default="discussion")
    policy = models.JSONField(default=dict)
    language = models.TextField(default="", blank=True)  # of its letters; empty: the organisation's
    state = models.TextField(choices=ListState.choices, default=ListState.ACTIVE)
    list_id = models.TextField()  # RFC 2919: stable even when the list moves
    created = models.DateTimeField(auto_now_add=True)
    state_before = models.TextField(default="", blank=True)  # of a deleted list: what restoring goes back to
    purge_at = models.DateTimeField(null=True)  # of a deleted list: when it can no longer be restored

    class Meta:
        db_table = "list"
        indexes = [models.Index(fields=["purge_at"], name="list_to_purge", condition=Q(purge_at__isnull=False)), models.Index(fields=["organisation", "address"], name="list_by_organisation"), models.Index(fields=["address"], name="list_address_prefix", opclasses=["text_pattern_ops"])]

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """Local part of the address."""
        return self.address.rpartition("@")[0]

    @property
    def host(self) -> str:
        """Domain part of the address."""
        return self.address.rpartition("@")[2]


_WITH_ORGANISATION = Shape(List, "l", organisation=Shape(Organisation, "o"), domain=Shape(Domain, "d"))
_AT = f"""
SELECT {_WITH_ORGANISATION.columns} FROM list l JOIN organisation o ON o.id = l.organisation_id LEFT JOIN domain d ON d.id = l.domain_id
 WHERE l.address = ANY (%s::text[]) AND l.state <> 'deleted'
"""


def at(addresses: Collection[str]) -> list[List]:
    """The lists with these addresses, with organisation and domain."""
    return _WITH_ORGANISATION.read(_AT, [sorted(addresses)])


class Alias(models.Model):
    """A further address of a list."""

    address = models.TextField(unique=True)
    list = models.ForeignKey(List, models.CASCADE, related_name="aliases")

    class Meta:
        db_table = "alias"


class RoleKind(models.TextChoices):
    """What somebody may do on a list besides receiving."""

    OWNER = "owner"
    MODERATOR = "moderator"
    FREE_SENDER = "free_sender"  # writes without waiting
    ALLOWED_SENDER = "allowed_sender"  # where there is one, nobody else may write
    REFUSED_SENDER = "refused_sender"  # may not write; stronger than being allowed


class Role(models.Model):
    """A role on a list, given to a person, a bare address, the members of a list, or (senders only) a whole domain."""

    list = models.ForeignKey(List, models.CASCADE, related_name="roles")
    kind = models.TextField(choices=RoleKind.choices)
    person = models.ForeignKey(Person, models.CASCADE, null=True, related_name="roles")
    address = models.ForeignKey(Address, models.CASCADE, null=True, related_name="roles")
    source = models.ForeignKey("store.Source", models.SET_NULL, null=True, related_name="+")  # null: given by hand
    group = models.ForeignKey(List, models.CASCADE, null=True, related_name="roles_of_members")
    domain = models.TextField(default="", blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "role"
        constraints = [
            models.CheckConstraint(
                condition=Q(person__isnull=False, address__isnull=True, group__isnull=True, domain="")
                | Q(person__isnull=True, address__isnull=False, group__isnull=True, domain="")
                | Q(person__isnull=True, address__isnull=True, group__isnull=False, domain="")
                | (Q(person__isnull=True, address__isnull=True, group__isnull=True) & ~Q(domain="")),
                name="role_has_one_holder",
            ),
            models.UniqueConstraint(fields=["list", "kind", "group"], name="role_once_per_group", condition=Q(group__isnull=False)),
            models.UniqueConstraint(fields=["list", "kind", "domain"], name="role_once_per_domain", condition=~Q(domain="")),
            models.UniqueConstraint(fields=["list", "kind", "person"], name="role_once_per_person", condition=Q(person__isnull=False)),
            models.UniqueConstraint(fields=["list", "kind", "address"], name="role_once_per_address", condition=Q(address__isnull=False)),
        ]
