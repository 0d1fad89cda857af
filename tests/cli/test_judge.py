"""The analysis as a whole: drawn graphs, large ones, several snapshots."""

import pytest
from drawn import graphs, to_snapshot
from hypothesis import given, settings
from made import bank, snapshot, tasks

from agraph import Edge, Node
from agraph_cli import full_report
from agraph_cli.analysis.judge import analyze, analyze_one


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_every_stuck_task_is_in_a_report_or_behind_one(rows):
    one = analyze_one(to_snapshot(rows))
    told = {
        node.id
        for deadlock in one.deadlocks
        for node in (*deadlock.members, *deadlock.behind, *deadlock.behind_until_timeout)
    }
    blamed = told | {orphan.node.id for orphan in one.orphans}
    stuck = {node.id for node, verdict in one.tasks() if verdict != "live"}
    # What is behind an orphan is counted there, not named.
    assert len(stuck - blamed) <= sum(orphan.behind for orphan in one.orphans)
    for deadlock in one.deadlocks:
        assert deadlock.frees >= min(1, len(deadlock.tasks))
        for hop, following in zip(deadlock.cycle, deadlock.cycle[1:] + deadlock.cycle[:1], strict=True):
            assert hop.awaited == following.waiter or len(deadlock.cycle) == 1


@pytest.mark.parametrize("closed", [False, True])
def test_a_long_chain_needs_no_recursion(closed):
    size = 100_000
    nodes = tasks(*(str(number) for number in range(size)))
    edges = [Edge(number, number + 1, "await") for number in range(size - 1)]
    if closed:
        edges.append(Edge(size - 1, 0, "await"))
    else:
        nodes[-1] = nodes[-1]._replace(need=0, state="running")
    one = analyze_one(snapshot(nodes, edges))
    assert one.verdict == ("certain" if closed else "live")
    assert len(one.deadlocks) == closed
    if closed:
        assert len(one.deadlocks[0].cycle) == size


def test_many_waiters_on_one_lock_are_linear():
    size = 50_000
    nodes = [*tasks(*(str(number) for number in range(size))), Node(size, "lock", need=1)]
    edges = [Edge(number, size, "lock") for number in range(size)] + [Edge(size, 0, "held_by")]
    one = analyze_one(snapshot(nodes, edges))
    assert one.deadlocks[0].tasks == (nodes[0],)
    assert len(one.deadlocks[0].behind) == size - 1


def test_several_snapshots_have_the_worst_verdict():
    live = snapshot([Node(0, "task", need=0)])
    stuck = snapshot(tasks("a"), [Edge(0, 0, "await")])
    analysis = analyze([live, ("s.json", stuck)])
    assert [one.verdict for one in analysis.snapshots] == ["live", "certain"]
    assert analysis.verdict == "certain"
    assert analysis.deadlocks[0][0].path == "s.json"
    assert analyze([]).verdict == "live"


def test_the_full_report_as_text():
    text = full_report([("s.json", bank())])
    assert text.startswith("Deadlock: transfer-1 and transfer-2 wait for each other; 1 more task waits")
    assert "\n  help: transfer-1 and transfer-2 take lock accounts[0]" in text
    assert "\n  next: agraph analyze s.json --task transfer-1\n" in text
    assert text.isascii()
    assert full_report([]) == ""
