"""Where the keys come from: relations of the database, and their rows as arrays."""
