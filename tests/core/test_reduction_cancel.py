"""Who goes when a task is cancelled: what a timeout frees besides the task that has it."""

import pytest
from made import snapshot, verdicts_of

from agraph import Edge, Node


def verdicts(nodes, edges):
    return verdicts_of(snapshot(nodes, edges))


def ring(*more):
    """`a` and `b` wait for each other's lock; `parent` has a deadline and waits as `more` says."""
    nodes = [
        Node(0, "task", "a", need=1),
        Node(1, "task", "b", need=1),
        Node(2, "lock", "A", need=1),
        Node(3, "lock", "B", need=1),
    ]
    edges = [Edge(0, 3, "lock"), Edge(1, 2, "lock"), Edge(2, 0, "held_by"), Edge(3, 1, "held_by")]
    extra_nodes, extra_edges = more
    return [*nodes, *extra_nodes], [*edges, *extra_edges]


def parent(**fields):
    return Node(4, "task", "parent", need=1, timer=150.0, **fields)


def test_without_a_timeout_above_it_is_certain():
    nodes, edges = ring([Node(4, "task", "parent", need=1)], [Edge(4, 0, "await")])
    assert verdicts(nodes, edges) == {"a": "certain", "b": "certain", "parent": "certain"}


def test_a_timeout_cancels_the_awaited_task_and_so_ends_the_ring():
    nodes, edges = ring([parent()], [Edge(4, 0, "await")])
    assert verdicts(nodes, edges) == {"a": "stalled", "b": "stalled", "parent": "stalled"}


@pytest.mark.parametrize(("made_by", "verdict"), [("gather", "stalled"), ("shield", "certain")])
def test_gather_passes_a_cancellation_on_and_shield_does_not(made_by, verdict):
    kind = "all_of" if made_by == "gather" else "await"
    future = Node(5, "future", need=1, detail={"made_by": made_by})
    nodes, edges = ring([parent(), future], [Edge(4, 5, "await"), Edge(5, 0, kind)])
    assert verdicts(nodes, edges) == {"a": verdict, "b": verdict, "parent": "stalled"}


@pytest.mark.parametrize(("made_by", "verdict"), [("gather", "possible"), ("shield", "certain")])
def test_one_that_somebody_may_cancel_takes_the_others_along(made_by, verdict):
    kind = "all_of" if made_by == "gather" else "await"
    future = Node(5, "future", need=1, detail={"made_by": made_by})
    opened = Node(4, "task", "parent", need=1, open="its loop is about to call what refers to it")
    nodes, edges = ring([opened, future], [Edge(4, 5, "await"), Edge(5, 0, kind)])
    assert verdicts(nodes, edges) == {"a": verdict, "b": verdict, "parent": "possible"}


@pytest.mark.parametrize(
    ("kind", "made_by", "verdict"), [("all_of", "TaskGroup", "stalled"), ("all_of", "", "certain")]
)
def test_a_task_group_passes_it_on_and_wait_does_not(kind, made_by, verdict):
    detail = {"made_by": made_by} if made_by else None
    nodes, edges = ring([parent(exc=bool(made_by), detail=detail)], [Edge(4, 0, kind)])
    assert verdicts(nodes, edges)["a"] == verdict


def test_a_live_sibling_in_a_task_group_may_fail_and_end_the_stuck_one():
    group = Node(4, "task", "group", need=2, exc=True, detail={"made_by": "TaskGroup"})
    live = Node(5, "task", "sibling", need=0)
    nodes, edges = ring([group, live], [Edge(4, 0, "all_of"), Edge(4, 5, "all_of")])
    assert verdicts(nodes, edges) == {
        "a": "possible",
        "b": "possible",
        "group": "possible",
        "sibling": "live",
    }


def test_a_live_sibling_in_a_gather_ends_nobody_but_the_gather():
    gather = Node(6, "future", need=2, exc=True, detail={"made_by": "gather"})
    group, live = Node(4, "task", "group", need=1), Node(5, "task", "sibling", need=0)
    nodes, edges = ring(
        [group, live, gather], [Edge(4, 6, "await"), Edge(6, 0, "all_of"), Edge(6, 5, "all_of")]
    )
    assert verdicts(nodes, edges) == {"a": "certain", "b": "certain", "group": "possible", "sibling": "live"}
