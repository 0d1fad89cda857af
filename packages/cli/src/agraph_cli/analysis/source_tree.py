"""Find the files of a process again in a folder of sources, which may be on another machine."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SEPARATOR = re.compile(r"[/\\]+")  # a snapshot may come from Windows
_SKIPPED = {"__pycache__", "node_modules"}


class SourceTree:
    """The Python files below some folders, found by the paths that a process had for them.

    The file with the longest common end of the path is taken. A common file name alone does not count, unless
    the file lies directly in one of the folders: many packages have a `utils.py`.

    Attributes:
        missing: What was asked for and is not there, in the order of asking.
        ambiguous: For what fits several files equally well, these.
    """

    def __init__(self, roots: Iterable[str]) -> None:
        """Nothing is read yet.

        Args:
            roots: Folders, and files, which count as if they lay directly in one.
        """
        self.missing: list[str] = []
        self.ambiguous: dict[str, list[str]] = {}
        self._roots = list(roots)
        self._found: dict[str, str | None] = {}
        self._by_name: dict[str, list[_File]] | None = None

    def find(self, file: str) -> str | None:
        """The file that a process calls so.

        Args:
            file: The path, as in a snapshot; nothing in it is trusted.

        Returns:
            A path that begins with a root as it was given; None when there is none, or more than one.
        """
        if file not in self._found:
            self._found[file] = None if file.startswith("<") else self._search(file)
        return self._found[file]

    def _search(self, file: str) -> str | None:
        parts = _SEPARATOR.split(file)
        if self._by_name is None:
            self._by_name = self._index()
        rated = [(_common_end(parts, one.parts), one) for one in self._by_name.get(parts[-1], ())]
        most = max((length for length, one in rated if length > 1 or one.direct), default=0)
        best = [one.path for length, one in rated if most and length == most]
        if not best:
            self.missing.append(file)
        elif len(best) > 1:
            self.ambiguous[file] = best
        return best[0] if len(best) == 1 else None

    def _index(self) -> dict[str, list[_File]]:
        found: dict[str, _File] = {}
        for root in self._roots:
            for path, direct in _files_below(root):
                place = os.path.abspath(path)  # noqa: PTH100 - a symbolic link is not followed
                found.setdefault(place, _File(path, _SEPARATOR.split(place), direct=direct))
        by_name: dict[str, list[_File]] = {}
        for one in found.values():
            by_name.setdefault(one.parts[-1], []).append(one)
        return by_name


class _File:
    """A file of the tree."""

    __slots__ = ("direct", "parts", "path")

    def __init__(self, path: str, parts: Sequence[str], *, direct: bool) -> None:
        self.path = path
        self.parts = parts
        self.direct = direct


def _files_below(root: str) -> Iterator[tuple[str, bool]]:
    """Each Python file, and whether it lies directly in the folder. What cannot be listed is left out."""
    if Path(root).is_file():
        yield root, True
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name), folder == root  # noqa: PTH118 - keeps the root as given


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        length += 1
    return length
