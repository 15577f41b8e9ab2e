"""What became of joining, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from colporteur.flow.joining import Outcome
from colporteur.store.joining import JoinRequest, JoinState


def joined(outcome: Outcome, row: JoinRequest) -> tuple[str, str]:
    """Title and sentence for who wants to join."""
    values = {"list": row.list.title or row.list.name, "email": row.address.email}
    title, sentence = {
        Outcome.JOINED: (_("Welcome to %(list)s"), _("%(email)s is a member now and receives its messages.")),
        Outcome.WAITING: (_("Thank you"), _("The owners of %(list)s were asked. %(email)s gets a letter when one of them has decided.")),
        Outcome.REFUSED: (_("The owners decided otherwise"), _("%(email)s was not admitted to %(list)s.")),
    }.get(outcome, (_("This link is no longer good"), _("Ask again to join %(list)s.")))
    return title % values, sentence % values


def admitted(row: JoinRequest, *, won: bool) -> str:
    """One sentence for an owner about a decision: yours, or whose came before yours."""
    values = {"email": row.address.email, "list": row.list.title or row.list.name, "who": row.decided_by or "?"}
    if won:
        return (_("%(email)s is a member of %(list)s now, and is told.") if row.state == JoinState.JOINED else _("%(email)s is not admitted to %(list)s, and is told.")) % values
    return (_("%(who)s admitted %(email)s before.") if row.state == JoinState.JOINED else _("%(who)s refused %(email)s before.")) % values
