"""What other programs wrote down, read without executing anything of it."""
