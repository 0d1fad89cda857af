"""How fast snapshots are read and analysed, beside json + networkx on the same files.

    python benchmarks/analyze_speed.py [--tasks N] [--rounds N]

Every figure is of a process of its own: its processor time from the first byte read to the verdict, without
imports, the best of the rounds (a busy machine stretches it less than the time of day); and its largest
resident set less that of an interpreter with the same imports. networkx does what one would write by hand:
`json.load`, a `DiGraph` of the wait edges, `strongly_connected_components`; it knows no verdicts. The files
are written by `Snapshot.save`, as a capture writes them:

    service   tasks of a service: sleeping, on sockets, awaiting other tasks or a `gather`, on locks; with an
              ABBA deadlock
    chain     each task awaits the next one; the last awaits the first
    lock      every task but one waits for the same lock, and the holder waits for a task that does
    many      small snapshots of services, 100 of each process; also with all that `agraph analyze` does, from
              the folder to a report in a file
"""

import argparse
import gc
import json
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    import resource
except ImportError:
    sys.exit("this benchmark needs the module `resource`, which Windows has not")

FORMS = ("service", "chain", "lock")


def service(size, seed=1):
    """Nodes and edges of a service with that many tasks, in the order in which a capture numbers them."""
    from agraph import Edge, Node

    chance = random.Random(seed)
    nodes = [
        Node(0, "loop", "MainThread", "asyncio.unix_events._UnixSelectorEventLoop", "idle", key=-1552252)
    ]
    others, edges, after = [], [], size + 1
    for number in range(1, size + 1):
        timer = None
        draw = chance.random()
        if number <= 2 or draw < 0.05:
            kind = 4
        elif draw < 0.35:
            kind, timer = 0, 100.0 + chance.random() * 60
        elif draw < 0.65:
            kind = 1
            others.append(
                Node(
                    after,
                    "io",
                    "",
                    "_SelectorSocketTransport",
                    "pending",
                    key=-after,
                    detail={"operation": "read"},
                )
            )
            edges.append(Edge(number, after, "await"))
            after += 1
        elif draw < 0.9:
            kind = 2
            edges.append(Edge(number, chance.randrange(1, number), "await"))
        else:
            kind = 3
            others.append(Node(after, "future", "", "_GatheringFuture", "pending", need=2, exc=True))
            edges.append(Edge(number, after, "await"))
            edges += [Edge(after, chance.randrange(1, number), "all_of") for _ in range(2)]
            after += 1
        nodes.append(
            Node(
                number, "task", f"Task-{number}", f"handler_{kind}", "waiting", kind, 0, 99.0 + number / size,
                5000 + number, -900000 - number, 1, timer,
            )
        )  # fmt: skip
        if (
            kind == 4
        ):  # on a lock: a pool of them, held by those that came before; the first two hold each other's
            others.append(Node(after, "lock", "lock", "Lock", "locked", key=-after, need=1))
            edges.append(Edge(number, after, "lock"))
            holder = 3 - number if number <= 2 else chance.randrange(size // 100 + 3, size + 1)
            edges.append(Edge(after, holder if holder != number else 1, "held_by", site=0))
            after += 1
    return [*nodes, *others], edges


def chain(size):
    """A ring of tasks."""
    from agraph import Edge, Node

    nodes = [Node(n, "task", f"Task-{n}", "hop", "waiting", 0, None, 99.0, n, -n, 1) for n in range(size)]
    return nodes, [Edge(number, (number + 1) % size, "await") for number in range(size)]


def lock(size):
    """Everybody waits for one lock."""
    from agraph import Edge, Node

    nodes = [Node(n, "task", f"Task-{n}", "work", "waiting", 0, None, 99.0, n, -n, 1) for n in range(size)]
    nodes.append(Node(size, "lock", "lock", "Lock", "locked", need=1))
    edges = [Edge(number, size, "lock") for number in range(1, size)]
    return nodes, [*edges, Edge(size, 0, "held_by", site=0), Edge(0, 1, "await")]


def write(form, size, path, seed=1):
    """Save a snapshot of one of the forms."""
    from agraph import Capture, Process, Site, Snapshot

    nodes, edges = service(size, seed) if form == "service" else {"chain": chain, "lock": lock}[form](size)
    sites = tuple(Site(f"/srv/app/part_{n}.py", f"handler_{n}", 10 + n) for n in range(20))
    stacks = tuple(tuple(range(n, n + 6)) for n in range(8))
    process = Process("web-3", "", 4711, 1790000000.0, "app.py", "3.14.2", "CPython")
    capture = Capture(1790000100.0, 1790000100.5, 100.0, 100.5)
    kinds = list(dict.fromkeys(node.kind for node in nodes))
    nodes.sort(key=lambda node: kinds.index(node.kind))
    Snapshot(process, capture, sites, stacks, tuple(nodes), tuple(edges)).save(path)


def write_many(count, size, folder):
    """Save snapshots of a few processes, 100 of each and 10 s apart.

    Those of one process show the same tasks. Those that sleep or read from a socket have begun another wait
    each time, the others stand still.
    """
    from dataclasses import replace

    from agraph import Capture, load

    for first in range(0, count, 100):
        path = Path(folder) / f"{first:06}.json"
        write("service", size, path, 1 + first)
        one = load(path)
        process = replace(one.process, pid=one.process.pid + first)
        moves = [node.kind == "task" and node.type in {"handler_0", "handler_1"} for node in one.nodes]
        for turn in range(min(100, count - first)):
            nodes = tuple(
                node._replace(wait=node.wait + 1000 * turn, since=node.since + 10 * turn) if moved else node
                for node, moved in zip(one.nodes, moves, strict=True)
            )
            at = 100.0 + 10 * turn
            capture = Capture(1790000000.0 + at, 1790000000.0 + at + 0.002, at, at + 0.002)
            changed = replace(one, process=process, capture=capture, nodes=nodes)
            changed.save(path.with_name(f"{first + turn:06}.json"))


def rss_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1024**2
    )


def with_agraph(paths):
    """Read and analyse as `agraph analyze` does, up to the report."""
    from agraph_cli.analysis.judge import analyze_one
    from agraph_cli.commands.reading import fetch, load, places

    gc.disable()  # as the command does
    before, start = rss_mb(), time.process_time()
    done, reading, since = [], 0.0, start
    for place in places(paths):
        snapshot = load(place, fetch(place))
        reading += time.process_time() - since
        done.append(analyze_one(snapshot, place.path))
        since = time.process_time()
    verdicts = [one.verdict for one in done]
    stop = time.process_time()
    deadlocks = sum(len(one.deadlocks) for one in done)
    return {
        "seconds": stop - start,
        "reading": reading,
        "mb": rss_mb() - before,
        "says": f"{max(verdicts)}, {deadlocks} deadlocks",
    }


def with_command(paths):
    """Run `agraph analyze`, its report written to a file beside the snapshots."""
    import importlib

    modules = ["app", "commands.analyze", "commands.answers", "analysis.decoder", "analysis.short"]
    modules += ["analysis.judge", "analysis.many", "report.full"]
    for name in modules:
        importlib.import_module(f"agraph_cli.{name}")
    from agraph_cli.commands.analyze import analyze

    report = Path(paths[0]).with_suffix(".txt")
    before, start = rss_mb(), time.process_time()
    analyze([str(path) for path in paths], output=str(report))
    stop = time.process_time()
    first = report.read_text(encoding="utf-8").splitlines()[0]
    return {"seconds": stop - start, "reading": None, "mb": rss_mb() - before, "says": first}


def with_networkx(paths):
    """Read, build a graph, and look for components."""
    import networkx as nx

    before, start = rss_mb(), time.process_time()
    cores = 0
    for path in paths:
        with Path(path).open(encoding="utf-8") as file:
            document = json.load(file)
        loaded = time.process_time()
        graph = nx.DiGraph()
        for table in document["nodes"].values():
            graph.add_nodes_from(table["id"])
        for group in document["edges"]:
            if group["kind"] != "structural":
                graph.add_edges_from(zip(group["waiter"], group["awaited"], strict=True))
        cores += sum(len(part) > 1 for part in nx.strongly_connected_components(graph))
    stop = time.process_time()
    return {
        "seconds": stop - start,
        "reading": loaded - start,
        "mb": rss_mb() - before,
        "says": f"{cores} components",
    }


ENGINES = {"agraph": with_agraph, "command": with_command, "networkx": with_networkx}


def measured(engine, paths, rounds):
    """The best time and the smallest peak of some processes."""
    best = None
    for _ in range(rounds):
        found = json.loads(apart("--run", engine, *paths))
        if best is None:
            best = found
        best = {**best, "seconds": min(best["seconds"], found["seconds"]), "mb": min(best["mb"], found["mb"])}
        if found["reading"] is not None:
            best["reading"] = min(best["reading"], found["reading"])
    return best


def show(case, found):
    reading = "" if found["reading"] is None else f"({found['reading']:.2f} s reading)"
    print(f"{case:<34} {found['seconds']:8.2f} s {reading:<17} {found['mb']:8.0f} MB   {found['says']}")


def apart(*arguments):
    """Run a part of this in a process of its own: the peak of a process is never below that of its parent."""
    command = [sys.executable, __file__, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(result.stderr)
    return result.stdout


def compare(folder, form, size, rounds):
    path = folder / f"{form}.json"
    apart("--write", form, size, path)
    print(f"\n{form}, {size:,} tasks, {path.stat().st_size / 1e6:.0f} MB of JSON")
    ours = measured("agraph", [path], rounds)
    theirs = measured("networkx", [path], max(1, rounds - 1))
    show("  agraph", ours)
    show("  json + networkx + components", theirs)
    faster, share = theirs["seconds"] / ours["seconds"], ours["mb"] / theirs["mb"]
    print(f"  {faster:.1f} times as fast, {share:.2f} of the memory")
    path.unlink()


def many(folder, count, size, rounds):
    where = folder / "many"
    where.mkdir()
    apart("--write", "many", count * size, where)
    print(f"\n{count:,} snapshots of {size} tasks")
    show("  agraph", measured("agraph", [where], rounds))
    show("  agraph analyze -o report.txt", measured("command", [where], rounds))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forms", nargs="*", default=[*FORMS, "many"], choices=[*FORMS, "many"])
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        form, size, path = options.write
        if form == "many":
            write_many(int(size) // 100, 100, path)
        else:
            write(form, int(size), path)
        return
    if options.run:
        engine, *paths = options.run
        print(json.dumps(ENGINES[engine](paths)))
        return
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {sys.platform}, best of {options.rounds}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for form in options.forms:
            if form == "many":
                many(folder, options.tasks // 100, 100, options.rounds)
            else:
                compare(folder, form, options.tasks // 5 if form == "lock" else options.tasks, options.rounds)


if __name__ == "__main__":
    main()
