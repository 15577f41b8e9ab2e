"""The worker looks where the links of newsletters lead, a few at a time, on threads of its own, and asks the DNS about the domains
they are sent from."""

from __future__ import annotations

import asyncio
from functools import partial

from django.conf import settings
from django.utils import timezone

from colporteur.adapters import dns, links
from colporteur.daemons.collect import in_own_thread
from colporteur.daemons.threads import in_thread
from colporteur.flow import senders
from colporteur.flow.campaigns import preflight
from colporteur.store import preflight as rows

EVERY_SECONDS = 5.0
_AT_ONCE = 8


async def look_due() -> int:
    """Look at the next few addresses somebody wants to know about; how many links."""
    urls = await in_thread(rows.wanted, timezone.now(), _AT_ONCE)
    answers = await asyncio.gather(*(in_own_thread(partial(links.look, networks=settings.NETWORKS), url) for url in urls))
    if urls:
        await in_thread(rows.answered, dict(zip(urls, answers, strict=True)), timezone.now())
    for domain, policy in await dns.policies(await in_thread(preflight.domains_to_look_up, timezone.now())):
        await in_thread(senders.remember, domain, policy, timezone.now())
    return len(urls)
