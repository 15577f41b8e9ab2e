"""What a list knows of its members: the page of its attributes."""
