"""DKIM keys of our domains: made, seen in the DNS, used, retired, deleted; and the signer of a mailing's copies.

A key is used only after its record was seen, unless somebody insists. The first of an algorithm to be seen is used at once:
whoever published it need not come back.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.signing import KEEP_RETIRED, Algorithm, KeyState, Seen, look, record, selector
from colporteur.flow.organisations import actor
from colporteur.flow.senders import domain_of
from colporteur.mail.parse import skim
from colporteur.mail.signing import Key, PrivateKey, Signer, Spliced, Unsignable
from colporteur.store import journal
from colporteur.store.mailings import Mailing
from colporteur.store.organisations import Domain
from colporteur.store.people import Person
from colporteur.store.sealed import SealBroken, seal, unseal
from colporteur.store.signing import SigningKey

log = logging.getLogger("colporteur.signing")

_AWAITED, _LONG_AWAITED, _WATCHED = timedelta(minutes=2), timedelta(hours=1), timedelta(hours=6)  # between two looks at a record
_FRESH = timedelta(days=1)  # after which a record that is not there yet is looked for less often


class Wanted(NamedTuple):
    """A record to look up."""

    key: int
    name: str


def of_domain(domain: Domain) -> list[SigningKey]:
    """The domain's keys, the newest first."""
    return list(domain.signing_keys.select_related("domain").order_by("-id"))


def find(domain: Domain, name: str) -> SigningKey:
    """The domain's key of that selector. Raises ``ValueError`` when there is none."""
    if found := domain.signing_keys.select_related("domain").filter(selector=name).first():
        return found
    raise ValueError(_("%(domain)s has no key called %(selector)r") % {"domain": domain.name, "selector": name[:80]})


@transaction.atomic
def make(domain: Domain, algorithm: Algorithm, now: datetime, *, by: Person | str) -> SigningKey:
    """A new key, its private half sealed; nothing is signed with it yet."""
    _lock(domain)
    private: PrivateKey = generate_private_key(65537, 2048) if algorithm is Algorithm.RSA else Ed25519PrivateKey.generate()
    name = selector(algorithm, now.date(), set(domain.signing_keys.values_list("selector", flat=True)))
    made = SigningKey.objects.create(
        domain=domain, selector=name, algorithm=algorithm, record=record(algorithm, _public(private)), created=now,
        private_sealed=seal(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")),
    )  # fmt: skip
    _tell("signing.made", made, now, by)
    return made


def _public(private: PrivateKey) -> str:
    """Public half as DKIM records hold it: RFC 6376 section 3.6.1, RFC 8463 section 4."""
    public = private.public_key()
    raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if isinstance(private, RSAPrivateKey) else public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode("ascii")


def to_look_up(now: datetime) -> list[Wanted]:
    """Records that are awaited, and those of keys in use, which may vanish; each again after a while."""
    seen = [KeyState.PUBLISHED, KeyState.USED]
    due = Q(state__in=[KeyState.MADE, *seen], looked_at=None) | Q(state__in=seen, looked_at__lt=now - _WATCHED) | Q(state=KeyState.MADE, looked_at__lt=now - _LONG_AWAITED)
    due |= Q(state=KeyState.MADE, created__gt=now - _FRESH, looked_at__lt=now - _AWAITED)
    rows = SigningKey.objects.filter(due).select_related("domain").order_by("looked_at", "id")[:100]
    return [Wanted(row.pk, row.name) for row in rows if domain_of(f"@{row.domain.name}")]


@transaction.atomic
def looked_up(key_id: int, texts: Sequence[str] | None, now: datetime, *, by: Person | str = "DNS") -> Seen | None:
    """Keep what the DNS said at a key's name (TXT records; None: no answer). None when the key is gone.

    A record seen for the first time makes its key published, and used when no other of its algorithm is.
    """
    key = _locked(key_id)
    if key is None:
        return None
    before, seen = Seen(key.seen), look(texts, key.record)
    key.looked_at = now
    if seen is not Seen.UNKNOWN:
        key.seen = seen
    found = seen is Seen.LIVE and key.state == KeyState.MADE
    if found:
        key.state = KeyState.PUBLISHED
        _tell("signing.published", key, now, by)
    key.save(update_fields=["seen", "looked_at", "state"])
    if found and not key.domain.signing_keys.filter(algorithm=key.algorithm, state=KeyState.USED).exists():
        _put_in_use(key, now, by)
    if key.state == KeyState.USED and before is Seen.LIVE and seen not in (Seen.LIVE, Seen.UNKNOWN):
        _tell("signing.lost", key, now, by)
    return seen


@transaction.atomic
def use(key: SigningKey, now: datetime, *, by: Person | str, force: bool = False) -> None:
    """Sign with this key from now on; the one of its algorithm in use before is retired.

    Raises ``ValueError`` when its record was not seen, unless ``force``.
    """
    fresh = _the(key)
    if fresh.seen != Seen.LIVE and not force:
        raise ValueError(_("the record of %(name)s was not seen in the DNS: publish it, then check it") % {"name": fresh.name})
    if fresh.state != KeyState.USED:
        _put_in_use(fresh, now, by)
    key.refresh_from_db()


@transaction.atomic
def retire(key: SigningKey, now: datetime, *, by: Person | str) -> None:
    """Sign no more with this key; its record must stay until the last signature is no longer looked at."""
    fresh = _the(key)
    if fresh.state != KeyState.RETIRED:
        _retire(fresh, now, by)
    key.refresh_from_db()


@transaction.atomic
def delete(key: SigningKey, now: datetime, *, by: Person | str, force: bool = False) -> None:
    """Forget a key that never signed or was retired long enough ago that its record may go.

    Raises ``ValueError`` otherwise; ``force`` overrides the wait, not the use.
    """
    fresh = _the(key)
    if fresh.state == KeyState.USED:
        raise ValueError(_("%(name)s is in use: retire it first") % {"name": fresh.name})
    if fresh.used_at and fresh.retired_at and now < fresh.retired_at + KEEP_RETIRED and not force:
        raise ValueError(_("mail signed with %(name)s is still under way: keep its record until %(day)s") % {"name": fresh.name, "day": (fresh.retired_at + KEEP_RETIRED).date().isoformat()})
    _tell("signing.deleted", fresh, now, by)
    fresh.delete()


def signer_of(mailing: Mailing, prepared: Spliced) -> Signer | None:
    """Signs the mailing's copies with the keys in use of its list's domain, or of the author's for a letter of the site.

    None when there are none. A key that cannot be opened, or a message nobody could sign, does not keep mail back: it
    leaves unsigned, and the log says why.
    """
    keys = [key for row in _in_use(mailing) if (key := _opened(row))]
    if not keys:
        return None
    try:
        return Signer(prepared, keys)
    except Unsignable as error:
        log.warning("unsigned mailing=%d reason=%s", mailing.pk, error)
        return None


def readable(key: SigningKey) -> bool:
    """Whether the private half can be opened with this installation's key."""
    return _opened(key) is not None


def _in_use(mailing: Mailing) -> list[SigningKey]:
    used = SigningKey.objects.filter(state=KeyState.USED).select_related("domain").order_by("-algorithm")
    if mailing.list_id and mailing.list:
        return list(used.filter(domain=mailing.list.domain_id)) if mailing.list.domain_id else []
    if not used.exists():
        return []
    author = skim(bytes(mailing.blob.raw)).sender
    return list(used.filter(domain__name=author.email.rpartition("@")[2])) if author else []


def _opened(row: SigningKey) -> Key | None:
    try:
        private = load_pem_private_key(unseal(row.private_sealed).encode(), None, unsafe_skip_rsa_key_validation=True)
    except (SealBroken, ValueError) as error:
        log.error("unreadable key=%s reason=%s", row.name, error)
        return None
    return Key(row.domain.name, row.selector, cast(PrivateKey, private))


def _lock(domain: Domain) -> None:
    """One change of a domain's keys at a time."""
    Domain.objects.select_for_update().get(pk=domain.pk)


def _locked(key_id: int) -> SigningKey | None:
    domain = SigningKey.objects.filter(pk=key_id).values_list("domain", flat=True).first()
    if domain is None:
        return None
    Domain.objects.select_for_update().get(pk=domain)
    return SigningKey.objects.select_related("domain").filter(pk=key_id).first()


def _the(key: SigningKey) -> SigningKey:
    if found := _locked(key.pk):
        return found
    raise ValueError(_("%(domain)s has no key called %(selector)r") % {"domain": key.domain.name, "selector": key.selector})


def _put_in_use(key: SigningKey, now: datetime, by: Person | str) -> None:
    for old in key.domain.signing_keys.filter(algorithm=key.algorithm, state=KeyState.USED):
        _retire(old, now, by)
    key.state, key.used_at, key.retired_at = KeyState.USED, now, None
    key.save(update_fields=["state", "used_at", "retired_at"])
    _tell("signing.used", key, now, by)


def _retire(key: SigningKey, now: datetime, by: Person | str) -> None:
    key.state, key.retired_at = KeyState.RETIRED, now
    key.save(update_fields=["state", "retired_at"])
    _tell("signing.retired", key, now, by)


def _tell(event: str, key: SigningKey, now: datetime, by: Person | str) -> None:
    journal.write(event, now, actor=actor(by), organisation=key.domain.organisation_id, domain=key.domain.name, selector=key.selector, by=str(by))
    log.info("%s key=%s by=%s", event, key.name, by)
