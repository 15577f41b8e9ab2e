"""Two accounts of one person made one: everything of one goes to the other, nothing is there twice, and the empty one is gone.

Asked for by the person, both accounts are proved by a letter: one to the address that belongs to the other account, one to the
account that stays. An administrator vouches instead.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import credentials, letters, memberships
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.credentials import CredentialKind
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, Role
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Administrator
from colporteur.store.people import Address, Person, SignInLink

log = logging.getLogger("colporteur.people")

GOOD_FOR = timedelta(hours=24)
LETTERS_A_DAY = 3

_SIGNER = Signer(salt="colporteur.merge")


@dataclass(frozen=True)
class Move:
    """What a merger moves. ``doubled``: lists both are on; the membership of the account that goes ends there."""

    addresses: list[str]
    lists: list[str]
    roles: int
    offices: int
    doubled: list[str]


def foresee(kept: Person, gone: Person) -> Move:
    """What ``merge`` would do; changes nothing."""
    current = Membership.objects.filter(until__isnull=True).select_related("list")
    theirs = sorted({row.list.address for row in current.filter(address__person=gone)})
    mine = set(current.filter(address__person=kept).values_list("list__address", flat=True))
    roles = Role.objects.filter(person=gone).count() + Role.objects.filter(address__person=gone).count()
    offices = Administrator.objects.filter(person=gone).count() + gone.is_admin
    return Move([one.email for one in gone.addresses.order_by("id")], theirs, roles, offices, [one for one in theirs if one in mine])


def check(kept: Person, gone: Person) -> None:
    """Raises ``Invalid`` when the person may not do it alone: a mailbox must not open what a second step guards."""
    if kept.pk == gone.pk:
        raise Invalid(_("this address is yours already"))
    if not gone.is_active:
        raise Invalid(_("the other account is switched off: ask an administrator"))
    if gone.credentials.exists():
        raise Invalid(_("the other account has passkeys or an authenticator app: sign in there and remove them first"))


@transaction.atomic
def ask(person: Person, address: Address, now: datetime) -> bool:
    """A letter to the account that stays asks once more; ``address`` of the other one was proved by its letter.

    False when enough were sent. Raises ``Invalid``: see ``check``.
    """
    if address.person is None:
        raise Invalid(_("this address belongs to nobody: add it instead"))
    check(person, address.person)
    to = credentials.main_address(person)
    if to is None or letters.today("merge", to, None, now) >= LETTERS_A_DAY:
        return False
    fields = {"email": address.email, "link": f"{settings.BASE_URL}/account/merge/{token(person, address, now)}", "hours": str(int(GOOD_FOR.total_seconds() // 3600))}
    letters.send("merge", to, now, fields=fields, language=person.language)
    return True


def token(person: Person, address: Address, now: datetime) -> str:
    """Of the second letter's link: who stays, who goes, by which address, until when."""
    return _SIGNER.sign_object([person.pk, address.person_id, address.pk, int((now + GOOD_FOR).timestamp())])


def asked(person: Person, signed: str, now: datetime) -> Person | None:
    """The account that would go, for the one that asked; None when the link is too old, not theirs, or the address moved since."""
    try:
        kept, gone, address, until = _SIGNER.unsign_object(signed)
    except (BadSignature, ValueError):
        return None
    if kept != person.pk or now.timestamp() >= until:
        return None
    return Person.objects.filter(pk=gone, addresses__pk=address).first()


@transaction.atomic
def merge(kept: Person, gone: Person, now: datetime, *, by: Person | str) -> Move:
    """Move everything of ``gone`` to ``kept``; ``gone`` is deleted, its sessions and links end. Raises ``Invalid`` for one and the same."""
    if kept.pk == gone.pk:
        raise Invalid(_("these are one account already"))
    locked = {row.pk: row for row in Person.objects.select_for_update().filter(pk__in=(kept.pk, gone.pk)).order_by("pk")}
    if len(locked) < 2:
        raise Invalid(_("one of the accounts is gone already"))
    kept, gone = locked[kept.pk], locked[gone.pk]
    done = foresee(kept, gone)
    _leave_doubled(kept, gone, now, by)
    _drop_doubles(kept, gone)
    _move_rows(kept, gone)
    for name in ("name", "language", "time_zone"):
        setattr(kept, name, getattr(kept, name) or getattr(gone, name))
    kept.is_admin = kept.is_admin or gone.is_admin
    kept.save(update_fields=["name", "language", "time_zone", "is_admin"])
    for role in Role.objects.filter(address__person=kept):
        if kept.roles.filter(list=role.list_id, kind=role.kind).exists():
            role.delete()
    number = gone.pk
    gone.delete()
    for address in kept.addresses.filter(email__in=done.addresses):  # one entry each: erasing blanks whole values
        journal.write("person.merged", now, actor=actor(by), address=address.pk, email=address.email, by=str(by))
    log.info("merged person=%s into=%s by=%s", number, kept.pk, by.pk if isinstance(by, Person) else by)
    return done


# --- how ---


def _leave_doubled(kept: Person, gone: Person, now: datetime, by: Person | str) -> None:
    both = List.objects.filter(pk__in=Membership.objects.filter(address__person=kept, until__isnull=True).values("list"))
    for row in Membership.objects.filter(address__person=gone, until__isnull=True, list__in=both).select_related("list__organisation", "address"):
        memberships.leave(row.list, row.address, now, by=by)


def _drop_doubles(kept: Person, gone: Person) -> None:
    """What both have and one may have once, and what was made for the account that goes."""
    for role in gone.roles.all():
        if kept.roles.filter(list=role.list_id, kind=role.kind).exists():
            role.delete()
    Administrator.objects.filter(person=gone, organisation__in=Administrator.objects.filter(person=kept).values("organisation")).delete()
    if kept.credentials.filter(kind=CredentialKind.APP).exists():
        gone.credentials.filter(kind=CredentialKind.APP).delete()
    gone.recovery_codes.all().delete()
    SignInLink.objects.filter(person=gone).delete()


def _move_rows(kept: Person, gone: Person) -> None:
    """Every row of every table that names the person; memberships and consents hang on the addresses."""
    for relation in Person._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and (relation.one_to_many or relation.one_to_one):
            name = relation.field.name  # type: ignore[union-attr]
            relation.related_model._base_manager.filter(**{name: gone}).update(**{name: kept})  # type: ignore[union-attr]
    JournalEntry.objects.filter(actor_id=gone.pk).update(actor_id=kept.pk)
