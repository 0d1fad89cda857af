"""Write uv.lock as it is committed: names and versions, no download addresses.

    python scripts/lock.py              resolve where needed, then strip the addresses
    python scripts/lock.py --upgrade    the same, to the newest versions; other options of `uv lock` work too
    python scripts/lock.py --strip      only strip what is there (before a commit)
    python scripts/lock.py --check      change nothing; exit 1 if uv.lock names an address

uv cannot install from a stripped lock, and need not: the widened `requires-python` in its header makes uv
resolve again, with the versions of the lock as its preferences, and complete the working copy for itself. So
after any `uv run` the working copy names addresses again. Before you commit it, run this.
"""

import re
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "uv.lock"
# Wider than the project's own, so that uv sees a changed requirement. Nothing is ever resolved for it.
WIDENED = 'requires-python = ">=3.8"'


def strip(text: str) -> str:
    """Return the text of a uv.lock without its addresses.

    Args:
        text: what uv wrote, or an already stripped lock.

    Returns:
        The lock with `registry = "."` as every source, no sdist and no wheels, and a widened header.
    """
    text = re.sub(r"^sdist = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^wheels = \[\n(?:    .*\n)*\]\n", "", text, flags=re.MULTILINE)
    text = re.sub(r'registry = "[^"]*"', 'registry = "."', text)
    return re.sub(r'^requires-python = "[^"]*"$', WIDENED, text, count=1, flags=re.MULTILINE)


def complaint(text: str) -> str | None:
    """Say what keeps a lock from being committed.

    Args:
        text: the text of a uv.lock.

    Returns:
        A sentence with the line, or None if the lock is fit to be committed.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if "://" in line or "url =" in line:
            return f"uv.lock line {number} names an address"
    return None if WIDENED in text else f"the header of uv.lock does not say {WIDENED}"


def main(arguments: list[str]) -> int:
    """Run the command.

    Args:
        arguments: `--check`, `--strip` or options for `uv lock`.

    Returns:
        The exit code.
    """
    if arguments == ["--check"]:
        found = complaint(LOCK.read_text(encoding="utf-8"))
        if found:
            print(f"error: {found}\nhint: python scripts/lock.py --strip", file=sys.stderr)
        return int(found is not None)
    if arguments != ["--strip"]:
        subprocess.run(["uv", "lock", *arguments], cwd=LOCK.parent, check=True)
    LOCK.write_text(strip(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
