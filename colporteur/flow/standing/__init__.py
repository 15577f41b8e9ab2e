"""Standing of addresses: what came back is recorded and judged, paused addresses are probed, people find the way back."""

from colporteur.flow.standing.probing import probe, probes_due
from colporteur.flow.standing.recording import Recorded, look_due, record, review_due, rules
from colporteur.flow.standing.returning import Returning, come_back, forgive, heard_from, link, named
from colporteur.flow.standing.showing import in_words, reason_in_words
from colporteur.flow.standing.telling import tell_due

__all__ = ["Recorded", "Returning", "come_back", "forgive", "heard_from", "in_words", "link", "look_due", "named", "probe", "probes_due", "reason_in_words", "record", "review_due", "rules", "tell_due"]
