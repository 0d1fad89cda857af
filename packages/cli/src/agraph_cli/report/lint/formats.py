"""The table of formats."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.report.lint.model import LintReport


class Format(NamedTuple):
    """One format.

    Attributes:
        module: The module here that has `lines(report)`.
        for_people: Whether a summary belongs to it.
        needs_sources: Whether it looks into the sources.
    """

    module: str
    for_people: bool = False
    needs_sources: bool = False


FORMATS: dict[str, Format] = {
    "full": Format("full", for_people=True, needs_sources=True),
    "concise": Format("concise", for_people=True),
    "grouped": Format("grouped", for_people=True),
    "json": Format("json_"),
    "jsonl": Format("jsonl"),
    "sarif": Format("sarif", needs_sources=True),
    "github": Format("github"),
    "gitlab": Format("gitlab", needs_sources=True),
    "junit": Format("junit"),
}
STATISTICS = Format("statistics", for_people=True)


def lines(form: Format, report: LintReport) -> Iterator[str]:
    """Tell a run in a format. Only the module of that format is loaded.

    Args:
        form: The format.
        report: The run.

    Returns:
        Lines without line ends.
    """
    module = importlib.import_module(f"agraph_cli.report.lint.{form.module}")
    told: Iterator[str] = module.lines(report)
    return told
