"""Pictures of newsletters, as mail programs ask for them."""
