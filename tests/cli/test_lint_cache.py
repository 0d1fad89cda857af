"""`agraph lint`: what is remembered between runs, and where."""

import json
from pathlib import Path

import pytest

from agraph_static import LintResult

BAD = """\
import asyncio


async def wait_quietly(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""


@pytest.fixture
def project(agraph):
    Path("src").mkdir()
    Path("src/bad.py").write_text(BAD)
    Path("pyproject.toml").touch()
    return agraph


def test_it_is_beside_the_project_file_and_ignores_itself(project):
    assert project("lint src").code == 1
    assert Path(".agraph_cache/.gitignore").read_text() == "*\n"
    assert sorted(path.name for path in Path("src").iterdir()) == ["bad.py"]


def test_what_is_remembered_is_told_as_before(project):
    first = project("lint src").out
    [file] = Path(".agraph_cache").glob("lint-*.json")
    text = file.read_text()
    assert project("lint src").out == first
    file.write_text(text.replace("no edge joins", "NO EDGE JOINS"))  # so that one sees where it comes from
    assert "NO EDGE JOINS" in project("lint src").out
    assert project("lint src --no-cache").out == first


def test_a_changed_file_is_linted_again(project):
    assert project("lint src").code == 1
    Path("src/bad.py").write_text("x = 1\n")
    assert project("lint src").code == 0


def test_the_environment_names_another_place(project, monkeypatch):
    monkeypatch.setenv("AGRAPH_CACHE_DIR", "elsewhere")
    assert project("lint src").code == 1
    assert list(Path("elsewhere").glob("lint-*.json"))
    assert not Path(".agraph_cache").exists()


def test_without_it_nothing_is_written(project):
    assert project("lint src --no-cache").code == 1
    assert sorted(path.name for path in Path().iterdir()) == ["pyproject.toml", "src"]


def test_a_place_that_cannot_be_used_is_no_error(project, monkeypatch):
    Path("file").touch()
    monkeypatch.setenv("AGRAPH_CACHE_DIR", "file")
    assert project("lint src").code == 1
    assert project.err == "Found 1 problem in 1 of 1 file.\n"


def test_several_processes_find_the_same(project):
    Path("src/worse.py").write_text(BAD)
    alone = project("lint src --no-cache --format json -j 1").out
    assert len(json.loads(alone)["findings"]) == 2
    assert project("lint src --no-cache --format json -j 2").out == alone


def test_no_process_is_an_error(project):
    assert project("lint src -j 0").code == 2
    assert project.err.startswith("error: invalid value for '--jobs'")


@pytest.mark.parametrize("form", ["concise", "json"])
def test_notes_go_to_standard_error(project, monkeypatch, form):
    result = LintResult((), 1, 0, 0, notes=("3 notebooks were skipped",))
    monkeypatch.setattr("agraph_static.lint_paths", lambda *_, **__: result)
    assert project(f"lint src --format {form}").code == 0
    assert project.err.startswith("note: 3 notebooks were skipped\n")
