"""What an analysis says about cores, victims, orphans and lock order."""

import dataclasses

from made import bank, snapshot, tasks

from agraph import Edge, Node
from agraph_cli.analysis.judge import analyze, analyze_one
from agraph_cli.analysis.networkx_graph import to_networkx
from agraph_cli.analysis.survey import survey


def names(nodes):
    return [node.name for node in nodes]


def steps(hops):
    return [(hop.waiter.name, hop.edge.kind if hop.edge else "loop", hop.awaited.name) for hop in hops]


def lock(number, name="", **fields):
    return Node(number, "lock", name, need=1, **fields)


def test_opposite_lock_order():
    one = analyze_one(bank())
    [found] = one.deadlocks
    assert found.certainty == "certain"
    assert names(found.tasks) == ["transfer-1", "transfer-2"]
    assert steps(found.cycle) == [
        ("transfer-1", "lock", "accounts[1]"),
        ("accounts[1]", "held_by", "transfer-2"),
        ("transfer-2", "lock", "accounts[0]"),
        ("accounts[0]", "held_by", "transfer-1"),
    ]
    assert not found.knot
    assert names(found.behind) == ["main"]
    assert found.frees == 3
    assert found.help == (
        "transfer-1 and transfer-2 take lock accounts[0] and lock accounts[1] in different orders: "
        "take them in one fixed order everywhere"
    )
    assert found.assumptions == (
        "lock accounts[0] and lock accounts[1] are released only by the tasks recorded as holding them",
        "somebody keeps a reference to these tasks: one that is collected gives back what it holds",
        "no other task, thread or signal handler cancels these tasks or sets what they wait for",
    )
    assert {node.name: verdict for node, verdict in one.tasks()} == {
        "transfer-1": "certain",
        "transfer-2": "certain",
        "main": "certain",
        "ticker": "live",
    }


def test_the_thread_of_a_loop_that_blocks_in_a_lock_of_threads():
    nodes = [
        Node(0, "thread", "MainThread", state="blocked", need=1),
        Node(1, "thread", "worker", state="blocked", need=1),
        lock(2, "l"),
        Node(3, "loop", "MainThread", need=1),
        Node(4, "work_item", "inner", need=1),
    ]
    edges = [
        Edge(0, 2, "lock"),
        Edge(2, 1, "held_by"),
        Edge(1, 4, "thread"),
        Edge(4, 3, "thread"),
        Edge(3, 0, "thread"),
    ]
    [found] = analyze_one(snapshot(nodes, edges)).deadlocks
    assert found.help.startswith("thread MainThread blocks in lock l while it should run the event loop: ")
    assert "future.result()" not in found.help
    assert "lock l is released only by the threads recorded as holding it" in found.assumptions


def test_who_goes_on_at_a_timeout_is_not_blocked_behind():
    made = bank()
    nodes = [node._replace(timer=200.0) if node.name == "main" else node for node in made.nodes]
    edges = [edge._replace(kind="all_of") if edge.kind == "await" else edge for edge in made.edges]
    [found] = analyze_one(dataclasses.replace(made, nodes=tuple(nodes), edges=tuple(edges))).deadlocks
    assert found.certainty == "certain"
    assert (names(found.behind), names(found.behind_until_timeout)) == ([], ["main"])


def barrier_under_a_lock(*guessed):
    """p1 waits at a barrier with the lock in its hands that p2 needs to get there; main gathers both."""
    rows = tasks("main", "p1", "p2")
    nodes = [
        *rows,
        Node(10, "barrier", "b", need=1, open="whoever has the barrier may arrive"),
        lock(11, "l"),
        Node(12, "future", need=2, detail={"made_by": "gather"}),
    ]
    edges = [
        Edge(0, 12, "await"),
        Edge(12, 1, "all_of"),
        Edge(12, 2, "all_of"),
        Edge(1, 10, "await"),
        Edge(2, 11, "lock"),
        Edge(11, 1, "held_by"),
        *(Edge(10, party, "any_of", "probable") for party in guessed),
    ]
    return analyze_one(snapshot(nodes, edges))


def test_whoever_waits_for_the_members_is_behind_them():
    [found] = barrier_under_a_lock(0, 2).deadlocks
    assert names(found.tasks) == ["p1", "p2"]
    assert names(found.behind) == ["main"]
    assert steps(found.cycle) == [
        ("p1", "await", "b"),
        ("b", "any_of", "p2"),
        ("p2", "lock", "l"),
        ("l", "held_by", "p1"),
    ]
    assert found.cut.name == "p1"


def test_whoever_waits_for_the_members_is_one_where_nobody_else_is_known():
    [found] = barrier_under_a_lock(0).deadlocks
    assert {"main", "p1"} <= set(names(found.tasks))
    assert found.cut.name != "main"


def test_an_inconsistent_snapshot_proves_nothing():
    one = analyze_one(bank(consistent=False, where="thread", thread="watch"))
    assert one.verdict == "possible"
    assert one.deadlocks[0].certainty == "possible"
    assert one.deadlocks[0].assumptions[0].startswith("all of it was true at one moment, although")


def test_a_capture_from_a_thread_states_its_assumption():
    [found] = analyze_one(
        bank(where="thread", thread="watch", complete=False, cut=("5 tasks beyond the limit",))
    ).deadlocks
    assert found.certainty == "certain"
    assert found.assumptions[:2] == (
        "all of it was true at one moment (thread watch captured it and saw nothing move meanwhile)",
        "what the capture left out plays no part (5 tasks beyond the limit)",
    )


def test_a_knot_is_one_report():
    nodes = [*tasks("racer", "x", "y", "main")]
    edges = [
        Edge(0, 1, "any_of"),
        Edge(0, 2, "any_of"),
        Edge(1, 0, "await"),
        Edge(2, 0, "await"),
        Edge(3, 0, "await"),
    ]
    [found] = analyze_one(snapshot(nodes, edges)).deadlocks
    assert found.knot
    assert names(found.members) == ["racer", "x", "y"]
    assert steps(found.hops) == [
        ("racer", "any_of", "x"),
        ("racer", "any_of", "y"),
        ("x", "await", "racer"),
        ("y", "await", "racer"),
    ]
    assert names(found.behind) == ["main"]


def test_a_cycle_with_a_way_out_is_no_deadlock():
    nodes = [*tasks("racer", "x"), Node(2, "task", "sleeper", need=1, timer=101.0)]
    edges = [Edge(0, 1, "any_of"), Edge(0, 2, "any_of"), Edge(1, 0, "await")]
    one = analyze_one(snapshot(nodes, edges))
    assert one.verdict == "live"
    assert one.deadlocks == ()


def test_an_inferred_edge_makes_it_possible():
    nodes = [*tasks("a"), lock(1, "L")]
    edges = [Edge(0, 1, "lock"), Edge(1, 0, "held_by", "probable")]
    [found] = analyze_one(snapshot(nodes, edges)).deadlocks
    assert found.certainty == "possible"
    assert found.assumptions[0] == "lock L does depend on a, which was inferred and not read"


def test_a_timeout_makes_it_stalled_until_then():
    nodes = [*tasks("a", "b"), lock(2, "L"), lock(3, "M")]
    nodes[0] = nodes[0]._replace(timer=101.5)
    edges = [Edge(0, 2, "lock"), Edge(2, 1, "held_by"), Edge(1, 3, "lock"), Edge(3, 0, "held_by")]
    [found] = analyze_one(snapshot(nodes, edges)).deadlocks
    assert (found.certainty, found.until) == ("stalled", 101.5)
    assert found.assumptions[0] == "the timeout of a has not passed"


def test_an_independent_core_above_another_is_reported_too():
    # a <-> b; a also needs c; c <-> d. Freeing c and d does not free a and b.
    nodes = tasks("a", "b", "c", "d")
    nodes[0] = nodes[0]._replace(need=2)
    edges = [
        Edge(0, 1, "all_of"),
        Edge(0, 2, "all_of"),
        Edge(1, 0, "await"),
        Edge(2, 3, "await"),
        Edge(3, 2, "await"),
    ]
    found = analyze_one(snapshot(nodes, edges)).deadlocks
    assert sorted(names(one.tasks) for one in found) == [["a", "b"], ["c", "d"]]


def test_a_cycle_that_only_hangs_on_another_is_behind_it():
    # a needs b or c; b needs a; c <-> d. Freeing c frees a and b.
    nodes = tasks("a", "b", "c", "d")
    edges = [
        Edge(0, 1, "any_of"),
        Edge(0, 2, "any_of"),
        Edge(1, 0, "await"),
        Edge(2, 3, "await"),
        Edge(3, 2, "await"),
    ]
    [found] = analyze_one(snapshot(nodes, edges)).deadlocks
    assert names(found.tasks) == ["c", "d"]
    assert names(found.behind) == ["a", "b"]


def test_a_possible_task_behind_a_certain_core():
    # `main` gathers a stuck child and a live one, which might raise.
    nodes = [*tasks("main", "a"), Node(2, "task", "live")]
    nodes[0] = nodes[0]._replace(need=2, exc=True)
    edges = [Edge(0, 1, "all_of"), Edge(0, 2, "all_of"), Edge(1, 1, "await")]
    one = analyze_one(snapshot(nodes, edges))
    assert {node.name: verdict for node, verdict in one.tasks()} == {
        "main": "possible",
        "a": "certain",
        "live": "live",
    }
    [found] = one.deadlocks
    assert names(found.behind) == ["main"]


def test_a_self_lock():
    [found] = analyze_one(
        snapshot([*tasks("main"), lock(1, "L")], [Edge(0, 1, "lock"), Edge(1, 0, "held_by")])
    ).deadlocks
    assert found.help.startswith("main already holds lock L and asyncio's locks are not re-entrant")


def test_a_loop_that_waits_for_itself_takes_its_tasks_with_it():
    nodes = [
        Node(0, "task", "main", state="running", loop=3),
        Node(1, "task", "bystander", loop=3, need=1, timer=100.5),
        Node(2, "thread", "MainThread", need=1, state="blocked"),
        Node(3, "loop", "", need=1, state="blocked"),
        Node(4, "work_item", "inner", need=1),
    ]
    edges = [Edge(3, 2, "thread"), Edge(2, 4, "cross_loop"), Edge(4, 3, "cross_loop")]
    one = analyze_one(snapshot(nodes, edges))
    assert {node.name: verdict for node, verdict in one.tasks()} == {
        "main": "certain",
        "bystander": "certain",
    }
    [found] = one.deadlocks
    assert found.tasks == ()
    assert names(found.behind) == ["main", "bystander"]
    assert found.frees == 2
    assert "asyncio.wrap_future" in found.help


def test_a_thread_that_waits_for_a_task_of_the_loop_it_runs():
    nodes = [
        Node(0, "task", "inner", loop=2, need=0),
        Node(1, "thread", "MainThread", need=1),
        Node(2, "loop", "", need=1),
    ]
    one = analyze_one(snapshot(nodes, [Edge(2, 1, "thread"), Edge(1, 0, "cross_loop")]))
    [found] = one.deadlocks
    assert steps(found.cycle) == [
        ("inner", "loop", ""),
        ("", "thread", "MainThread"),
        ("MainThread", "cross_loop", "inner"),
    ]
    assert found.certainty == "certain"


def test_a_pool_whose_workers_wait_for_queued_work():
    nodes = [
        Node(0, "work_item", "outer", need=1),
        Node(1, "work_item", "nested", need=1),
        Node(2, "thread", "worker-0", need=1),
    ]
    edges = [Edge(0, 2, "thread"), Edge(2, 1, "thread"), Edge(1, 2, "thread")]
    [found] = analyze_one(snapshot(nodes, edges)).deadlocks
    assert "second executor" in found.help


def test_an_event_that_nobody_known_sets_is_an_orphan():
    nodes = [*tasks("a", "b"), Node(2, "event", "ready", need=1, open="anybody may set it")]
    one = analyze_one(snapshot(nodes, [Edge(0, 2, "await"), Edge(1, 0, "await")]))
    assert one.deadlocks == ()
    [orphan] = one.orphans
    assert (orphan.node.name, orphan.verdict, names(orphan.waiters), orphan.behind) == (
        "ready",
        "possible",
        ["a"],
        2,
    )


def test_an_event_that_nobody_can_set_is_a_deadlock():
    nodes = [*tasks("a", "b"), Node(2, "event", "ready", need=1)]
    [found] = analyze_one(snapshot(nodes, [Edge(0, 2, "await"), Edge(1, 0, "await")])).deadlocks
    assert steps(found.cycle) == [("a", "await", "ready")]
    assert names(found.behind) == ["a", "b"]


def test_a_future_without_a_known_producer_is_a_live_orphan():
    nodes = [*tasks("a"), Node(1, "future", need=0, open="no producer known")]
    one = analyze_one(snapshot(nodes, [Edge(0, 1, "await")]))
    [orphan] = one.orphans
    assert (orphan.verdict, orphan.behind, names(orphan.waiters)) == ("live", 0, ["a"])


def test_lock_order_of_waiting_holders():
    [first, second] = analyze_one(bank()).lock_order
    assert (first.task.name, first.held.name, first.wanted.name) == (
        "transfer-1",
        "accounts[0]",
        "accounts[1]",
    )
    assert (first.held_at.line, first.wanted_at.line) == (12, 13)
    assert (second.held.name, second.wanted.name) == ("accounts[1]", "accounts[0]")


def test_survey():
    found = survey(analyze_one(bank()))
    assert (found.longest[0].name, round(found.longest[1], 1)) == ("main", 50.0)
    assert (found.fan_in[0].name, found.fan_in[1]) == ("transfer-1", 2)
    assert [(what, count, node.name) for what, count, node in found.leaves] == [("timer", 1, "ticker")]


def test_networkx_graph_of_what_is_stuck():
    graph = to_networkx(analyze([bank()]))
    assert set(graph) == {(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5)}
    assert graph.nodes[0, 0]["verdict"] == "certain"
    assert graph.nodes[0, 0]["process"] == "web-3:4711"
    assert graph.nodes[0, 0]["stack"][-1] == "/srv/app/bank.py:13 transfer"
    assert graph.edges[(0, 2), (0, 0)]["kind"] == "held_by"
    assert graph.edges[(0, 2), (0, 0)]["site"] == "/srv/app/bank.py:12 transfer"


def test_networkx_graph_of_everything():
    graph = to_networkx(analyze([bank(), bank()]), full=True)
    assert len(graph) == 16
    assert graph.edges[(1, 0), (1, 4)]["kinds"] == ["structural"]


def test_threads_alone_can_be_deadlocked():
    nodes = [Node(0, "thread", "a", need=1), Node(1, "thread", "b", need=1), lock(2, "L"), lock(3, "M")]
    edges = [Edge(0, 2, "lock"), Edge(2, 1, "held_by"), Edge(1, 3, "lock"), Edge(3, 0, "held_by")]
    one = analyze_one(snapshot(nodes, edges))
    assert one.verdict == "certain"
    assert one.deadlocks[0].help.startswith(
        "thread a and thread b take lock L and lock M in different orders"
    )


def test_a_core_with_very_many_waits_is_told_by_its_cycle():
    size = 200
    nodes = tasks(*(f"t{number:03}" for number in range(size)))
    edges = [Edge(by, to, "any_of") for by in range(size) for to in range(by + 1, min(by + 4, size))]
    edges.append(Edge(size - 1, 0, "await"))
    [found] = analyze_one(snapshot(nodes, edges)).deadlocks
    assert found.knot
    assert found.hops == found.cycle
    assert len(found.cycle) == 68  # three steps at a time from 0 to 199, and back
    assert found.frees == size


def test_a_rule_is_known_by_its_name(agraph):
    by_code = agraph("explain AG108").out
    assert agraph("explain Single-Flight").out == by_code
    assert agraph("explain single-fligth").code == 2
    assert "did you mean single-flight?" in agraph.err
