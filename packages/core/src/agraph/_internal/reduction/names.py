"""What to call a node, and which of its frames a person wants to see."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from agraph._internal.rows import Nodes, column, of_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph._internal.model import Node, NodeKind, Site, Snapshot

_KIND_WORDS = {"work_item": "work item", "io": "I/O", "loop": "event loop"}

# So many names are looked for one by one before all are counted.
_FEW = 12

# Everybody waits in `Lock.acquire`; the line that called it is what explains the wait.
_MACHINERY = re.compile(
    r"(?:^|[/\\])(?:python3[^/\\]*|Lib)[/\\](?:asyncio|concurrent)[/\\]"
    r"|(?:^|[/\\])(?:python3[^/\\]*|Lib)[/\\](?:threading|selectors|queue|runpy)\.py$|^<frozen "
    r"|[/\\]site-packages[/\\]anyio[/\\]"
)
# Where installed packages lie: what they wait for inside says less than where the program has called them.
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")


def kind_word(node: Node) -> str:
    """The kind of a node as a person says it."""
    return _KIND_WORDS.get(node.kind, node.kind)


class Labels:
    """What to call the nodes of a snapshot in a sentence: a task by its name, anything else by kind and name.

    Names that several nodes share (`self._lock`) are told apart by the node's id.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the names from a snapshot; they are counted when somebody asks."""
        self._nodes = snapshot.nodes
        self._known: dict[tuple[str, str], bool] = {}
        self._shared: dict[str, set[str]] = {}

    def __call__(self, node: Node) -> str:
        """The label of one node."""
        kind = "task" if node.kind == "task" else kind_word(node)
        if not node.name:
            return f"{(node.detail or {}).get('made_by') or kind} #{node.id}"
        name = f"{node.name} #{node.id}" if self._is_shared(node) else node.name
        return name if kind == "task" else f"{kind} {name}"

    def _is_shared(self, node: Node) -> bool:
        key = (node.kind, node.name)
        if key not in self._known and len(self._known) < _FEW and isinstance(self._nodes, Nodes):
            # For a few labels, looking for each name is cheaper than counting a million of them.
            self._known[key] = self._nodes.count_names(*key) > 1
        known = self._known.get(key)
        if known is not None:
            return known
        if node.kind not in self._shared:
            self._shared[node.kind] = self._shared_names(node.kind)
        return node.name in self._shared[node.kind]

    def _shared_names(self, kind: NodeKind) -> set[str]:
        every = column(self._nodes, "name")
        names = list(map(every.__getitem__, of_kind(self._nodes, kind)))
        if len(set(names)) == len(names):
            return set()
        return {name for name, count in Counter(names).items() if count > 1}


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
    return _is_machinery(site.file)


@lru_cache(4096)
def _is_machinery(file: str) -> bool:
    return _MACHINERY.search(file) is not None


@lru_cache(4096)
def _is_installed(file: str) -> bool:
    return _INSTALLED.search(file) is not None


def locals_of(task: Node) -> list[str]:
    """The local variables of a task, a line for each frame; none unless the capture was to read them."""
    text = (task.detail or {}).get("locals")
    return text.split("\n") if isinstance(text, str) else []


def user_site(snapshot: Snapshot, node: Node) -> Site | None:
    """The innermost frame of a node that belongs to the program; the innermost of all if none does."""
    return site_of_stack(snapshot, node.stack)


def site_of_stack(snapshot: Snapshot, stack: int | None) -> Site | None:
    """The innermost frame of a stack that belongs to the program; the innermost of all if none does.

    One of an installed package counts where there is no other.
    """
    if stack is None:
        return None
    sites = [snapshot.sites[index] for index in snapshot.stacks[stack]]
    own = [site for site in sites if not _is_machinery(site.file)]
    found = next((site for site in own if not _is_installed(site.file)), None)
    return found or next(iter(own or sites), None)
