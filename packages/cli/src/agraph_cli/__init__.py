"""agraph_cli: the command line of agraph."""

__version__ = "0.1.0"
