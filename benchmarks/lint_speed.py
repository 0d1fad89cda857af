"""How fast the lint is beside ruff, over the same files, cold and from the cache, and beside other linters.

    python benchmarks/lint_speed.py [bench|full] [--rounds 3]
    python benchmarks/lint_speed.py bench --others .others/bin/python [--files 300] [--limit 300]

Every tool runs as a process of its own, in turns, so that all meet the same load. Cold: no cache of the
tool's own; the files are in the system's cache. Printed are the medians, and the ratio to ruff's, of the time
that passes and of the time on processors, which a loaded machine disturbs less.

The other linters are slower by far, so `--others` compares them once, over some files that are spread evenly
over the corpus, and stops each after a time limit. It names the Python of an environment that has them (or
the variable AGRAPH_OTHER_LINTERS does); what is not installed there is left out with a word:

    uv venv .others && VIRTUAL_ENV=.others uv pip install flake8 flake8-async fixit pylint

They run with what is closest to the rules of agraph. flake8: only ASYNC, which keeps its other checks from
the output but not from running. fixit: the rules that it runs unless told otherwise, on all processors.
pylint: two checks about `await` and `async with`, where it is cheapest. All but fixit run on one processor.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
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
result = lint_paths(sys.argv[3:], cache_dir=sys.argv[1] or None, jobs=int(sys.argv[2]) or None)
print(result.checked, len(result.findings))
"""

OTHERS = {
    "flake8-async": ("flake8", "--isolated", "--jobs=1", "--select=ASYNC"),
    "fixit": ("fixit", "--quiet", "lint"),
    "pylint": (
        "pylint",
        "--rcfile=",
        "--jobs=1",
        "--disable=all",
        "--enable=await-outside-async,not-async-context-manager",
        "--recursive=y",
    ),
}
MODULES = {"flake8-async": "flake8_async", "fixit": "fixit", "pylint": "pylint"}


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


def some_files(roots: list[str], number: int, target: Path) -> int:
    """Copy so many files of the corpus, evenly spread, to a folder; how many bytes they have."""
    every = sorted(file for root in roots for file in Path(root).rglob("*.py"))
    size = 0
    for index, file in enumerate(every[:: max(1, len(every) // number)][:number]):
        copy = target / f"part{index:04}" / file.name
        copy.parent.mkdir(parents=True)
        shutil.copyfile(file, copy)
        size += copy.stat().st_size
    return size


def limited(command: list[str], limit: float) -> tuple[float, float] | None:
    """As `timed`, but None when the process and its children have to be stopped at a time limit."""
    start, used = time.perf_counter(), processor_seconds()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
    return time.perf_counter() - start, processor_seconds() - used


def compare_others(python: str, roots: list[str], number: int, limit: float) -> None:
    """Print how long other linters take for some files, as multiples of what agraph takes."""
    with tempfile.TemporaryDirectory() as scratch:
        size = some_files(roots, number, Path(scratch))
        print(f"{number} files, {size / 1e6:.1f} MB")
        command = [sys.executable, "-c", AGRAPH, "", "1", scratch]
        base, base_used = min(timed(command) for _ in range(3))
        print(f"{'agraph':12} {base:7.2f} s, {base_used:7.2f} s of processors")
        for name, (module, *arguments) in OTHERS.items():
            has = subprocess.run([python, "-c", f"import {MODULES[name]}"], capture_output=True, check=False)
            if has.returncode:
                print(f"{name:12} is not installed for {python}")
                continue
            both = limited([python, "-m", module, *arguments, scratch], limit)
            if both is None:
                print(f"{name:12} did not finish in {limit:.0f} s: more than {limit / base:.0f} x agraph")
                continue
            passed, used = both
            print(
                f"{name:12} {passed:7.2f} s {passed / base:5.0f} x agraph, "
                f"{used:7.2f} s of processors {used / base_used:5.0f} x agraph"
            )


def compare_ruff(roots: list[str], rounds: int) -> None:
    """Print how long agraph and ruff take, cold and warm."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--select", "ASYNC,RUF006"]
    with tempfile.TemporaryDirectory() as scratch:
        commands = {
            "ruff cold": [*ruff, "--no-cache", *roots],
            "agraph cold": [sys.executable, "-c", AGRAPH, "", "0", *roots],
            "ruff warm": [*ruff, "--cache-dir", f"{scratch}/ruff", *roots],
            "agraph warm": [sys.executable, "-c", AGRAPH, f"{scratch}/agraph", "0", *roots],
        }
        for name in ("ruff warm", "agraph warm"):
            timed(commands[name])  # fills the cache
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(rounds):
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


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="?", default="bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--others", metavar="PYTHON", default=os.environ.get("AGRAPH_OTHER_LINTERS"))
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--limit", type=float, default=300)
    options = parser.parse_args()
    roots = [
        str(root) for one in corpus.requirements(options.which) if (root := corpus.find(one)) is not None
    ]
    if not roots:
        print("nothing to lint: run benchmarks/corpus.py first", file=sys.stderr)
        return 1
    if options.rounds:
        compare_ruff(roots, options.rounds)
    if options.others:
        compare_others(options.others, roots, options.files, options.limit)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
