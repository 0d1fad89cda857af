"""`python -m agraph run`: a program, with what makes it write snapshots installed."""

from agraph._internal.triggers.command import main

if __name__ == "__main__":
    main()
