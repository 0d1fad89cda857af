"""The installed distributions, as a user gets them. `.ci/run` runs these against built wheels, outside the tree."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

DISTRIBUTIONS = {"agraph-core": "agraph", "agraph-static": "agraph_static", "agraph-cli": "agraph_cli"}
UNTRACKED = """
import asyncio


def bridge(loop):
    task = loop.create_task(asyncio.sleep(0))
    future = loop.create_future()
    task.add_done_callback(lambda done: future.set_result(done.result()))
    return future


async def main():
    print(await bridge(asyncio.get_running_loop()))


asyncio.run(main())
"""
TASK_CYCLE = """
import asyncio
import os

import agraph


async def wait(other):
    await tasks[other]


async def main():
    tasks.extend(asyncio.create_task(wait(1 - number), name=f"task {number}") for number in (0, 1))
    await asyncio.sleep(0)
    agraph.capture().save("snapshot.json")
    os._exit(0)  # to cancel a cycle is beyond asyncio


tasks = []
asyncio.run(main())
"""


@pytest.fixture(autouse=True, scope="module")
def _only_what_is_installed():
    if not Path(importlib.util.find_spec("agraph").origin).is_relative_to(sysconfig.get_path("purelib")):
        pytest.skip(
            "agraph is installed in editable mode; `bash .ci/run wheels 3.14` runs this on built wheels"
        )


@pytest.fixture
def agraph(tmp_path):
    """Run the command in an empty folder."""
    command = shutil.which("agraph", path=sysconfig.get_path("scripts"))
    assert command, "the wheel of agraph-cli brings no script `agraph`"

    def run(*arguments):
        return subprocess.run(
            [command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.mark.parametrize(("distribution", "package"), DISTRIBUTIONS.items())
def test_a_wheel_holds_one_typed_package_and_its_licence(distribution, package):
    files = [str(path) for path in importlib.metadata.files(distribution)]
    assert f"{package}/py.typed" in files
    assert any(name.endswith("licenses/LICENSE") for name in files)
    places = {name.split("/")[0] for name in files if not name.startswith("../")}
    assert {place for place in places if not place.endswith(".dist-info")} == {package}
    assert importlib.metadata.metadata(distribution)["License-Expression"] == "MIT"


def test_the_wheels_pin_each_other():
    version = importlib.metadata.version("agraph-cli")
    ours = {name for name in importlib.metadata.requires("agraph-cli") if name.startswith("agraph")}
    assert ours == {f"agraph-core=={version}", f"agraph-static=={version}"}
    assert [one for one in importlib.metadata.requires("agraph-core") or () if "extra ==" not in one] == []


@pytest.mark.parametrize("package", DISTRIBUTIONS.values())
def test_every_public_name_is_there(package):
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_wheels_hold_every_file_of_the_tree(request):
    for package, folder in (("agraph", "core"), ("agraph_static", "static"), ("agraph_cli", "cli")):
        tree = request.config.rootpath / "packages" / folder / "src" / package
        wanted = {
            path.relative_to(tree) for path in tree.rglob("*") if path.is_file() and path.suffix != ".pyc"
        }
        installed = Path(importlib.util.find_spec(package).origin).parent
        assert {str(path) for path in wanted if not (installed / path).is_file()} == set()


def test_core_works_alone(tmp_path):
    folder = os.environ.get("AGRAPH_WHEELS")
    if not folder:
        pytest.skip("AGRAPH_WHEELS does not say where the built wheels are")
    (wheel,) = Path(folder).glob("agraph_core-*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import agraph; print(len(agraph.capture().nodes))"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_command_says_its_version(agraph):
    result = agraph("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert importlib.metadata.version("agraph-cli") in result.stdout


def test_lint_finds_an_untracked_future(agraph, tmp_path):
    (tmp_path / "app.py").write_text(UNTRACKED)
    result = agraph("lint", "--format", "json", "app.py")
    assert result.returncode == 1, result.stderr
    assert [finding["code"] for finding in json.loads(result.stdout)["findings"]] == ["AG101"]


def test_a_snapshot_goes_from_capture_to_verdict(agraph, tmp_path):
    (tmp_path / "hangs.py").write_text(TASK_CYCLE)
    subprocess.run([sys.executable, "hangs.py"], cwd=tmp_path, check=True, timeout=60)
    result = agraph("analyze", "--format", "json", "snapshot.json")
    assert result.returncode == 1, result.stderr
    analysis = json.loads(result.stdout)
    assert analysis["verdict"] == "certain"
    assert {task["name"] for task in analysis["deadlocks"][0]["tasks"]} == {"task 0", "task 1"}


def test_the_demonstration_shows_a_deadlock_and_an_untracked_future(agraph):
    result = agraph("demo")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search("^Deadlock", result.stdout, flags=re.MULTILINE)
    assert "AG101" in result.stdout
