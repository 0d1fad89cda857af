"""The documentation page of a rule, written from the rule itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_static.rules._base import Rule

_STATES = {True: "on", False: "off"}
_MARKER = re.compile(r"# error: (AG\d+)$", re.MULTILINE)


def page(rule: type[Rule]) -> str:
    """The page of one rule as Markdown.

    Args:
        rule: The rule.

    Returns:
        The text, which ends with a newline. Marked lines of bad examples say which rule objects to them.
    """
    state = (
        "On by default."
        if rule.default
        else f'Off by default: turn it on with `extend-select = ["{rule.code}"]`.'
    )
    parts = [f"# {rule.code} {rule.name}", f"{rule.summary}.", state, "## Why", rule.why, "## Objected to"]
    parts.extend(_block(_MARKER.sub(r"# <- \1", text)) for text in rule.bad)
    parts.append("## Fine")
    parts.extend(_block(text) for text in rule.good)
    return "\n\n".join(parts) + "\n"


def index(rules: Iterable[type[Rule]]) -> str:
    """The list of all rules as Markdown.

    Args:
        rules: The rules, in the order to list them.
    """
    lines = ["# Rules", "", "| code | name | says | default |", "|---|---|---|---|"]
    lines.extend(
        f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.summary} | {_STATES[rule.default]} |"
        for rule in rules
    )
    return "\n".join(lines) + "\n"


def _block(text: str) -> str:
    return f"```python\n{text.rstrip()}\n```"
