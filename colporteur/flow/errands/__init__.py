"""Errands: what is asked by mail at a list's service addresses. One file for each kind, ``work`` goes through what is due."""

from colporteur.flow.errands.aside import discard, retry
from colporteur.flow.errands.wishes import fulfil, wish
from colporteur.flow.errands.work import do_due

__all__ = ["discard", "do_due", "fulfil", "retry", "wish"]
