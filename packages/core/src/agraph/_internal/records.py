"""A snapshot as lines of JSON, for tools that go through a large one line by line: header, records, end.

What is read becomes the one object of format `agraph-snapshot`, so that the codec checks it all the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agraph._internal.codec import COLUMNS, DEFAULTS, as_json, header
from agraph._internal.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph._internal.model import Node, Snapshot

LAYOUT = "records"
_KINDS = ("site", "stack", "node", "edge")
# No header is longer.
_MOST_HEADER = 1_000_000


def lines(snapshot: Snapshot) -> Iterator[str]:
    """A snapshot as lines.

    Args:
        snapshot: The snapshot.

    Yields:
        Lines without line ends. The last one counts the records, so that a file that was cut shows it.
    """
    yield _text({**header(snapshot), "layout": LAYOUT})
    for site in snapshot.sites:
        yield _text({"site": site})
    for stack in snapshot.stacks:
        yield _text({"stack": stack})
    for node in snapshot.nodes:
        yield _text({"node": _node(node)})
    # As in the one object, what is no wait comes last.
    for edge in sorted(snapshot.edges, key=lambda edge: edge.kind == "structural"):
        row = edge._asdict()
        if edge.site is None:
            del row["site"]
        yield _text({"edge": row})
    tables = (snapshot.sites, snapshot.stacks, snapshot.nodes, snapshot.edges)
    yield _text({"end": sum(map(len, tables))})


def _text(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _node(node: Node) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": node.kind, "id": node.id}
    for name, default in DEFAULTS.items():
        value = getattr(node, name)
        if value != default:
            row[name] = as_json(name, value)
    return row


def are_records(data: bytes) -> bool:
    """Whether a file begins with the header of records.

    Args:
        data: The content of the file.
    """
    end = data.find(b"\n", 0, _MOST_HEADER)
    if end < 0 or b'"layout"' not in data[:end]:
        return False
    try:
        row = json.loads(data[:end])
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and row.get("layout") == LAYOUT


def document(data: bytes) -> dict[str, Any]:
    """The one object that records stand for.

    Args:
        data: The content of a file, of which `are_records` is true.

    Returns:
        The object, not checked yet.

    Raises:
        SnapshotError: A line is no record, or the last is missing. The message names the line.
    """
    rows: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    texts = data.split(b"\n")
    if not texts[-1]:
        del texts[-1]
    first = json.loads(texts[0])
    for number, text in enumerate(texts[1:], 2):
        kind, value = _record(text, number, len(texts))
        if kind == "end":
            _check_end(value, rows, number, len(texts))
            return {**first, **_tables(rows)}
        rows[kind].append(value)
    raise _cut(len(texts))


def _record(text: bytes, number: int, last: int) -> tuple[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        if number == last:
            raise _cut(number) from None
        raise SnapshotError(f"line {number} is not JSON: {error}", help="copy it again") from None
    kind = next(iter(row)) if isinstance(row, dict) and len(row) == 1 else ""
    value = row[kind] if kind else None
    shape = {"node": dict, "edge": dict, "end": int}.get(kind, list)
    if kind not in (*_KINDS, "end") or not isinstance(value, shape):
        raise SnapshotError(
            f"line {number} is no record: expected an object of one of {', '.join(_KINDS)} or end",
            help="the file was changed or damaged after it was written: capture again",
        )
    return kind, value


def _check_end(count: int, rows: dict[str, list[Any]], number: int, last: int) -> None:
    found = sum(map(len, rows.values()))
    if count != found:
        raise SnapshotError(f"line {number} says that there are {count} records, but there are {found}")
    if number < last:
        raise SnapshotError(
            f"more follows the snapshot, at line {number + 1}: a file holds one",
            help="write each snapshot to a file of its own",
        )


def _cut(number: int) -> SnapshotError:
    return SnapshotError(
        f"the file is cut short: line {number} is its last, and the record `end` is missing",
        help="copy it again, or capture again: `save` never leaves half a file",
    )


def _tables(rows: dict[str, list[Any]]) -> dict[str, Any]:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for node in rows["node"]:
        by_kind.setdefault(str(node.get("kind")), []).append(node)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for edge in rows["edge"]:
        key = str(edge.get("kind")), str(edge.get("confidence", "exact"))
        groups.setdefault(key, []).append(edge)
    return {
        "sites": rows["site"],
        "stacks": rows["stack"],
        "nodes": {kind: _columns(nodes) for kind, nodes in by_kind.items()},
        "edges": [
            {"kind": kind, "confidence": confidence, **_ends(edges)}
            for (kind, confidence), edges in groups.items()
        ],
    }


def _columns(nodes: list[dict[str, Any]]) -> dict[str, list[Any]]:
    used = {name for node in nodes for name in node}
    return {name: [node.get(name, DEFAULTS.get(name)) for node in nodes] for name in COLUMNS if name in used}


def _ends(edges: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [edge.get(name) for edge in edges] for name in ("waiter", "awaited", "site")}
