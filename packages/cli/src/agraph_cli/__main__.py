"""`agraph` and `python -m agraph_cli`."""


def main() -> None:
    """Run the command line."""
