"""All rules, by code."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from agraph_static import rules
from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from agraph_static._internal.config import LintConfig


@cache
def all_rules() -> tuple[type[Rule], ...]:
    """Every rule, sorted by code.

    Returns:
        The rule classes; their attributes (`code`, `name`, `summary`, `why`, `good`, `bad`, `default`)
        describe them.
    """
    found: list[type[Rule]] = []
    for module in pkgutil.iter_modules(rules.__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{rules.__name__}.{module.name}")
        found.extend(
            one
            for one in vars(loaded).values()
            if isinstance(one, type) and issubclass(one, Rule) and one.__module__ == loaded.__name__
        )
    return tuple(sorted(found, key=lambda rule: rule.code))


@cache
def selected_codes(config: LintConfig) -> frozenset[str]:
    """The codes of the rules that a configuration runs. AG001 always runs unless it is ignored."""
    chosen = set()
    for rule in all_rules():
        on = rule.default if config.select is None else _matches(rule.code, config.select)
        if (on or _matches(rule.code, config.extend_select)) and not _matches(rule.code, config.ignore):
            chosen.add(rule.code)
    if not _matches("AG001", config.ignore):
        chosen.add("AG001")
    return frozenset(chosen)


def _matches(code: str, patterns: tuple[str, ...]) -> bool:
    return any(pattern == "ALL" or (pattern and code.startswith(pattern)) for pattern in patterns)
