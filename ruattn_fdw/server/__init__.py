"""Build the host, install the extension, run PostgreSQL servers."""
