"""The fixtures and the options of the suite, from the modules in ``plugins``."""

pytest_plugins = [
    f"tests.plugins.{name}"
    for name in ("options", "selection", "sanitizing", "servers", "databases", "interpreters", "reporting")
]
