"""What to call things in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import Labels, is_machinery, kind_word, user_site

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Labels", "is_machinery", "kind_word", "listed", "plural", "user_site"]


def listed(words: Sequence[str], limit: int = 4, joint: str = "and") -> str:
    """Words as a list in a sentence, the tail counted instead of named."""
    if len(words) > limit:
        words = [*words[: limit - 1], f"{len(words) - limit + 1} more"]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"


def plural(number: int, word: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
