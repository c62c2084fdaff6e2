"""Late interaction: a set of vectors in each row."""
