"""Template tags of the look: marks, states, bars, dates."""

from __future__ import annotations

from django import template

register = template.Library()
