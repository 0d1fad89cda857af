"""The pipeline of one file: bytes test, standard parser, libcst and the rules, suppressions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from agraph_static._internal import suppress, triage
from agraph_static._internal.config import LintConfig
from agraph_static._internal.depth import without_deep_statements
from agraph_static._internal.model import CONFIDENCES, Finding
from agraph_static._internal.narrow import narrowed, without_data
from agraph_static._internal.registry import all_rules, selected_codes
from agraph_static._internal.source import decode, parse, without_collection

if TYPE_CHECKING:
    import ast

    from agraph_static._internal.context import Context

_ENGINE_CODES = frozenset({"AG001", "AG900"})


def sort_key(finding: Finding) -> tuple[str, int, int, str]:
    """The order of findings in every output."""
    return finding.path, finding.span.line, finding.span.column, finding.code


def lint_source(
    source: str | bytes, path: str = "<stdin>", config: LintConfig | None = None
) -> list[Finding]:
    """Lint one source text.

    Args:
        source: The text, or the bytes of a file (decoded as Python does it).
        path: What findings give as their path.
        config: What to report; the defaults when None. Per-file ignores and excludes are not applied here.

    Returns:
        The findings, sorted by line, column and code. A text that does not parse is one finding, AG001.
    """
    config = config or LintConfig()
    if isinstance(source, bytes):
        return lint_bytes(source, path, config)
    return lint_text(source.removeprefix("\ufeff"), path, config)


def lint_bytes(data: bytes, path: str, config: LintConfig, *, may_matter: bool = False) -> list[Finding]:
    """Lint the content of a file.

    Args:
        data: The content.
        path: What findings give as their path.
        config: What to report.
        may_matter: Whether `triage.may_matter` was asked before, and said yes.
    """
    text = decode(data, path)
    if isinstance(text, Finding):
        return _select([text], config)
    return lint_text(text.removeprefix("\ufeff"), path, config, may_matter=may_matter)


def lint_text(text: str, path: str, config: LintConfig, *, may_matter: bool = False) -> list[Finding]:
    """Lint decoded text."""
    tree = parse(text, path)
    if isinstance(tree, Finding):
        return _select([tree], config)
    data = text.encode("utf-8", errors="surrogatepass")
    findings: list[Finding] = []
    wrappers = [name for name, _ in config.extra_wrappers]
    every_lock = "AG206" in selected_codes(config)
    if not may_matter:
        may_matter = triage.may_matter(data, wrappers, every_lock=every_lock)
    if may_matter and triage.is_candidate(tree, data, wrappers, every_lock=every_lock):
        findings = _decide(tree, text, path, config)
    if findings or "agraph:" in text:
        findings = _suppress(findings, text, path, config)
    return sorted(findings, key=sort_key)


def _decide(tree: ast.Module, text: str, path: str, config: LintConfig) -> list[Finding]:
    """Find what the skeleton holds. What may have a fix is read by libcst, the rest of the file is not."""
    from agraph_static._internal.tree import UnreadableError  # noqa: PLC0415 - imports libcst

    text = without_data(tree, text)
    shallow = without_deep_statements(tree, text)
    if shallow is not text:
        left = parse(shallow, path)
        if isinstance(left, Finding):
            return _select([left], config)
        tree, text = left, shallow
    suspected = _select(suspects(tree, text, path, config), config)
    if not suspected:
        return []
    fixable = [one for one in suspected if one.fix is not None]
    if not fixable:
        return suspected
    narrow = narrowed(tree, text, fixable)
    codes = frozenset(one.code for one in fixable)
    try:
        decided = {_gist(one): one for one in _select(run_rules(narrow, path, config, codes), config)}
        if all(_gist(one) in decided for one in fixable):
            return [one if one.fix is None else decided[_gist(one)] for one in suspected]
        return _select(run_rules(text, path, config), config)
    except UnreadableError:
        return [one if one.fix is None else _without_libcst(one) for one in suspected]


def _without_libcst(finding: Finding) -> Finding:
    """A finding of the skeleton, where there is nothing to fix it with."""
    import libcst  # noqa: PLC0415 - imported when first needed

    note = f"libcst {libcst.LIBCST_VERSION} cannot read this file, so there is no fix"
    return dataclasses.replace(finding, notes=(*finding.notes, note), fix=None)


def _gist(finding: Finding) -> tuple[object, ...]:
    """What has to be the same in the skeleton and in libcst's tree of a part of the text."""
    return finding.code, finding.confidence, finding.function, finding.span, finding.message, finding.fix


def suspects(tree: ast.Module, text: str, path: str, config: LintConfig) -> list[Finding]:
    """What the rules find in the skeleton of a module, which costs a tenth of libcst's tree.

    Args:
        tree: The standard parser's tree.
        text: What it was parsed from.
        path: The file as given.
        config: Which rules to run.

    Returns:
        Findings whose fixes are drafts: where there is none, there is none to be had.
    """
    from agraph_static._internal.context import Context  # noqa: PLC0415 - imported when first needed
    from agraph_static._internal.skeleton import skeleton  # noqa: PLC0415 - imported when first needed

    with without_collection():
        return _check(Context(text, path, config, skeleton(tree, text)))


def run_rules(text: str, path: str, config: LintConfig, codes: frozenset[str] | None = None) -> list[Finding]:
    """Run the selected rules, or only those of some codes, over the libcst tree of a text that parses."""
    from agraph_static._internal.context import Context  # noqa: PLC0415 - imported when first needed

    with without_collection():
        return _check(Context(text, path, config), codes)


def _check(context: Context, codes: frozenset[str] | None = None) -> list[Finding]:
    codes = selected_codes(context.config) if codes is None else codes
    try:
        return [one for rule in all_rules() if rule.code in codes for one in rule.check(context)]
    finally:
        context.close()


def _select(findings: list[Finding], config: LintConfig) -> list[Finding]:
    codes = selected_codes(config)
    sure = CONFIDENCES[: CONFIDENCES.index(config.min_confidence) + 1]
    return [one for one in findings if one.code in codes and one.confidence in sure]


def _suppress(findings: list[Finding], text: str, path: str, config: LintConfig) -> list[Finding]:
    if not suppress.has_comments(text):
        return findings
    suppressions = suppress.comments(text)
    kept = suppress.apply(findings, suppressions)
    codes = selected_codes(config)
    if "AG900" in codes:
        extra = suppress.unused(path, suppressions, codes - _ENGINE_CODES)
        kept.extend(suppress.apply(extra, [one for one in suppressions if "AG900" in one.codes]))
    return kept
