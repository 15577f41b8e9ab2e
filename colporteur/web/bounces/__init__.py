"""Reports that name none of our copies, of one list."""
