"""Floor 4: use cases. Synchronous, one transaction each: load facts, ask domain, write, wake. Never the network.

The life of a message, in order: ``intake.receive`` -> ``moderation.judge`` -> (``moderation.decide``) ->
``mailings.plan`` -> ``mailings.claim`` -> ``mailings.settle``.
"""
