"""The same words for a finding everywhere: web, command line, letters, journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext

from colporteur.domain.moderation import Action


class Reasoned(Protocol):
    """A finding: the domain's, or a row of store.posts."""

    @property
    def action(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def values(self) -> Mapping[str, str | int]: ...


def sized(count: int) -> str:
    """Bytes as people say them: 6.2 MB, 6,2 Mo (never Mio, which nobody says)."""
    return str(filesizeformat(count)).replace("Kio", "Ko").replace("Mio", "Mo").replace("Gio", "Go")


def parts(finding: Reasoned) -> tuple[str, str]:
    """What was seen, and the rule it meets ("" when there is none), in the active language, without final full stops."""
    values = {name: sized(int(value)) if name in ("size", "limit") else value for name, value in finding.values.items()}
    try:
        filled = gettext(finding.reason).format_map(values)
    except (KeyError, ValueError, IndexError):  # a translation with a wrong name in braces must not stop mail
        filled = finding.reason.format_map(values)
    seen, _line, rule = filled.partition("\n")
    return seen.rstrip("."), rule.rstrip(".")


def sentence(finding: Reasoned) -> str:
    """One finding in words, in the active language."""
    return " ".join(f"{part}." for part in parts(finding) if part)


def reasons(findings: Iterable[Reasoned]) -> str:
    """Why a post waits or was refused, one line a finding; remarks are left out."""
    return "\n".join(sentence(finding) for finding in findings if finding.action not in (Action.NONE, Action.ACCEPT))
