"""Floor 1: decisions. Standard library only: no Django, no sockets, no clock, no randomness.

A decision is a function from a struct of facts to a struct with the answer and its reasons.
"""
