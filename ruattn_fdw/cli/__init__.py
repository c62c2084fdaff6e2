"""The command line, ``ruattn``."""
