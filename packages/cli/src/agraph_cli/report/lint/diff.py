"""`--diff`: what fixes would change."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.style import Role, Style

_ROLES: dict[str, Role] = {"+": "good", "-": "bad", "@": "accent"}


def diff(path: str, before: str, after: str, style: Style) -> Iterator[str]:
    """The changes of one file, in the unified format that `patch` and `git apply` read.

    Args:
        path: The file.
        before: Its text.
        after: The text that it would have.
        style: How it looks.

    Yields:
        Lines without line ends. The carriage returns of a file that has them stay.
    """
    name = style.file(path)
    changes = difflib.unified_diff(_lines(before), _lines(after), name, name)
    for number, line in enumerate(changes):
        role = "strong" if number < 2 else _ROLES.get(line[0])
        text = line.removesuffix("\n")
        yield style.paint(text, role) if role else text
        if number > 1 and not line.endswith("\n") and line[0] in " +-":
            yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    *whole, last = text.split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])
