"""Floor 2: bytes. Parse, rewrite, render, compose; no database, no network."""
