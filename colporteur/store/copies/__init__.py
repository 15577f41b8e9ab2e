"""The hot SQL of delivery, named: each statement works on a range or a slice of copies, never on one copy.

Invariants the statements keep, and rely on:

* a copy that has been tried and is still open is DEFERRED and lives in a retry slice; so in a slice all open copies are
  due together;
* a slice that is due has no ``due_at``: the index that is claimed from holds only such slices, so a claim costs the same
  however many wait for a retry; ``ripen`` takes the time away when it has come. Those of paused mailings are put aside
  (``park``) until these go on;
* a copy that was not tried before has a place in its slice, and the slice's ``open`` bits say whether it is queued or was
  accepted: a batch of acceptances is one row changed. A row whose state is not "queued" speaks for itself, and what is moved
  to another slice has no place there. Everybody reads this through the view ``copy``; the statements here know the rows;
* whoever changes a row with a place holds the slice's row and clears the bit in the same transaction;
* a slice's totals always equal the states of its copies, changed in the same statement or transaction; ``done`` is
  nothing but ``sent + failed + cancelled >= size``;
* rows are locked in the order mailing, slice, copy where more than one kind is locked for long; a deadlock between an
  outcome and a cancellation is possible and is answered by trying again (``flow.copies``).
"""

from colporteur.store.copies.claiming import STEERED, Claimed, Offer, Room, cancel_absent, claim, gone, recount, release, renew, ripen
from colporteur.store.copies.parking import PARKED, park
from colporteur.store.copies.planning import Nested, Window, next_number, plan_range, whom, write_few
from colporteur.store.copies.reading import Due, copies_of
from colporteur.store.copies.running import SLICE, array, bits, unlocked
from colporteur.store.copies.settling import (
    ACCEPTED_PLACES,
    ACCEPTED_ROWS,
    Standing,
    accepted,
    accepted_late,
    defer,
    failed,
    lock_mailing,
    owned,
    put_off,
    tried,
    write_refusals,
)
from colporteur.store.copies.whole import Counts, cancel_open, counts, has_open_slices, sent_out, transports_due, under_way, went_on

__all__ = [
    "ACCEPTED_PLACES",
    "ACCEPTED_ROWS",
    "PARKED",
    "SLICE",
    "STEERED",
    "Claimed",
    "Counts",
    "Due",
    "Nested",
    "Offer",
    "Room",
    "Standing",
    "Window",
    "accepted",
    "accepted_late",
    "array",
    "bits",
    "cancel_absent",
    "cancel_open",
    "claim",
    "copies_of",
    "counts",
    "defer",
    "failed",
    "gone",
    "has_open_slices",
    "lock_mailing",
    "next_number",
    "owned",
    "park",
    "plan_range",
    "put_off",
    "recount",
    "release",
    "renew",
    "ripen",
    "sent_out",
    "transports_due",
    "tried",
    "under_way",
    "unlocked",
    "went_on",
    "whom",
    "write_few",
    "write_refusals",
]
