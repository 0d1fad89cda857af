"""Help pages: options in groups, then examples and exit codes as they are written."""

# ruff: noqa: ANN401 - the framework keeps these types to itself, under a name that changed between versions

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from agraph_cli.terminal import Color

if TYPE_CHECKING:
    from typing import Any

_FIND = "  0    nothing was found\n  1    {found}"
_DO = "  0    {done}"
_FAIL = """\
  2    {failed}
  130  interrupted by Ctrl-C"""
_UNREADABLE = "wrong usage or configuration, or an input that could not be read"

ColorOption = Annotated[
    Color,
    typer.Option(
        "--color", help="When to use colours. NO_COLOR and FORCE_COLOR are heeded.", rich_help_panel="Output"
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write to a file instead of standard output.",
        rich_help_panel="Output",
    ),
]


class _Page:
    """How a help page is laid out. `epilog` is shown line by line."""

    def format_options(self: Any, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options by group (`rich_help_panel`)."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                kind = "Arguments" if param.param_type_name == "argument" else "Options"
                name = re.sub(
                    r" <[a-z\[\]]+>$", "", record[0]
                )  # of an argument: it says nothing to the reader
                group = getattr(param, "rich_help_panel", None) or kind
                groups.setdefault(group, []).append((name, record[1]))
        groups["Options"] = groups.pop("Options")  # the rest comes last
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)

    def format_epilog(self: Any, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the framework's signature
        """Write the epilog as it is: examples are not to be wrapped."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(self.epilog.strip("\n") + "\n")


class Page(_Page, TyperCommand):
    """A command with such a page."""


class GroupPage(_Page, TyperGroup):
    """The group of all commands with such a page."""

    def format_options(self: Any, ctx: Any, formatter: Any) -> None:
        """Write the commands first: they are what one looks for."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def epilog(examples: str, found: str = "", *, done: str = "done", failed: str = _UNREADABLE) -> str:
    """The end of a help page.

    Args:
        examples: Command lines, one a line.
        found: What exit code 1 says; empty for a command that finds nothing.
        done: What exit code 0 says of such a command.
        failed: What exit code 2 says.

    Returns:
        Text to show as it is.
    """
    shown = "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())
    codes = _FIND.format(found=found) if found else _DO.format(done=done)
    return f"Examples:\n{shown}\n\nExit codes:\n{codes}\n{_FAIL.format(failed=failed)}"
