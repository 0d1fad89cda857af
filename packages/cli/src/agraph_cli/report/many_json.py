"""What several snapshots say together, as JSON: the parts `stuck`, `lifted`, `lock_order` and `predicted`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agraph_cli.analysis.names import user_site
from agraph_cli.report.many import advice

if TYPE_CHECKING:
    from collections.abc import Hashable

    from agraph import Node, Site
    from agraph_cli.analysis.model import Analysis, History, Lifted, LockPair, Predicted, SnapshotAnalysis


def stuck(analysis: Analysis) -> list[dict[str, Any]]:
    """What did not move in any capture of its process, the worst verdict and the longest time first.

    Args:
        analysis: The analysis.

    Returns:
        Rows of `process`, `snapshot`, `id`, `name`, `verdict`, `captures`, `seconds` and `waits_at`.
    """
    order = ["certain", "possible", "stalled", "live"]
    rows = [row for history in analysis.histories for row in _still(history)]
    return sorted(rows, key=lambda row: (order.index(row["verdict"]), -row["seconds"]))


def _still(history: History) -> list[dict[str, Any]]:
    last = history.last
    return [
        {
            "process": last.process,
            "snapshot": last.path,
            "id": node.id,
            "name": node.name,
            "verdict": verdict,
            "captures": len(history.snapshots),
            "seconds": round(history.seconds, 3),
            "waits_at": site_row(user_site(last.snapshot, node)),
        }
        for node, verdict in history.still
    ]


def lifted(analysis: Analysis) -> list[dict[str, Any]]:
    """Alarms that a later snapshot refutes.

    Args:
        analysis: The analysis.

    Returns:
        Rows of `process`, `snapshot`, `tasks`, `went_on` and `seen_in`.
    """
    return [_alarm(one) for one in analysis.lifted]


def _alarm(one: Lifted) -> dict[str, Any]:
    return {
        "process": one.one.process,
        "snapshot": one.one.path,
        "tasks": [_node(node) for node in one.deadlock.tasks],
        "went_on": [{**_node(node), "how": how} for node, how in one.went_on],
        "seen_in": one.seen_in,
    }


def _node(node: Node) -> dict[str, Any]:
    return {"id": node.id, "name": node.name}


def lock_order(analysis: Analysis) -> list[dict[str, Any]]:
    """Each lock that was held while another was waited for, of one wait only once.

    Args:
        analysis: The analysis.

    Returns:
        Rows of `process`, `task`, `held`, `wanted` and `confidence`.
    """
    rows: dict[Hashable, dict[str, Any]] = {}
    for number, one in enumerate(analysis.snapshots):
        for pair in one.lock_order:
            wait = (pair.task.key, pair.task.wait, pair.held.key, pair.wanted.key)
            known = None not in wait
            place = (pair.held_at, pair.wanted_at, pair.task.name)
            key = (
                (one.process, wait, place) if known else (number, pair.task.id, pair.held.id, pair.wanted.id)
            )
            rows.setdefault(key, _pair(one, pair))
    return list(rows.values())


def _pair(one: SnapshotAnalysis, pair: LockPair) -> dict[str, Any]:
    return {
        "process": one.process,
        "task": pair.task.name,
        "held": {"id": pair.held.id, "name": pair.held.name, "at": site_row(pair.held_at)},
        "wanted": {"id": pair.wanted.id, "name": pair.wanted.name, "at": site_row(pair.wanted_at)},
        "confidence": pair.confidence,
    }


def predicted(analysis: Analysis) -> list[dict[str, Any]]:
    """Locks whose order can deadlock, though no snapshot shows it.

    Args:
        analysis: The analysis.

    Returns:
        Rows of `locks`, `orders` (those of `lock_order`, each with its `snapshot`) and `help`.
    """
    return [_prediction(one) for one in analysis.predicted]


def _prediction(found: Predicted) -> dict[str, Any]:
    return {
        "locks": [pair.held.name for _, pair in found.orders],
        "orders": [{"snapshot": one.path, **_pair(one, pair)} for one, pair in found.orders],
        "help": advice(found),
    }


def site_row(site: Site | None) -> dict[str, Any] | None:
    """A place in source code as a JSON object; None when it is not known."""
    return None if site is None else {"path": site.file, "line": site.line, "function": site.function}
