"""Load the book's own rules for comparing notebooks wherever pytest is started from here."""

pytest_plugins = ["tests.support.nbval_settings"]
