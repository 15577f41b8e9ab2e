"""Why something came back: each reason with what follows from it and words people understand."""

from __future__ import annotations

from colporteur.domain.bounces.kinds import Fault, Kind, Reason, Severity, Verdict
from colporteur.domain.words import gettext_noop as _

_DEAD, _STATE, _OURS, _TEMPORARY = Kind.DEAD, Kind.MAILBOX_STATE, Kind.OURS, Kind.TEMPORARY
_HARD, _SOFT, _NONE = Severity.HARD, Severity.SOFT, Severity.NONE
_MAILBOX, _SENDER, _CONTENT, _UNKNOWN = Fault.MAILBOX, Fault.SENDER, Fault.CONTENT, Fault.UNKNOWN

REASONS: dict[str, Reason] = {
    one.key: one
    for one in (
        Reason("no_mailbox", _DEAD, _HARD, _MAILBOX, _("this address does not exist")),
        Reason("no_domain", _DEAD, _HARD, _MAILBOX, _("the part after @ does not exist or takes no mail")),
        Reason("moved", _DEAD, _HARD, _MAILBOX, _("the person has moved to another address")),
        Reason("full", _STATE, _SOFT, _MAILBOX, _("the mailbox is full")),
        Reason("disabled", _STATE, _HARD, _MAILBOX, _("the mailbox is switched off")),
        Reason("reputation", _OURS, _SOFT, _SENDER, _("the provider refuses mail of our server: its reputation or a block list")),
        Reason("authentication", _OURS, _SOFT, _SENDER, _("the provider wants our mail authenticated better (SPF, DKIM, DMARC, reverse DNS)")),
        Reason("policy", _OURS, _SOFT, _SENDER, _("the provider or the recipient refuses this sender by a rule")),
        Reason("rate", _OURS, _SOFT, _SENDER, _("too much mail at once for the provider")),
        Reason("sender_address", _OURS, _SOFT, _SENDER, _("the provider refuses the sender's address")),
        Reason("not_here", _OURS, _SOFT, _UNKNOWN, _("the recipient's server says it is not responsible for this address (relaying denied)")),
        Reason("content", _OURS, _SOFT, _CONTENT, _("the message was taken for spam or its content is not wanted")),
        Reason("virus", _OURS, _SOFT, _CONTENT, _("the message or an attachment was taken for dangerous")),
        Reason("size", _OURS, _SOFT, _CONTENT, _("the message is too large for the recipient's provider")),
        Reason("format", _OURS, _SOFT, _CONTENT, _("the recipient's server cannot take a message of this form")),
        Reason("incomplete", _OURS, _SOFT, _CONTENT, _("the copy could not be filled in for its reader: mend the fields of the newsletter")),
        Reason("greylisted", _TEMPORARY, _SOFT, _UNKNOWN, _("the provider asks to try again later")),
        Reason("unreachable", _TEMPORARY, _SOFT, _UNKNOWN, _("the recipient's server could not be reached")),
        Reason("their_trouble", _TEMPORARY, _SOFT, _UNKNOWN, _("the recipient's server has a trouble of its own")),
        Reason("expired", _TEMPORARY, _SOFT, _UNKNOWN, _("it was tried for days without success")),
        Reason("later", _TEMPORARY, _SOFT, _UNKNOWN, _("a temporary refusal")),
        Reason("delayed", _TEMPORARY, _NONE, _UNKNOWN, _("not delivered yet, it is still being tried")),
        Reason("complaint", Kind.COMPLAINT, _NONE, _SENDER, _("the recipient reported the message as spam")),
        Reason("absence", Kind.AUTOMATIC, _NONE, _UNKNOWN, _("an automatic reply")),
        Reason("challenge", Kind.AUTOMATIC, _NONE, _UNKNOWN, _("the recipient's filter asks the sender to prove that he is a person")),
        Reason("receipt", Kind.AUTOMATIC, _NONE, _UNKNOWN, _("a receipt: somebody or something opened, deleted or filed the message")),
        Reason("delivered", Kind.SUCCESS, _NONE, _UNKNOWN, _("it was delivered")),
        Reason("relayed", Kind.SUCCESS, _NONE, _UNKNOWN, _("it was handed on to a server that reports nothing more")),
        Reason("suppressed", Kind.UNKNOWN, _HARD, _UNKNOWN, _("the sending service writes no more to this address because of something earlier: look at its suppression list")),
        Reason("unclear", Kind.UNKNOWN, _SOFT, _UNKNOWN, _("it came back for a reason we do not understand")),
    )
}


def verdict_of(reason: str) -> Verdict:
    """The verdict of a reason. Raises ``KeyError``."""
    one = REASONS[reason]
    return Verdict(one.kind, one.severity, one.fault, reason)
