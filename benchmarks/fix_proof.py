"""Proof that fixes keep programs whole: the suites of real packages before and after `agraph lint --fix`.

    python benchmarks/fix_proof.py [name ...]

Each package is taken from its source distribution, its dependencies are installed into an environment of its
own in the cache folder (by uv), and a copy of the source is fixed. The suite of the package runs twice: over
the plain copy and over the fixed one. For a package whose source cannot be had, a script uses what was fixed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus

from agraph_static import LintConfig, apply_fixes, lint_source

MOST_PASSES = 10
SECONDS = 900


@dataclass(frozen=True)
class Case:
    """One package.

    Attributes:
        requirement: Name and version.
        needs: What its suite needs beside it.
        source: The folder below its source that holds what is fixed and imported.
        unsafe: Whether unsafe fixes are applied, too.
        suite: Arguments of pytest; empty for a package without a suite.
        script: A program that uses what is fixed, instead of a suite.
    """

    requirement: str
    needs: tuple[str, ...]
    source: str = "."
    unsafe: bool = False
    suite: tuple[str, ...] = ("tests",)
    script: str = ""


TEMPORALIO = """
import asyncio, importlib.util, sys, types

for name in ("proof", "proof.workflow", "proof.types"):
    made = sys.modules[name] = types.ModuleType(name)
    made.__path__ = []
    made.AnyType = object
path = "temporalio/workflow/_asyncio.py"
spec = importlib.util.spec_from_file_location("proof.workflow._asyncio", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


async def work(name, release):
    await release.wait()
    return name


async def edges(make):
    release = asyncio.Event()
    children = [asyncio.create_task(work(name, release), name=name) for name in ("a", "b")]
    waiter = asyncio.create_task(make(children), name="waiter")
    for _ in range(5):
        await asyncio.sleep(0)
    names = "-"
    if sys.version_info >= (3, 14):
        graphs = [asyncio.capture_call_graph(child) for child in children]
        names = [[one.future.get_name() for one in graph.awaited_by] for graph in graphs]
    release.set()
    found = await waiter
    left = sum(len(asyncio.capture_call_graph(one).awaited_by) for one in children) if names != "-" else 0
    return sorted(found), names, left


async def wait_all(children):
    done, pending = await module.wait(children)
    assert not pending
    return [one.result() for one in done]


async def one_by_one(children):
    return [await one for one in module.as_completed(children, timeout=30)]


async def cancelled(children):
    task = asyncio.ensure_future(wait_all(children))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return await wait_all(children)


async def too_late(children):
    stuck = asyncio.ensure_future(asyncio.sleep(3600))
    try:
        for one in module.as_completed([stuck], timeout=0.01):
            await one
    except asyncio.TimeoutError:
        stuck.cancel()
        return await wait_all(children)


for make in (wait_all, one_by_one, cancelled, too_late):
    found, names, left = asyncio.run(edges(make))
    assert found == ["a", "b"] and left == 0, (make, found, left)
    print(make.__name__, names)
print("4 passed")
"""

CASES = (
    Case(
        "aiojobs==1.4.0",
        ("pytest", "pytest-asyncio", "pytest-aiohttp", "aiohttp"),
        suite=("--asyncio-mode=auto", "tests"),
    ),
    Case("aiohappyeyeballs==2.7.1", ("pytest", "pytest-asyncio"), source="src"),
    Case("aiohappyeyeballs==2.7.1", ("pytest", "pytest-asyncio"), source="src", unsafe=True),
    Case(
        "aiorpcX==0.25.0",  # its source leaves out what the other tests import
        ("pytest", "pytest-asyncio"),
        unsafe=True,
        suite=("tests/test_curio.py",),
    ),
    Case(
        "aioesphomeapi==46.23.0",  # ten of its test files import what its source leaves out
        ("pytest", "pytest-asyncio"),
        unsafe=True,
        suite=("--asyncio-mode=auto", "--continue-on-collection-errors", "tests"),
    ),
    Case("temporalio==1.35.0", (), suite=(), script=TEMPORALIO),
)


def source_of(case: Case) -> Path | None:
    """The unpacked source of a package; its wheel when the source cannot be had."""
    for sdist in (True, False):
        try:
            folder = corpus.fetch(case.requirement, sdist=sdist)
        except RuntimeError as error:
            print(f"  {error}", file=sys.stderr)
            continue
        inside = [one for one in folder.iterdir() if one.is_dir()]
        return inside[0] if len(inside) == 1 and (inside[0] / "PKG-INFO").is_file() else folder
    return None


def environment(case: Case) -> Path | None:
    """An interpreter with the dependencies of a package; None when they cannot be installed."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = corpus.corpus_directory() / f".environments/{case.requirement}-{version}"
    python = folder / "bin" / "python"
    if not case.needs:
        return Path(sys.executable)
    if not (folder / "ready").exists():
        for command in (
            ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
            ["uv", "pip", "install", "--quiet", "--python", str(python), case.requirement, *case.needs],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"  {case.requirement}: {done.stderr.strip()}", file=sys.stderr)
                return None
        (folder / "ready").touch()
    return python


def fix(folder: Path, *, unsafe: bool) -> tuple[int, list[str]]:
    """Fix every file of a folder that is no test. Returns the number of fixes and the changed files."""
    config = LintConfig(extend_select=("ALL",))
    fixed, changed = 0, []
    for file in sorted(folder.rglob("*.py")):
        if "tests" in file.relative_to(folder).parts:
            continue
        with file.open(encoding="utf-8", newline="") as opened:
            before = text = opened.read()
        for _ in range(MOST_PASSES):
            findings = lint_source(text, str(file), config)
            after = apply_fixes(text, findings, unsafe)
            if after == text:
                break
            fixed += sum(one.fix is not None and (unsafe or one.fix.kind == "safe") for one in findings)
            text = after
        if text != before:
            file.write_text(text, encoding="utf-8", newline="")
            changed.append(file.relative_to(folder).as_posix())
    return fixed, changed


def run(case: Case, python: Path, folder: Path) -> str:
    """Run the suite, or the script, over a copy: the last line that counts tests."""
    variables = {**os.environ, "PYTHONPATH": str(folder / case.source), "PYTHONDONTWRITEBYTECODE": "1"}
    flags = ("-q", "-p", "no:cacheprovider", "-o", "addopts=", "--no-header")
    command = [str(python), *(("-m", "pytest", *flags, *case.suite) if case.suite else ("-c", case.script))]
    try:
        done = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not ended after {SECONDS} s"
    if case.script and not done.returncode:
        return "; ".join(done.stdout.splitlines())
    counts = [line for line in done.stdout.splitlines() if re.search(r"\d+ (passed|failed|error)", line)]
    last = counts[-1].strip("= ") if counts else (done.stderr or done.stdout).strip()[-200:]
    return re.sub(r" in [\d.]+s.*", "", last)


def main() -> int:
    """Print the table; 1 when a suite ends otherwise than before."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="packages; all when none is named")
    options = parser.parse_args()
    different = 0
    for case in CASES:
        if options.names and not any(name in case.requirement for name in options.names):
            continue
        source, python = source_of(case), environment(case)
        if source is None or python is None:
            print(f"{case.requirement:26} cannot be had")
            continue
        scratch = corpus.corpus_directory() / ".proof" / case.requirement
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(source, scratch)
        before = run(case, python, scratch)
        fixed, changed = fix(scratch / case.source, unsafe=case.unsafe)
        after = run(case, python, scratch)
        kind = "all" if case.unsafe else "safe"
        print(f"{case.requirement:26} {fixed} {kind} fixes in {', '.join(changed) or 'no file'}")
        print(f"{'':26} before: {before}\n{'':26} after:  {after}")
        different += before != after or not fixed
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
