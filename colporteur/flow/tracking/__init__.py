"""Opens and clicks of newsletters: counted, named with consent only, and what stays of them."""

from colporteur.flow.tracking.consents import agree, agrees, forget, withdraw, wording
from colporteur.flow.tracking.hits import Asked, clicked, follow, left, opened, seen
from colporteur.flow.tracking.links import mode, track
from colporteur.store.tracking import fold

__all__ = ["Asked", "agree", "agrees", "clicked", "fold", "follow", "forget", "left", "mode", "opened", "seen", "track", "withdraw", "wording"]
