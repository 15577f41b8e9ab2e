"""Colporteur: self-hosted mail for groups."""

__version__ = "0.1.0"
