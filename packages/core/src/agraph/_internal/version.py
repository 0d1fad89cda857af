"""The version, the same in the three distributions (a test holds it)."""

__version__ = "0.1.0"
