"""Newsletters: written, addressed, sent."""

from colporteur.flow.campaigns.audience import Audience, Counted, audience_of, counted
from colporteur.flow.campaigns.sending import Expected, expected, send_to, start, start_due, test, unschedule
from colporteur.flow.campaigns.writing import address_to, change, copy, create, delete, may_write

__all__ = ["Audience", "Counted", "Expected", "address_to", "audience_of", "change", "copy", "counted", "create", "delete", "expected", "may_write", "send_to", "start", "start_due", "test", "unschedule"]
