"""Marking sentences for translation where no translator may be imported."""

from __future__ import annotations


def gettext_noop(sentence: str) -> str:
    """The sentence itself; the name is what ``makemessages`` looks for."""
    return sentence
