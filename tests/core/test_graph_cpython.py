"""CPython's own test_graph.py, with agraph's functions in asyncio's place. Nothing of it is copied."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("cpython_graph.py")
IN_LIBRARY = Path("test", "test_asyncio", "test_graph.py")
WHERE_IS_THE_LIBRARY = "import sysconfig; print(sysconfig.get_path('stdlib'))"


def find_cpython_file():
    """The file of this interpreter, or of one on PATH; versions below 3.14 have none and take that of a newer one."""
    libraries = [sysconfig.get_path("stdlib")]
    minors = (sys.version_info.minor,) if sys.version_info >= (3, 14) else (14, 15)
    for executable in filter(None, (shutil.which(f"python3.{minor}") for minor in minors)):
        command = [executable, "-c", WHERE_IS_THE_LIBRARY]
        asked = subprocess.run(command, capture_output=True, text=True, check=True)
        libraries.append(asked.stdout.strip())
    files = [Path(library, IN_LIBRARY) for library in libraries]
    return next((file for file in files if file.is_file()), None)


@pytest.fixture(scope="module")
def cpython_file():
    found = find_cpython_file()
    if found is None:
        pytest.skip(
            "no interpreter with test/test_asyncio/test_graph.py (Python 3.14 or newer, with its tests)"
        )
    return found


def run_harness(cpython_file, *arguments):
    command = [sys.executable, HARNESS, cpython_file, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.stock_loop
def test_cpython_tests_pass(cpython_file):
    report = run_harness(cpython_file)
    assert report["failed"] == {}
    assert report["skipped"] == {}
    # Each test once with futures of C and once with those of Python.
    assert report["run"] == 2 * cpython_file.read_text().count("    async def test_")


@pytest.mark.stock_loop
def test_the_comparison_notices_a_missing_edge(cpython_file):
    report = run_harness(cpython_file, "--without-edges")
    assert {name.partition(" ")[0] for name in report["failed"]} >= {
        "test_stack_tgroup",
        "test_stack_gather",
        "test_stack_shield",
        "test_stack_wait",
        "test_stack_as_completed",
        "test_stack_task",
        "test_stack_future",
    }
