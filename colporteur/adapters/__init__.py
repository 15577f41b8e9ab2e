"""Floor 3: wires. One small file per foreign thing, one shape per folder; no database."""
