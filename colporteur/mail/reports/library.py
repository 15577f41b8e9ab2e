"""flufl-bounce, the bounce readers of Mailman, as one reader among ours: it finds addresses, and is never asked whose fault it is."""

from __future__ import annotations

import email
import logging

from flufl.bounce import all_failures

from colporteur.mail.reports.told import MOST, address

log = logging.getLogger("colporteur.reports")

LARGEST = 64 * 1024
"""Bytes of a report the library sees: its patterns are not linear."""


def failures(raw: bytes) -> list[str]:
    """Addresses it finds, in alphabetical order; none when it fails."""
    try:
        temporary, permanent = all_failures(email.message_from_bytes(raw[:LARGEST]))
    except Exception:  # foreign code on foreign bytes
        log.debug("flufl-bounce failed", exc_info=True)
        return []
    found = {address(one.decode("utf-8", "replace")) for one in (*temporary, *permanent)}
    return sorted(found - {""})[:MOST]
