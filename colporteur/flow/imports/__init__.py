"""Moving in from other systems: everything in one transaction, with an account of every row."""
