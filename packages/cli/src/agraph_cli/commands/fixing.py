"""`agraph lint --fix` and `--diff`: what fixes make of files, and how that is written."""

from __future__ import annotations

import ast
import dataclasses
import io
import os
import re
import stat
import tempfile
import tokenize
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.commands.linting import config_for, in_order
from agraph_static import FileError, apply_fixes, lint_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agraph_cli.commands.linting import Job
    from agraph_static import Edit, Finding, LintConfig, LintResult

_MOST_PASSES = 10  # fixes that overlap are applied one after the other
_SUPPRESSION = re.compile(
    r"#\s*(?:agraph:\s*ignore\b|noqa\b(?!\s*:\s*[A-Z])|noqa\s*:[^#]*\bAG\d)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Change:
    """What fixes make of one file.

    Attributes:
        path: The file, as its findings name it.
        before: What was linted.
        after: What it should become.
        encoding: How the text is encoded.
        left: The findings of the changed text.
        fixed: How many findings are gone.
    """

    path: str
    before: bytes
    after: bytes
    encoding: str
    left: tuple[Finding, ...]
    fixed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What fixes make of all files: the changes, and the files that cannot be changed."""

    changes: tuple[Change, ...]
    errors: tuple[FileError, ...] = ()


class _CannotFixError(Exception):
    """A file that has to stay as it is."""


def plan(result: LintResult, job: Job, *, unsafe: bool) -> Plan:
    """Work out what fixes change. Nothing is written.

    Args:
        result: What was found.
        job: What was linted.
        unsafe: Also apply fixes that can change what the program does.

    Returns:
        The changes. Each file is read and linted once more, so that a change belongs to
        what it was made from.
    """
    changes: list[Change] = []
    errors: list[FileError] = []
    for path in sorted({one.path for one in result.findings if _applies(one, unsafe)}):
        try:
            data = job.text if job.text is not None and path == job.name else Path(path).read_bytes()
            change = _change(path, data, config_for(job.config_of(path), path), unsafe=unsafe)
        except OSError as error:
            errors.append(FileError(path, f"cannot read the file: {error.strerror or error}"))
        except _CannotFixError as error:
            errors.append(FileError(path, f"not fixed: {error}"))
        else:
            if change.after != data:
                changes.append(change)
    return Plan(tuple(changes), tuple(errors))


def carry_out(planned: Plan) -> Plan:
    """Write the changes.

    Args:
        planned: The changes.

    Returns:
        The changes that were written, and an error for each file that was not.
    """
    errors = [*planned.errors]
    done = []
    for change in planned.changes:
        try:
            _replace(change)
        except OSError as error:
            errors.append(FileError(change.path, f"cannot write the file: {error.strerror or error}"))
        except _CannotFixError as error:
            errors.append(FileError(change.path, f"not fixed: {error}", "run agraph lint --fix once more"))
        else:
            done.append(change)
    return Plan(tuple(done), tuple(errors))


def afterwards(result: LintResult, done: Plan) -> LintResult:
    """What is left to find.

    Args:
        result: What was found before.
        done: What was changed, and what could not be.

    Returns:
        The same run with the findings of the changed files.
    """
    changed = {change.path for change in done.changes}
    findings = [one for one in result.findings if one.path not in changed]
    findings += [one for change in done.changes for one in change.left]
    return dataclasses.replace(
        result,
        findings=in_order(findings),
        errors=(*result.errors, *done.errors),
        failed=result.failed + len(done.errors),
    )


def _change(path: str, data: bytes, config: LintConfig, *, unsafe: bool) -> Change:
    before, encoding = _decoded(data)
    findings = first = lint_source(before, path, config)
    text = before
    for _ in range(_MOST_PASSES):
        wanted = [one for one in findings if _applies(one, unsafe) and not _on_suppressed_line(one, text)]
        changed = apply_fixes(text, wanted, unsafe)
        if changed == text:
            break
        if not _parses(changed):
            raise _CannotFixError("the result would not parse; this is a bug in agraph")
        text = changed
        findings = lint_source(text, path, config)
    gone = Counter(map(_identity, first)) - Counter(map(_identity, findings))
    try:
        after = text.encode(encoding)
    except UnicodeEncodeError:
        raise _CannotFixError(f"the result cannot be encoded as {encoding}") from None
    return Change(path, data, after, encoding, tuple(findings), gone.total())


def _applies(finding: Finding, unsafe: bool) -> bool:
    return finding.fix is not None and (unsafe or finding.fix.kind == "safe")


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.function, finding.message


def _decoded(data: bytes) -> tuple[str, str]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)  # without the byte order mark, which `utf-8-sig` writes again
        if text.encode(encoding) == data:
            return text, encoding
    except (SyntaxError, UnicodeError, LookupError):
        raise _CannotFixError("it changed since it was linted, and cannot be decoded any more") from None
    raise _CannotFixError(f"as {encoding} it cannot be written back as it was")


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and such were there before
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _on_suppressed_line(finding: Finding, text: str) -> bool:
    """Whether the fix would change, move or remove a line on which findings of ours are suppressed."""
    data = text.encode("utf-8", "surrogatepass")
    edits = finding.fix.edits if finding.fix else ()
    return any(_SUPPRESSION.search(_lines_around(data, edit)) for edit in edits)


def _lines_around(data: bytes, edit: Edit) -> str:
    """The lines that an edit touches, and the comment above them: it holds for the next line.

    An edit that inserts whole lines touches none; one that inserts less moves its line to the right.
    """
    first = data.rfind(b"\n", 0, edit.start) + 1
    inserts = edit.start == edit.end and edit.start == first and edit.text.endswith(("\n", "\r"))
    last = first if inserts else data.find(b"\n", max(edit.end - 1, edit.start))
    above = data.rfind(b"\n", 0, max(first - 1, 0)) + 1
    if data[above:first].lstrip().startswith(b"#"):
        first = above
    return data[first : last if last >= 0 else len(data)].decode("utf-8", "replace")


def _replace(change: Change) -> None:
    """Put the changed file in the place of what was linted: whole or not at all, with the same mode."""
    target = Path(os.path.realpath(change.path))  # a symbolic link stays one
    status = target.stat()
    if not os.access(target, os.W_OK):
        raise PermissionError(0, "it is read-only")
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(change.after)
        if hasattr(os, "chown"):
            with suppress(OSError):  # only root may give a file away
                os.chown(temporary, status.st_uid, status.st_gid)
        Path(temporary).chmod(stat.S_IMODE(status.st_mode))
        _check_unchanged(target, change.before)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _check_unchanged(target: Path, linted: bytes) -> None:
    if target.read_bytes() != linted:
        raise _CannotFixError("it changed since it was linted")


def unified(changes: Sequence[Change]) -> Iterable[tuple[str, str, str]]:
    """Path, text before and text after of each change; a byte order mark is a part of them."""
    for change in changes:
        encoding = "utf-8" if change.encoding == "utf-8-sig" else change.encoding
        yield change.path, change.before.decode(encoding), change.after.decode(encoding)
