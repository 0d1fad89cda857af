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


def settings(paths: Sequence[str], file: str | None, *, isolated: bool) -> LintConfig:
    """The configuration of the project.

    Args:
        paths: What is linted: the nearest pyproject.toml above all of it counts.
        file: A pyproject.toml to read instead; None without.
        isolated: Whether to read none.

    Returns:
        The configuration.

    Raises:
        CommandError: It cannot be read, or says something that is not known.
    """
    from agraph_static import ConfigError, LintConfig, load_config

    if isolated:
        return LintConfig()
    try:
        if file is None:
            return load_config(_common_folder(paths))
        if not Path(file).is_file():
            raise CommandError(f"--config: no such file: {file}", hint="name a pyproject.toml file")
        return load_config(Path(file))
    except ConfigError as error:
        raise CommandError(error.message, hint=error.help) from None


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
