"""Mail written by machines: recognised (``automatic``), read (``read``), said in one line (``summary``)."""

from __future__ import annotations

from colporteur.mail.reports.automatic import Automatic, automatic
from colporteur.mail.reports.reading import Report, Told, read
from colporteur.mail.reports.summary import summary

__all__ = ["Automatic", "Report", "Told", "automatic", "read", "summary"]
