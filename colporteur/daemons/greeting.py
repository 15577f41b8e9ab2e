"""What ``colporteur run`` tells whoever started it: where to look, how to get in, what to try first."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from django.conf import settings

from colporteur.daemons import ports
from colporteur.daemons.threads import in_thread
from colporteur.flow import demo, people
from colporteur.store import health
from colporteur.store.organisations import Organisation
from colporteur.store.people import Person

_LINK_MINUTES = 60


def fill_when_empty() -> bool:
    """Fill a database nobody used yet with the demo; whether it did."""
    if Organisation.objects.exists() or Person.objects.exists():
        return False
    return bool(demo.fill(datetime.now(UTC)))


def sign_in_link() -> str:
    """A one-time link for the first administrator; empty when there is none, or when our output goes into a log."""
    if not (settings.DEMO or sys.stdout.isatty()):
        return ""
    admin = Person.objects.filter(is_admin=True, is_active=True).order_by("id").first()
    return people.sign_in_link(admin.primary_email, datetime.now(UTC), _LINK_MINUTES) if admin and admin.primary_email else ""


async def when_ready(link: str) -> None:
    """Print the greeting once every part is up."""
    while not ports.answers(settings.WEB) or (await in_thread(health.look)).down:
        await asyncio.sleep(0.2)
    sys.stdout.write("\n" + "\n".join(lines(link, settings.DEMO and await in_thread(demo.filled))) + "\n\n")
    sys.stdout.flush()


def lines(link: str, with_demo: bool) -> list[str]:
    """The lines of the greeting."""
    told = [f"Colporteur is running: {settings.BASE_URL}/", ""]
    if link:
        told.append(f"Sign in (once, within {_LINK_MINUTES} minutes): {link}")
    else:
        told.append("Make the first administrator:  colporteur person add you@example.org --admin")
        told.append("and a link to sign in with:    colporteur person signin-link you@example.org")
    if with_demo:
        told += [
            "",
            f"Try first: open {settings.BASE_URL}/try, send a message as somebody who is not a member, find it waiting,",
            "distribute it, and read what every member received in the Outbox.",
        ]
    if settings.LMTP:
        told += ["", f"Mail comes in by LMTP on {settings.LMTP}. Ctrl-C stops everything."]
    return told
