"""`agraph` and `python -m agraph_cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from agraph_cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
