"""Newsletters: written, addressed, sent."""

from colporteur.flow.campaigns.audience import Audience, Counted, again, audience_of, counted, unknown
from colporteur.flow.campaigns.rate import set_per_day
from colporteur.flow.campaigns.sending import Expected, expected, make_again, send_to, start, start_due, test, unschedule
from colporteur.flow.campaigns.stopping import halt, judge, look, release
from colporteur.flow.campaigns.writing import address_to, change, copy, create, delete, left_out_by_others, may_write, not_theirs

__all__ = ["Audience", "Counted", "Expected", "address_to", "again", "audience_of", "change", "copy", "counted", "create", "delete", "expected", "halt", "judge", "left_out_by_others", "look", "make_again", "may_write", "not_theirs", "release", "send_to", "set_per_day", "start", "start_due", "test", "unknown", "unschedule"]
