"""Floor 3: rows. The one Django app; each file holds the tables, questions and changes of one noun; hot SQL is named."""
