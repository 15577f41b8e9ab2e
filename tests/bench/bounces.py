"""A message to 1,250 members comes back from 1,000 of them, after three that came back from some: 1,000 delivery reports of 4 KiB
to signed addresses, taken in, matched, recorded and acted on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.management import call_command
from django.db.models import F


def run(members: int = 1000) -> str:
    """Seconds from the first report handed over by a door until every one is done."""
    call_command("migrate", verbosity=0)
    from colporteur.domain import tokens
    from colporteur.domain.mailings import CopyState
    from colporteur.domain.tokens import Purpose
    from colporteur.flow import errands, moderation, planning
    from colporteur.flow.intake import Incoming, receive
    from colporteur.store.mailings import Copy, Mailing, Slice
    from colporteur.store.standing import AddressStanding, DeliveryEvent
    from tests.flow.posts import arrives
    from tests.mail.reports_written import dsn
    from tests.story.scenes import a_list, message

    now = datetime.now(UTC)
    list_ = a_list("friends@lists.example", members=members + members // 4, posting="world")
    mailings = []
    for day in (3, 2, 1, 0):  # three messages came back before: the fourth has its effect
        moment = now - timedelta(days=day)
        post = arrives(list_, message("anna@members.example", subject=f"Day {day}"), moment)
        moderation.judge_due(moment)
        planning.plan_due(moment)
        mailing = Mailing.objects.get(post=post)
        Copy.objects.filter(mailing=mailing).update(state=CopyState.SENT)
        Slice.objects.filter(mailing=mailing).update(done=True, sent=F("size"))
        mailings.append(mailing)
    said = []
    for number, mailing in enumerate(mailings):
        copies = list(Copy.objects.filter(mailing=mailing).order_by("address_id").values_list("address_id", "address__email"))
        back = copies[: members if number == 3 else members // 2]
        signed = tokens.sign_all(settings.TOKEN_KEY, Purpose.COPY, mailing.pk, [address for address, _email in back])
        reports = [dsn("failed", "5.1.1", f"550 5.1.1 <{email}>: no such user", email, notice="x" * 3000).encode() for _address, email in back]
        began = time.monotonic()
        for start in range(0, len(back), 50):
            batch = zip(reports[start : start + 50], signed[start : start + 50], strict=True)
            receive([Incoming(raw, "", (f"friends-bounces+{token}@lists.example",), "lmtp") for raw, token in batch], now)
        while errands.do_due(now):
            pass
        said.append((len(back), time.monotonic() - began))
    kept, moved = DeliveryEvent.objects.count(), AddressStanding.objects.filter(state__gt=0).count()
    return f"{said[-1][0]} reports: {said[-1][1]:.2f} s ({1000 * said[-1][1] / said[-1][0]:.1f} ms each); {kept} events in all, {moved} addresses in trouble"
