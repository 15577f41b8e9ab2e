"""What a list may be called: the mail system's own names, forbidden names, and the beginning an organisation asks for.

Forbidden names are written one a line; ``*`` stands for anything (``*-test``, ``direction*``). Source: Exchange's naming
policy and blocked words, Sympa's ``prohibited_listnames``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from colporteur.domain.addresses import list_name
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

MOST_PATTERNS, LONGEST_PATTERN = 500, 64
_PATTERN = re.compile(r"[a-z0-9._*-]+")


@dataclass(frozen=True)
class Naming:
    """The rules of one domain. ``begins``: what every name begins with, "" for anything; ``reason``: why, in the
    organisation's own words; ``forbidden``: patterns of site, organisation and domain together."""

    begins: str = ""
    reason: str = ""
    forbidden: tuple[str, ...] = ()


def name(text: str, rules: Naming) -> str:
    """Checked local part of a new list under the rules. Raises ``Invalid`` with the reason and what to write."""
    checked = list_name(text)
    if pattern := next((pattern for pattern in rules.forbidden if fnmatchcase(checked, pattern)), ""):
        raise Invalid(_("%(name)r is a forbidden name here (%(pattern)s): choose another one"), name=checked, pattern=pattern)
    if rules.begins and not checked.startswith(rules.begins):
        if rules.reason:
            raise Invalid(_("a list's name begins with %(begins)r here: %(reason)s"), begins=rules.begins, reason=rules.reason)
        raise Invalid(_("a list's name begins with %(begins)r here: write %(example)s"), begins=rules.begins, example=f"{rules.begins}{checked}"[:40])
    return checked


def patterns(text: str) -> str:
    """Forbidden names as they are kept, one a line. Raises ``Invalid`` for one that no name could match."""
    found = list(dict.fromkeys(word for word in re.split(r"[\s,;]+", text.replace("\x00", "").lower()) if word))
    if len(found) > MOST_PATTERNS:
        raise Invalid(_("there are more than %(most)s forbidden names"), most=MOST_PATTERNS)
    for word in found:
        if len(word) > LONGEST_PATTERN or not _PATTERN.fullmatch(word) or word.count("*") > 4:
            raise Invalid(_("%(word)r cannot be a forbidden name: use letters, digits, dots, hyphens, underscores and * for anything"), word=word[:80])
    return "\n".join(found)


def beginning(text: str) -> str:
    """What names begin with, checked; "" for anything. Raises ``Invalid``."""
    begins = text.strip().lower()
    if begins and (len(begins) > 20 or not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", begins)):
        raise Invalid(_("%(text)r cannot be the beginning of a list's name: use up to 20 letters, digits, dots, hyphens and underscores"), text=text.strip()[:80])
    return begins
