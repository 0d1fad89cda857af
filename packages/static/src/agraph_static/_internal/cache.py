"""Remembers the findings of files between runs, by their content and by all that decides about them.

A file whose size and time of change are as they were is not even read. One JSON file holds the entries of a
configuration; it is written whole or not at all, and a cache that cannot be read or written is no error.
"""

# Plain paths, as in discover.py.
# ruff: noqa: PTH100, PTH105, PTH116
from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agraph_static._internal.model import Edit, Finding, Fix, Related, Span
from agraph_static._internal.version import __version__

if TYPE_CHECKING:
    from agraph_static._internal.config import LintConfig

Entry = list[Any]
"""Time of change in ns, size in bytes, digest, findings as plain data."""


Version = tuple[int, int, str]
"""Time of change in ns, size in bytes, digest of the content."""


class Cache:
    """The entries of one configuration."""

    def __init__(self, directory: str | os.PathLike[str], config: LintConfig) -> None:
        """Load what there is.

        Args:
            directory: Where cache files are kept; made when needed.
            config: The configuration; it is a part of the key, and so are the versions of agraph and of
                Python.
        """
        key = repr((__version__, _own_digest(), sys.version_info[:3], config))
        name = f"lint-{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}.json"
        self._file = Path(directory) / name
        self._entries: dict[str, Entry] = {}
        self._changed = False
        try:
            loaded = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(loaded, dict):
            self._entries = loaded

    @staticmethod
    def status_of(path: str) -> tuple[int, int] | None:
        """Time of change and size of a file; None when it is gone."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    @staticmethod
    def version_of(status: tuple[int, int] | None, data: bytes) -> Version:
        """What tells this content of a file from another.

        Args:
            status: What `status_of` said before the file was read.
            data: What was read.
        """
        time = status[0] if status is not None else -1
        return time, len(data), hashlib.blake2b(data, digest_size=16).hexdigest()

    def unchanged(self, path: str) -> list[Finding] | None:
        """The findings of a file that was not touched since; None when it has to be read.

        Args:
            path: The file as given; findings carry it.
        """
        entry = self._entries.get(os.path.abspath(path))
        if entry is None:
            return None
        if self.status_of(path) != (entry[0], entry[1]):
            return None
        return [_to_finding(one, path) for one in entry[3]]

    def same_content(self, path: str, version: Version) -> list[Finding] | None:
        """The findings of a file that was touched but holds what it held; None when it is another."""
        entry = self._entries.get(os.path.abspath(path))
        if entry is None or entry[2] != version[2]:
            return None
        findings = [_to_finding(one, path) for one in entry[3]]
        self.store(path, version, findings)
        return findings

    def store(self, path: str, version: Version, findings: list[Finding]) -> None:
        """Remember the findings of a file, unless it has changed since it was read.

        Args:
            path: The file as given.
            version: What `version_of` said when it was read.
            findings: What was found in it.
        """
        if self.status_of(path) != version[:2]:
            return
        self._entries[os.path.abspath(path)] = [*version, [_from_finding(one) for one in findings]]
        self._changed = True

    def save(self) -> None:
        """Write the entries, if there are new ones."""
        if not self._changed:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            ignore = self._file.parent / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            with tempfile.NamedTemporaryFile(
                "w", dir=self._file.parent, delete=False, encoding="utf-8"
            ) as file:
                json.dump(self._entries, file, separators=(",", ":"))
            os.replace(file.name, self._file)
        except OSError:
            return


def _own_digest() -> str:
    """Changes with the rules: a digest of this package's own files."""
    folder = Path(__file__).parent.parent
    content = b"".join(file.read_bytes() for file in sorted(folder.rglob("*.py")))
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _from_finding(finding: Finding) -> dict[str, Any]:
    return dataclasses.asdict(finding)


def _to_finding(plain: dict[str, Any], path: str) -> Finding:
    fix = plain["fix"]
    return Finding(
        code=plain["code"],
        confidence=plain["confidence"],
        message=plain["message"],
        path=path,
        span=Span(**plain["span"]),
        function=plain["function"],
        label=plain["label"],
        help=plain["help"],
        related=tuple(Related(path, Span(**one["span"]), one["message"]) for one in plain["related"]),
        notes=tuple(plain["notes"]),
        fix=None
        if fix is None
        else Fix(fix["kind"], fix["message"], tuple(Edit(**one) for one in fix["edits"])),
    )
