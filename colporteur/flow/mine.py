"""What somebody changes without an account: a mailed link opens the lists of the address it went to, for some days."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction

from colporteur.domain.addresses import normal
from colporteur.flow import letters
from colporteur.store.memberships import Membership
from colporteur.store.people import Address

GOOD_FOR = timedelta(days=7)
A_DAY = 3
"""Links one address is sent in 24 hours: anybody can write its name into the form."""

_SIGNER = Signer(salt="colporteur.mine")


def link(address: Address, now: datetime) -> str:
    """URL of the page with the address's lists, good for ``GOOD_FOR``."""
    return f"{settings.BASE_URL}/mine/{_SIGNER.sign_object([address.pk, int((now + GOOD_FOR).timestamp())])}"


def read(token: str, now: datetime) -> Address | None:
    """The address a link was made for; None when it is too old or not ours."""
    try:
        number, until = _SIGNER.unsign_object(token)
    except (BadSignature, ValueError):
        return None
    return Address.objects.select_related("person").filter(pk=number).first() if now.timestamp() < until else None


@transaction.atomic
def send_link(email: str, now: datetime, language: str = "") -> bool:
    """Mail the link to an address that is on a list; False when it is on none, or got enough of them today.

    ``language``: for somebody whose own we do not know. Raises ``ValueError`` when it is no address.
    """
    address = Address.objects.select_related("person").filter(email=normal(email)).first()
    if address is None or not Membership.objects.filter(address=address, until__isnull=True).exists():
        return False
    if letters.today("mine", address, None, now) >= A_DAY:
        return False
    known = address.person.language if address.person else ""
    letters.send("mine", address, now, fields={"link": link(address, now), "days": str(GOOD_FOR.days)}, language=known or language)
    return True
