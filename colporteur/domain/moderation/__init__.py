"""Judging a post: the ordered rules, each in its own file, and the verdict with its findings.

The order of a post's judgement is the tuple ``RULES``, readable top to bottom.
"""
