"""Who did not get a mailing, and why, as a file."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator

from django.http import StreamingHttpResponse

from colporteur.domain.mailings import CopyState
from colporteur.store.mailings import CopyRow, Mailing, Refusal
from colporteur.web.campaigns.whose import on
from colporteur.web.saying import inert

PART = 1000


class _Echo:
    """A file that hands back what is written: rows leave as they are made."""

    def write(self, value: str) -> str:
        return value


def as_csv(mailing: Mailing, own: Collection[int] | None = None) -> StreamingHttpResponse:
    """Refused and deferred copies with the last answer (RFC 4180). ``own``: of who was on these lists only."""
    return StreamingHttpResponse(_lines(mailing, own), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="refused-{mailing.pk}.csv"'})


def _lines(mailing: Mailing, own: Collection[int] | None) -> Iterator[str]:
    writer, after = csv.writer(_Echo()), 0
    yield writer.writerow(["email", "state", "attempts", "code", "answer"])
    found = CopyRow.objects.filter(mailing=mailing, state__in=(CopyState.DEFERRED, CopyState.FAILED)).select_related("address").order_by("address_id")
    if own is not None:
        found = found.filter(address__in=on(own, mailing.audience_at))
    while part := list(found.filter(address_id__gt=after)[:PART]):
        after = part[-1].address_id
        answers = dict(Refusal.objects.filter(mailing_id=mailing.pk, address_id__in=[copy.address_id for copy in part]).order_by("pk").values_list("address_id", "text"))
        for copy in part:
            yield writer.writerow([inert(copy.address.email), CopyState(copy.state).name.lower(), copy.attempts, copy.code or "", inert(answers.get(copy.address_id, ""))])
