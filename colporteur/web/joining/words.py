"""What became of joining, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from colporteur.flow.joining import Outcome
from colporteur.flow.leaving import Outcome as Outgoing
from colporteur.flow.strangers import Taken
from colporteur.store.joining import JoinRequest, JoinState
from colporteur.store.leaving import LeaveRequest, LeaveState
from colporteur.store.lists import List
from colporteur.store.policies import policy


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


def asked(outcome: Outcome | Taken, list_: List, email: str) -> tuple[str, str]:
    """Title and sentence for who asked on a page to join. A stranger is always told the same."""
    values = {"list": list_.title or list_.name, "email": email}
    title, sentence = {
        Taken.TAKEN: (_("Look in your mailbox"), _("%(list)s: if nothing speaks against it, a letter to %(email)s is on its way, or the owners are asked. Nobody joins without a yes.")),
        Taken.LATER: (_("Too many requests"), _("%(list)s: too many people asked just now. Try again in a quarter of an hour.")),
        Outcome.MEMBER: (_("You are there already"), _("%(email)s is a member of %(list)s.")),
        Outcome.ASKED: (_("Look in your mailbox"), _("%(list)s: a letter to %(email)s asks for your yes.")),
        Outcome.WAITING: (_("Thank you"), _("The owners of %(list)s were asked. %(email)s gets a letter when one of them has decided.")),
        Outcome.JOINED: (_("Welcome to %(list)s"), _("%(list)s: %(email)s is a member now and receives its messages.")),
    }.get(outcome, (_("Nobody joins by themselves"), _("%(list)s: only an owner adds members.")))
    return title % values, sentence % values


def parting(outcome: Outgoing, list_: List, email: str) -> tuple[str, str]:
    """Title and sentence for who wants to leave."""
    values = {"list": list_.title or list_.name, "email": email}
    title, sentence = {
        Outgoing.LEFT: (_("You left the list %(list)s"), _("%(email)s receives nothing more from it. A message that is leaving at this moment may still arrive.")),
        Outgoing.WAITING: (_("Thank you"), _("The owners of %(list)s were asked. %(email)s gets a letter when one of them has decided.")),
        Outgoing.REFUSED: (_("The owners decided otherwise"), _("%(email)s stays on %(list)s. The owners are not asked again today; you can write to them.")),
        Outgoing.CLOSED: (_("Only an owner removes members of this list"), _("Write to the owners of %(list)s.")),
    }.get(outcome, (_("You are no longer on the list %(list)s"), _("%(email)s receives nothing from it.")))
    return title % values, sentence % values


def let_go(row: LeaveRequest, *, won: bool) -> str:
    """One sentence for an owner about a decision: yours, or whose came before yours."""
    values = {"email": row.address.email, "list": row.list.title or row.list.name, "who": row.decided_by or "?"}
    if won:
        return (_("%(email)s left %(list)s, and is told.") if row.state == LeaveState.LEFT else _("%(email)s stays on %(list)s, and is told.")) % values
    if row.state == LeaveState.WAITING:
        return _("%(email)s is no longer on %(list)s.") % values
    return (_("%(who)s let %(email)s go before.") if row.state == LeaveState.LEFT else _("%(who)s refused %(email)s before.")) % values


def wanted(answer: Taken, list_: List, email: str) -> tuple[str, str]:
    """Title and sentence for who asked on a page to leave; the same whether or not the address is a member."""
    if answer is Taken.LATER:
        return asked(answer, list_, email)
    if not policy(list_).leaving.by_oneself:
        return _("Thank you"), _("If %(email)s is on the list %(list)s, a letter to it is on its way, or the owners are asked.") % {"list": list_.title or list_.name, "email": email}
    return _("Look in your mailbox"), _("If %(email)s is on the list %(list)s, a letter is on its way. Its link, or an answer, ends the subscription.") % {"list": list_.title or list_.name, "email": email}
