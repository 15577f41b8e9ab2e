"""Where sending services tell what became of messages."""
