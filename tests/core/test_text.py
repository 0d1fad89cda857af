"""`Snapshot.format()`: the short form of the verdict."""

import asyncio
import re
import time

import hangs
import pytest
from live import end, parked, start
from made import bank, snapshot, tasks

from agraph import Edge, Node, Site, SnapshotError, capture

OPPOSITE_ORDER = """\
Certain deadlock: 3 of 4 tasks can never proceed.

  task alice waits for lock other at hangs.py:9, held by task bob (taken at hangs.py:7)
  task bob waits for lock own at hangs.py:9, held by task alice (taken at hangs.py:7)
  How sure: certain. Each of these waits was read from the interpreter. It is a deadlock if
    - lock other and lock own are released only by the tasks recorded as holding them
    - somebody keeps a reference to these tasks: one that is collected gives back what it holds
    - no other task, thread or signal handler cancels these tasks or sets what they wait for
  Blocked behind: 1 task (main)

4 tasks in process PID (app.py): 3 certain, 1 live

task alice: waiting, certain
  waits for lock other
    held by task bob
  hangs.py:9 in transfer

task bob: waiting, certain
  waits for lock own
    held by task alice
  hangs.py:9 in transfer

task main: waiting, certain
  waits for gather #N
    which waits for task alice
    which waits for task bob
  hangs.py:17 in opposite_order

task test: running
  test_text.py:N in text_of.<locals>.main"""

UNDER_A_TIMEOUT = """\
Stalled until a timeout: 3 of 4 tasks cannot proceed before one passes.

  task alice waits for lock other at hangs.py:9, held by task bob (taken at hangs.py:7)
  task bob waits for lock own at hangs.py:9, held by task alice (taken at hangs.py:7)
  How sure: stalled. A timeout ends it; nothing moves as long as
    - lock other and lock own are released only by the tasks recorded as holding them
    - somebody keeps a reference to these tasks: one that is collected gives back what it holds
    - no other task, thread or signal handler cancels these tasks or sets what they wait for
  Blocked behind: 1 task (main)

4 tasks in process PID (app.py): 3 stalled, 1 live"""

NEVER_SET = """\
No deadlock is certain: 1 of 2 tasks cannot proceed unless a party helps that the snapshot does not know.

2 tasks in process PID (app.py): 1 possible, 1 live

task main: waiting, possible
  waits for event #N (whoever has the event may set it)
  hangs.py:26 in never_set
"""

SLEEPER = """\
No deadlock: all 2 tasks can proceed.

2 tasks in process PID (app.py): 2 live

task main: waiting
  on a timer that ends in N s
  hangs.py:30 in sleeper
"""


def text_of(program, **options):
    """The text of a real capture, without what differs between machines and versions."""

    async def main():
        asyncio.current_task().set_name("test")
        hung = start(program(), "main")
        await parked(hung)
        for _ in range(20):  # its children park too
            await asyncio.sleep(0)
        taken = capture(all_threads=False)  # other tests may leave a loop behind
        await end(hung)
        return taken

    text = asyncio.run(main()).format(**options)
    text = re.sub(r"^  \S*[/\\]asyncio[/\\]\S+ in .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\S*[/\\](hangs|test_text)\.py", r"\1.py", text)
    text = re.sub(r"in process \d+ \(.*?\)", "in process PID (app.py)", text)
    return re.sub(r"(test_text\.py:|event #|gather #|ends in )[\d.]+", r"\1N", text)


def test_a_deadlock():
    assert text_of(hangs.opposite_order) == OPPOSITE_ORDER


def test_a_deadlock_that_a_timeout_ends():
    text = text_of(hangs.under_a_timeout)
    assert text.startswith(UNDER_A_TIMEOUT)
    assert "task main: waiting, stalled\n  on a timer that ends in N s\n" in text


def test_a_wait_that_only_an_unknown_party_can_end():
    assert text_of(hangs.never_set).startswith(NEVER_SET)


def test_no_deadlock():
    assert text_of(hangs.sleeper).startswith(SLEEPER)


def test_a_limit_shows_the_stuck_tasks_first_and_counts_the_rest():
    text = text_of(hangs.opposite_order, limit=1)
    assert re.findall(r"^task .*", text, flags=re.MULTILINE) == ["task alice: waiting, certain"]
    assert text.endswith("\n\n... and 3 more tasks")
    assert "task bob waits for lock own" in text
    assert len(re.findall("^task ", bank().format(limit=None), flags=re.MULTILINE)) == 4


def test_no_tasks():
    text = snapshot([]).format()
    assert text == "No deadlock: there are no tasks.\n\n0 tasks in process 4711 (app.py)"


def test_what_was_not_seen_at_one_moment_is_possible():
    text = bank(consistent=False).format()
    assert text.startswith("Possible deadlock: 3 of 4 tasks")
    assert (
        "  How sure: possible. It is a deadlock if\n    - all of it was true at one moment, although" in text
    )


def test_a_node_that_nobody_can_free():
    text = snapshot([*tasks("waiter"), Node(1, "lock", "L", need=1)], [Edge(0, 1, "lock")]).format()
    assert "\n  task waiter waits for lock L, which nobody can free\n" in text


def test_threads_without_a_task():
    nodes = [Node(0, "thread", "one", need=1), Node(1, "thread", "two", need=1)]
    text = snapshot(nodes, [Edge(0, 1, "thread"), Edge(1, 0, "thread")]).format()
    assert text.startswith("Certain deadlock: nodes that are no tasks can never proceed.\n")
    assert "  thread one waits for thread two\n  thread two waits for thread one\n" in text


def test_several_deadlocks_are_counted():
    nodes = tasks("a", "b", "c")
    text = snapshot(nodes, [Edge(number, number, "await") for number in range(3)]).format(limit=2)
    assert re.findall("^Deadlock .*", text, flags=re.MULTILINE) == ["Deadlock 1 of 3:", "Deadlock 2 of 3:"]
    assert "\n... and 1 more deadlocks\n" in text


def test_control_characters_are_escaped_and_long_names_cut():
    nodes = [
        Node(0, "task", "evil\x1b[31m\nname\u202e", state="wait\ning", need=1, stack=0),
        Node(1, "task", "x" * 10_000, need=1),
    ]
    made = snapshot(
        nodes,
        [Edge(0, 1, "await"), Edge(1, 0, "await")],
        sites=(Site("a\rb.py", "f\x00", 1),),
        stacks=((0,),),
    )
    text = made.format()
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert "task evil\\x1b[31m\\nname\\u202e waits for task xxx" in text
    assert "a\\rb.py:1" in text
    assert max(map(len, text.splitlines())) < 1000


def test_a_large_snapshot_is_told_in_bounded_text_and_linear_time():
    size = 30_000
    nodes = [*tasks(*(str(number) for number in range(size))), Node(size, "lock", "L", need=1)]
    edges = [Edge(number, size, "lock") for number in range(size)] + [Edge(size, 0, "held_by")]
    edges += [Edge(number, number - 1, "await") for number in range(1, size)]
    before = time.process_time()
    text = snapshot(nodes, edges).format()
    assert time.process_time() - before < 10
    assert len(text) < 20_000
    assert "Blocked behind: 29999 tasks" in text


def test_a_long_cycle_is_cut():
    size = 1000
    edges = [Edge(number, (number + 1) % size, "await") for number in range(size)]
    text = snapshot(tasks(*(f"t{number:04}" for number in range(size))), edges).format()
    assert "  ... and 960 more steps back to task t0000\n" in text


def test_an_edge_to_nowhere_is_an_error():
    with pytest.raises(SnapshotError, match="which is not in the snapshot"):
        snapshot(tasks("a"), [Edge(0, 7, "await")]).format()
