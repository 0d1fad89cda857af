"""Applying fixes: edits of the text, those of one finding together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_static._internal.model import Edit, Finding


def apply_fixes(source: str, findings: Iterable[Finding], unsafe: bool = False) -> str:
    """Apply the fixes of findings to the text they were found in.

    Args:
        source: The text that was linted.
        findings: Its findings; those without a fix are passed over.
        unsafe: Also apply fixes that can change what the program does.

    Returns:
        The changed text. A fix that overlaps one applied before is left out: lint the result again to get
        it. The text outside the edits is unchanged, byte for byte.
    """
    taken: list[Edit] = []
    for finding in findings:
        fix = finding.fix
        if fix is None or (fix.kind == "unsafe" and not unsafe):
            continue
        fresh = [edit for edit in fix.edits if edit not in taken]
        if not any(_overlap(edit, other) for edit in fresh for other in taken):
            taken.extend(fresh)
    return apply_edits(source, taken)


def apply_edits(source: str, edits: Iterable[Edit]) -> str:
    """The text with edits applied. Insertions at one place keep their order.

    Args:
        source: The text.
        edits: Edits that do not overlap.
    """
    data = source.encode("utf-8", errors="surrogatepass")
    parts: list[bytes] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts.extend((data[position : edit.start], edit.text.encode()))
        position = edit.end
    parts.append(data[position:])
    return b"".join(parts).decode("utf-8", errors="surrogatepass")


def _overlap(one: Edit, other: Edit) -> bool:
    return one.start < other.end and other.start < one.end
