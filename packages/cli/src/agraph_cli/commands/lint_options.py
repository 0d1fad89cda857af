"""The options of `agraph lint`, and the settings they make."""

from __future__ import annotations

import dataclasses
import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agraph_static import LintConfig

Format = Literal["full", "concise", "grouped", "json", "jsonl", "sarif", "github", "gitlab", "junit"]
Confidence = Literal["certain", "likely", "possible"]

_RULES = "Which rules"
_FILES = "Which files"
_OUTPUT = "Output"
_FIXING = "Fixing"
_BASELINE = "Known findings"

Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATHS", help="Files and folders, or - for standard input; without any, here."),
]
Select = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="CODES", help="Rules to run: AG101,AG2 or ALL.", rich_help_panel=_RULES),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="CODES", help="Rules not to run.", rich_help_panel=_RULES),
]
ExtendSelect = Annotated[
    list[str] | None,
    typer.Option(
        "--extend-select", metavar="CODES", help="Rules to run beside the configured.", rich_help_panel=_RULES
    ),
]
MinConfidence = Annotated[
    Confidence | None,
    typer.Option("--min-confidence", help="Leave out findings less sure than this.", rich_help_panel=_RULES),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="Report only what this file does not allow.",
        rich_help_panel=_BASELINE,
    ),
]
UpdateBaseline = Annotated[
    bool,
    typer.Option(
        "--update-baseline",
        help="Write all that is found to the file of --baseline.",
        rich_help_panel=_BASELINE,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The pyproject.toml to take settings from, instead of the nearest.",
        rich_help_panel=_RULES,
    ),
]
Isolated = Annotated[bool, typer.Option("--isolated", help="Read no configuration.", rich_help_panel=_RULES)]
StdinFilename = Annotated[
    str,
    typer.Option(
        "--stdin-filename", metavar="FILE", help="What to call standard input.", rich_help_panel=_FILES
    ),
]
ForceExclude = Annotated[
    bool,
    typer.Option(
        "--force-exclude", help="Leave out excluded files even if they are named.", rich_help_panel=_FILES
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        show_default=False,
        help="How many processes; without it as many as the work is worth.",
        rich_help_panel=_FILES,
    ),
]
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache", help="Neither use nor write what earlier runs remember.", rich_help_panel=_FILES
    ),
]
Fix = Annotated[
    bool, typer.Option("--fix", help="Apply the safe fixes, show what is left.", rich_help_panel=_FIXING)
]
UnsafeFixes = Annotated[
    bool,
    typer.Option(
        "--unsafe-fixes",
        help="Also offer fixes that can change what the program does.",
        rich_help_panel=_FIXING,
    ),
]
Diff = Annotated[
    bool,
    typer.Option("--diff", help="Show what --fix would change, write nothing.", rich_help_panel=_FIXING),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="How to print findings; without it full on a terminal, else concise.",
        rich_help_panel=_OUTPUT,
    ),
]
Statistics = Annotated[
    bool, typer.Option("--statistics", help="Count findings by rule instead.", rich_help_panel=_OUTPUT)
]
ExitZero = Annotated[
    bool, typer.Option("--exit-zero", help="Exit with 0 in spite of findings.", rich_help_panel=_OUTPUT)
]


@dataclasses.dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says about rules and files; None and False leave the configuration as it is."""

    select: Sequence[str] | None = None
    ignore: Sequence[str] | None = None
    extend_select: Sequence[str] | None = None
    min_confidence: Confidence | None = None
    force_exclude: bool = False

    def on(self, config: LintConfig) -> LintConfig:
        """The configuration with these on top.

        Args:
            config: What the files say.

        Returns:
            A new configuration.

        Raises:
            CommandError: An option names a rule that does not exist.
        """
        changes: dict[str, object] = {}
        if self.select:
            changes["select"] = _codes(self.select, "--select")
        if self.ignore:
            changes["ignore"] = config.ignore + _codes(self.ignore, "--ignore")
        if self.extend_select:
            changes["extend_select"] = config.extend_select + _codes(self.extend_select, "--extend-select")
        if self.min_confidence:
            changes["min_confidence"] = self.min_confidence
        if self.force_exclude:
            changes["force_exclude"] = True
        changed: LintConfig = dataclasses.replace(config, **changes)  # type: ignore[arg-type]
        return changed


def _codes(given: Iterable[str], option: str) -> tuple[str, ...]:
    from agraph_static import all_rules

    codes = tuple(code.strip() for text in given for code in text.split(",") if code.strip())
    known = [rule.code for rule in all_rules()]
    for code in codes:
        if code != "ALL" and not any(one.startswith(code) for one in known):
            near = difflib.get_close_matches(code.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"rules are {', '.join(known)}"
            raise CommandError(f"{option}: no rule is called {code!r}", hint=hint)
    return codes


Group = tuple["LintConfig", tuple[str, ...]]
"""A configuration, and the given paths that it holds for."""


def settings(paths: Sequence[str], file: str | None, *, isolated: bool) -> list[Group]:
    """The configurations of the projects that are linted.

    Args:
        paths: What is linted. For each, the nearest pyproject.toml above it counts; for one that lies in
            another, that of the other.
        file: A pyproject.toml to read instead; None without.
        isolated: Whether to read none.

    Returns:
        The configurations that differ, with their paths in order.

    Raises:
        CommandError: One cannot be read, or says something that is not known.
    """
    from agraph_static import ConfigError, LintConfig, load_config

    if isolated:
        return [(LintConfig(), tuple(paths))]
    if file is not None and not Path(file).is_file():
        raise CommandError(f"--config: no such file: {file}", hint="name a pyproject.toml file")
    try:
        if file is not None:
            return [(load_config(Path(file)), tuple(paths))]
        groups: dict[LintConfig, list[str]] = {}
        for folder, held in _by_project(paths).items():
            groups.setdefault(load_config(folder), []).extend(held)
    except ConfigError as error:
        raise CommandError(error.message, hint=error.help) from None
    return [(config, tuple(held)) for config, held in groups.items()]


def _by_project(paths: Sequence[str]) -> dict[Path, list[str]]:
    """The paths by the nearest folder above them that holds a pyproject.toml, else by the topmost folder."""
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - thousands of plain paths
    folders = {path for path in absolute if os.path.isdir(path)}  # noqa: PTH112
    starts: dict[str, Path] = {}
    projects: dict[Path, Path] = {}
    found: dict[Path, list[str]] = {}
    for given, path in zip(paths, absolute, strict=True):
        folder = path if path in folders else os.path.dirname(path)  # noqa: PTH120
        if folder not in starts:
            around = [Path(folder), *Path(folder).parents]
            start = next((one for one in reversed(around) if str(one) in folders), around[0])
            if start not in projects:
                above = [start, *start.parents]
                near = (one for one in above if (one / "pyproject.toml").is_file())
                projects[start] = next(near, above[-1])
            starts[folder] = projects[start]
        found.setdefault(starts[folder], []).append(given)
    return found


def cache_folder(paths: Sequence[str]) -> Path:
    """Where findings are remembered between runs.

    Args:
        paths: What is linted.

    Returns:
        `$AGRAPH_CACHE_DIR`, else `.agraph_cache` beside the nearest pyproject.toml above all of it, else
        in the current folder.
    """
    named = os.environ.get("AGRAPH_CACHE_DIR")
    if named:
        return Path(named)
    start = _common_folder(paths)
    near = (folder for folder in (start, *start.parents) if (folder / "pyproject.toml").is_file())
    return next(near, Path.cwd()) / ".agraph_cache"


def _common_folder(paths: Sequence[str]) -> Path:
    folders = [path if path.is_dir() else path.parent for path in (Path(path).absolute() for path in paths)]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # no path, or on different drives
        return Path.cwd()
