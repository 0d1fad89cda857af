"""`agraph explain`: a rule or a verdict, in words."""

from __future__ import annotations

import difflib
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from agraph.reduction import EXPLAINED, MORE, VERDICTS
from agraph_cli import terminal
from agraph_cli.analysis.names import listed
from agraph_cli.commands.page import ColorOption, epilog
from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph.reduction import Verdict
    from agraph_cli.report.style import Style
    from agraph_static import Rule

SHORT = "Explain a rule or a verdict."
EPILOG = epilog(
    """
    agraph explain AG101
    agraph explain possible
    """,
)


def explain(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE", help="A rule such as AG101 or single-flight, or certain, possible, stalled, live."
        ),
    ],
    color: ColorOption = "auto",
) -> None:
    """Explain a rule of the lint, or a verdict of the analysis."""
    style = terminal.style_for(color)
    for verdict in VERDICTS:
        if code.lower() == verdict:
            terminal.write(_verdict(verdict, style))
            return
    from agraph_static import all_rules

    rules = {rule.code: rule for rule in all_rules()}
    named = {rule.name: rule for rule in rules.values()}
    rule = rules.get(code.upper()) or named.get(code.lower())
    if rule is None:
        raise CommandError(f"nothing is called {code!r}", hint=_hint(code, list(rules), list(named)))
    terminal.write(_rule(rule, style))


def _hint(code: str, rules: list[str], names: list[str]) -> str:
    begun = [rule for rule in rules if rule.startswith(code.upper())]
    near = begun or difflib.get_close_matches(code.upper(), rules, n=1)
    near = near or difflib.get_close_matches(code.lower(), [*VERDICTS, *names], n=1)
    if near:
        return f"did you mean {listed(near, 12, 'or')}?"
    return f"try one of {', '.join([*rules, *VERDICTS])}"


def _verdict(verdict: Verdict, style: Style) -> Iterator[str]:
    yield f"{style.paint(verdict, 'strong')}: {EXPLAINED[verdict]}"
    yield ""
    yield from textwrap.wrap(MORE[verdict], 90)


def _rule(rule: type[Rule], style: Style) -> Iterator[str]:
    yield f"{style.paint(rule.code, 'bad')} {style.paint(rule.name, 'strong')}"
    yield from textwrap.wrap(rule.summary, 90)
    yield ""
    yield from rule.why.strip().splitlines()
    yield ""
    for title, examples in (("Not good:", rule.bad), ("Good:", rule.good)):
        for example in examples[:1]:
            yield style.paint(title, "strong")
            yield ""
            yield from _example(example)
            yield ""
    if not rule.default:
        yield f"Off unless selected: agraph lint --extend-select {rule.code}"
    yield f"Suppress one finding, on its line: # agraph: ignore[{rule.code}] and why"


def _example(text: str) -> Iterator[str]:
    # The marker at the end of a line is for the tests that run the examples.
    lines = textwrap.indent(textwrap.dedent(text).strip("\n"), "    ").splitlines()
    return (line.partition("  # error: ")[0] for line in lines)
