"""How formats for other programs name files, and know a finding again."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_cli.report.lint.model import LintReport
    from agraph_static import Finding


def below(path: str, root: str) -> str | None:
    """A path relative to a folder.

    Args:
        path: As given on the command line; relative to that folder, or absolute.
        root: The folder; empty when it is not known.

    Returns:
        The path with slashes; None when it is not below the folder.
    """
    name = os.path.relpath(path, root) if os.path.isabs(path) and root else os.path.normpath(path)  # noqa: PTH117
    name = name.replace(os.sep, "/")
    return None if name.startswith("../") or os.path.isabs(name) else name  # noqa: PTH117


def shown(path: str, root: str) -> str:
    """The path below a folder where it is, else as it was given; without bytes that are no text."""
    name = below(path, root) or path
    return name.encode("utf-8", "replace").decode("utf-8")


def uri(path: str, root: str) -> tuple[str, bool]:
    """The address of a file.

    Args:
        path: As given on the command line.
        root: The current folder.

    Returns:
        The address, and whether it is relative to that folder.
    """
    name = below(path, root)
    if name is not None:
        return quote(name, errors="surrogateescape"), True
    return Path(os.path.normpath(Path(root, path))).as_uri(), False


def fingerprints(findings: Iterable[Finding], report: LintReport) -> list[str]:
    """What tells each finding from the others, and stays when the lines around it move.

    Made of the file, the rule, the function and the text of the place, with spaces folded; findings that
    agree in all that are numbered.

    Args:
        findings: The findings, in their order.
        report: The run they belong to.

    Returns:
        One fingerprint for each finding, no two alike.
    """
    met: Counter[tuple[str, ...]] = Counter()
    made = []
    for finding in findings:
        path = shown(finding.path, report.style.root)
        key = (path, finding.code, finding.function, _text(finding, report))
        met[key] += 1
        content = "\0".join((*key, str(met[key])))
        made.append(hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest())
    return made


def _text(finding: Finding, report: LintReport) -> str:
    source = report.sources.get(finding.path)
    lines = source.lines[finding.span.line - 1 : finding.span.end_line] if source else ()
    return " ".join(" ".join(lines).split()) or finding.message
