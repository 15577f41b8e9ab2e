"""Opens and clicks of newsletters: counted, named with consent only, and what stays of them."""

from colporteur.flow.tracking.consents import agree, agrees, forget, withdraw, wording
from colporteur.flow.tracking.figures import Compared, Destination, Figures, Followed, before, compared, destinations, figures, growth, hours_of
from colporteur.flow.tracking.hits import Asked, clicked, follow, left, opened, seen
from colporteur.flow.tracking.links import mode, track
from colporteur.flow.tracking.purging import Going, add_up, due, kept_until, purge, purge_due, purge_preview

__all__ = [
    "Asked", "Compared", "Destination", "Figures", "Followed", "Going", "add_up", "agree", "agrees", "before", "clicked", "compared", "destinations", "due", "figures", "follow",
    "forget", "growth", "hours_of", "kept_until", "left", "mode", "opened", "purge", "purge_due", "purge_preview", "seen", "track", "withdraw", "wording",
]  # fmt: skip
