"""Floor 5: long-running doors, the only place with an event loop: receive, collect, deliver, work, tick, run."""
