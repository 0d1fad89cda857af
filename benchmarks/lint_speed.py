"""How fast the lint is beside ruff, over the same files, cold and from the cache.

    python benchmarks/lint_speed.py [bench|full] [--rounds 3]

Every tool runs as a process of its own, in turns, so that all meet the same load. Cold: no cache of the
tool's own; the files are in the system's cache. Printed are the medians, and the ratio to ruff's, of the time
that passes and of the time on processors, which a loaded machine disturbs less.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus

AGRAPH = """\
import sys
from agraph_static import lint_paths
result = lint_paths(sys.argv[2:], cache_dir=sys.argv[1] or None)
print(result.checked, len(result.findings))
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds that a process takes, and of those of its processors; findings are no failure."""
    start, used = time.perf_counter(), processor_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
    return time.perf_counter() - start, processor_seconds() - used


def processor_seconds() -> float:
    """What the processes that have ended took of the processors."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="?", default="bench")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    roots = [
        str(root) for one in corpus.requirements(options.which) if (root := corpus.find(one)) is not None
    ]
    if not roots:
        print("nothing to lint: run benchmarks/corpus.py first", file=sys.stderr)
        return 1
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--select", "ASYNC,RUF006"]
    with tempfile.TemporaryDirectory() as scratch:
        commands = {
            "ruff cold": [*ruff, "--no-cache", *roots],
            "agraph cold": [sys.executable, "-c", AGRAPH, "", *roots],
            "ruff warm": [*ruff, "--cache-dir", f"{scratch}/ruff", *roots],
            "agraph warm": [sys.executable, "-c", AGRAPH, f"{scratch}/agraph", *roots],
        }
        for name in ("ruff warm", "agraph warm"):
            timed(commands[name])  # fills the cache
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                seconds[name].append(timed(command))
    median = {
        name: [statistics.median(one) for one in zip(*both, strict=True)] for name, both in seconds.items()
    }
    for name, (passed, used) in median.items():
        base, base_used = median["ruff " + name.split()[1]]
        fastest, slowest = min(seconds[name])[0], max(seconds[name])[0]
        print(
            f"{name:12} {passed:7.2f} s ({fastest:.2f}-{slowest:.2f}) {passed / base:5.1f} x ruff, "
            f"{used:6.2f} s of processors {used / base_used:5.1f} x ruff"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
