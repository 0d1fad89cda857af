"""`agraph lint --baseline`: findings that are known, and that one has decided to live with.

A baseline counts findings by file, rule and function, not by line: moving code does not change it. It has one
line an entry, in a fixed order, so that two branches that change it merge like two branches that change code.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli import terminal
from agraph_cli.analysis.names import plural
from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agraph_static import Finding

SCHEMA = "agraph.baseline/1"

Key = tuple[str, str, str]
"""The file relative to the folder of the baseline, with slashes; the rule; the qualified function."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Findings, held against a baseline.

    Attributes:
        new: Those to report.
        accepted: Those that the baseline allows.
        notes: What to say about the baseline itself.
    """

    new: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    notes: tuple[str, ...]


class Baseline:
    """The entries of a baseline file."""

    def __init__(self, file: str, counts: dict[Key, int]) -> None:
        self.file = file
        self.counts = counts
        self._folder = os.path.realpath(Path(file).parent)

    def sort(self, findings: Sequence[Finding], paths: Iterable[str]) -> Sorted:
        """Tell what is new from what is known.

        Where a function has more findings of a rule than the baseline allows, nobody can say which of them
        are new: all of them are.

        Args:
            findings: What was found.
            paths: What was linted. Entries of other files are not expected to be found.

        Returns:
            The findings, each in its place.
        """
        found = Counter(map(self._key, findings))
        accepted = [one for one in findings if found[self._key(one)] <= self.counts.get(self._key(one), 0)]
        new = [one for one in findings if found[self._key(one)] > self.counts.get(self._key(one), 0)]
        more = sum(1 for key, count in found.items() if 0 < self.counts.get(key, 0) < count)
        gone = sum(max(0, self.counts[key] - found[key]) for key in self._covered(paths))
        return Sorted(tuple(new), tuple(accepted), tuple(self._notes(more, gone)))

    def _notes(self, more: int, gone: int) -> Iterator[str]:
        if more:
            functions = plural(more, "function")
            yield f"in {functions} there are more problems of one kind than {self.file} allows; all are shown"
        if gone:
            problems = plural(gone, "problem")
            yield f"{self.file} allows {problems} no longer there; --update-baseline takes them out"

    def update(self, findings: Iterable[Finding], paths: Iterable[str]) -> None:
        """Write what was found. Entries of files that were not linted stay.

        Args:
            findings: What was found.
            paths: What was linted.

        Raises:
            CommandError: The file cannot be written.
        """
        covered = set(self._covered(paths))
        counts = {key: count for key, count in self.counts.items() if key not in covered}
        counts.update(Counter(map(self._key, findings)))
        terminal.write(_lines(counts), self.file)

    def _key(self, finding: Finding) -> Key:
        path = os.path.relpath(os.path.realpath(finding.path), self._folder)
        return path.replace(os.sep, "/"), finding.code, finding.function

    def _covered(self, paths: Iterable[str]) -> list[Key]:
        linted = [Path(os.path.realpath(path)) for path in paths]
        files = {key[0]: Path(os.path.normpath(Path(self._folder, key[0]))) for key in self.counts}
        within = {name for name, file in files.items() if any(file.is_relative_to(path) for path in linted)}
        return [key for key in self.counts if key[0] in within]


def load(file: str, *, may_be_missing: bool) -> Baseline:
    """Read a baseline.

    Args:
        file: The file.
        may_be_missing: Whether a file that does not exist is an empty baseline.

    Returns:
        The baseline.

    Raises:
        CommandError: There is no such file, or it is no baseline.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        if may_be_missing:
            return Baseline(file, {})
        raise CommandError(
            f"--baseline: no such file: {file}", hint="run once with --update-baseline to write it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"--baseline: cannot read {file}: {reason}") from None
    return Baseline(file, dict(_entries(file, text)))


def _lines(counts: dict[Key, int]) -> Iterator[str]:
    yield json.dumps({"schema": SCHEMA})
    for (path, code, function), count in sorted(counts.items()):
        yield json.dumps({"path": path, "code": code, "function": function, "count": count})


def _entries(file: str, text: str) -> Iterator[tuple[Key, int]]:
    most: dict[Key, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or (number == 1 and _is_header(line)):
            continue
        entry = _entry(line) if number > 1 else None
        if entry is None:
            expected = "an entry" if number > 1 else f'{{"schema": "{SCHEMA}"}}'
            raise CommandError(
                f"--baseline: {file}:{number}: expected {expected}",
                hint="keep the lines of both sides of a merge conflict, or remove the file and write it with "
                "--update-baseline",
            )
        key, count = entry
        most[key] = max(most.get(key, 0), count)  # a merge can leave two lines of one key
        yield key, most[key]


def _is_header(line: str) -> bool:
    try:
        return bool(json.loads(line) == {"schema": SCHEMA})
    except ValueError:
        return False


def _entry(line: str) -> tuple[Key, int] | None:
    try:
        row = json.loads(line)
        key, count = (row["path"], row["code"], row["function"]), row["count"]
    except (ValueError, KeyError, TypeError):
        return None
    strings = all(isinstance(part, str) for part in key)
    return (key, count) if strings and type(count) is int and count > 0 else None
