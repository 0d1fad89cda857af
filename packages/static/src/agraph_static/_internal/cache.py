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
"""Time of change in ns, size in bytes, digest, findings as plain data; None when the file was not parsed."""


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
        except (OSError, ValueError, RecursionError):
            return
        if isinstance(loaded, dict):
            self._entries = {path: one for path, one in loaded.items() if _is_entry(one)}

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
        entry = self._untouched(path)
        return None if entry is None else _to_findings(entry, path)

    def unparsed(self, path: str) -> Version | None:
        """The version of a file that was not touched since, and was not parsed then; None for another.

        Args:
            path: The file as given.
        """
        entry = self._untouched(path)
        return (entry[0], entry[1], entry[2]) if entry is not None and entry[3] is None else None

    def _untouched(self, path: str) -> Entry | None:
        entry = self._entries.get(os.path.abspath(path))
        if entry is None or self.status_of(path) != (entry[0], entry[1]):
            return None
        return entry

    def same_content(self, path: str, version: Version) -> list[Finding] | None:
        """The findings of a file that was touched but holds what it held; None when it is another."""
        entry = self._entries.get(os.path.abspath(path))
        if entry is None or entry[2] != version[2]:
            return None
        findings = _to_findings(entry, path)
        if findings is not None:
            self.store(path, version, findings)
        return findings

    def store(self, path: str, version: Version, findings: list[Finding] | None) -> None:
        """Remember the findings of a file, unless it has changed since it was read.

        Args:
            path: The file as given.
            version: What `version_of` said when it was read.
            findings: What was found in it; None when it was not parsed.
        """
        if self.status_of(path) != version[:2]:
            return
        plain = None if findings is None else [_from_finding(one) for one in findings]
        self._entries[os.path.abspath(path)] = [*version, plain]
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


def _is_entry(loaded: object) -> bool:
    """Whether something that was read from a file of ours, or of somebody else, has the shape of an entry."""
    if not isinstance(loaded, list) or len(loaded) != 4:
        return False
    time, size, digest, findings = loaded
    numbers = isinstance(time, int) and isinstance(size, int)
    return numbers and isinstance(digest, str) and (findings is None or isinstance(findings, list))


def _to_findings(entry: Entry, path: str) -> list[Finding] | None:
    """The findings of an entry; None when it has none, or is not as we write it."""
    if entry[3] is None:
        return None
    try:
        return [_to_finding(one, path) for one in entry[3]]
    except (TypeError, KeyError, AttributeError):
        return None


def _to_finding(plain: dict[str, Any], path: str) -> Finding:
    fix = plain["fix"]
    return Finding(
        code=_text(plain["code"]),
        confidence=plain["confidence"],
        message=_text(plain["message"]),
        path=path,
        span=_span(plain["span"]),
        function=_text(plain["function"]),
        label=_text(plain["label"]),
        help=_text(plain["help"]),
        related=tuple(Related(path, _span(one["span"]), _text(one["message"])) for one in plain["related"]),
        notes=tuple(map(_text, plain["notes"])),
        fix=None
        if fix is None
        else Fix(fix["kind"], _text(fix["message"]), tuple(Edit(**one) for one in fix["edits"])),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _span(plain: dict[str, int]) -> Span:
    if not all(isinstance(one, int) for one in plain.values()):
        raise TypeError(plain)
    return Span(**plain)
