"""A program that hangs, for `agraph demo`."""
