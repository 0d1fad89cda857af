"""Formatters: pure generators of lines. They judge nothing and read no file."""
