"""Segments of a list: made condition by condition, counted, explained."""
