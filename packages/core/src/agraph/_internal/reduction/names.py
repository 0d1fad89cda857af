"""What to call a node, and which of its frames a person wants to see."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph._internal.model import Node, Site, Snapshot

_KIND_WORDS = {"work_item": "work item", "io": "I/O", "loop": "event loop"}

# Everybody waits in `Lock.acquire`; the line that called it is what explains the wait.
_MACHINERY = re.compile(
    r"(?:^|[/\\])(?:python3[^/\\]*|Lib)[/\\](?:asyncio|concurrent)[/\\]"
    r"|(?:^|[/\\])(?:python3[^/\\]*|Lib)[/\\](?:threading|selectors|queue|runpy)\.py$|^<frozen "
)


def kind_word(node: Node) -> str:
    """The kind of a node as a person says it."""
    return _KIND_WORDS.get(node.kind, node.kind)


class Labels:
    """What to call the nodes of a snapshot in a sentence: a task by its name, anything else by kind and name.

    Names that several nodes share (`self._lock`) are told apart by the node's id.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Count the names."""
        counts = Counter((node.kind, node.name) for node in snapshot.nodes)
        self._shared = {name for name, count in counts.items() if count > 1}

    def __call__(self, node: Node) -> str:
        """The label of one node."""
        kind = "task" if node.kind == "task" else kind_word(node)
        if not node.name:
            return f"{(node.detail or {}).get('made_by') or kind} #{node.id}"
        name = f"{node.name} #{node.id}" if (node.kind, node.name) in self._shared else node.name
        return name if kind == "task" else f"{kind} {name}"


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


def is_machinery(site: Site) -> bool:
    """Whether a frame belongs to asyncio, threading and the like rather than to the program."""
    return _MACHINERY.search(site.file) is not None


def user_site(snapshot: Snapshot, node: Node) -> Site | None:
    """The innermost frame of a node that belongs to the program; the innermost of all if none does."""
    stack = snapshot.stack_of(node)
    for site in stack:
        if not is_machinery(site):
            return site
    return stack[0] if stack else None
