"""Which files are linted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agraph_static import LintConfig, discover, lint_paths

if TYPE_CHECKING:
    from pathlib import Path


def make(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n", encoding="utf-8")


def found(root: Path, config: LintConfig | None = None) -> list[str]:
    return [os.path.relpath(file, root) for file in discover([root], config).files]


def test_python_files_in_a_fixed_order_without_the_usual_folders(tmp_path: Path):
    make(
        tmp_path,
        "b.py",
        "a.pyi",
        "c.txt",
        "pkg/z.py",
        ".venv/x.py",
        "node_modules/y.py",
        "build/w.py",
        "pkg/__pycache__/q.py",
    )
    assert found(tmp_path) == ["a.pyi", "b.py", "pkg/z.py"]


def test_gitignore_holds_at_each_level_and_can_be_taken_back(tmp_path: Path):
    make(
        tmp_path,
        "a.py",
        "gen/one.py",
        "pkg/b.py",
        "pkg/skip.py",
        "pkg/sub/skip.py",
        "pkg/sub/keep.py",
        "logs/x.py",
    )
    (tmp_path / ".gitignore").write_text("gen/\nskip.py\n/logs\n", encoding="utf-8")
    (tmp_path / "pkg/sub/.gitignore").write_text("!skip.py\nkeep.py\n", encoding="utf-8")
    assert found(tmp_path) == ["a.py", "pkg/b.py", "pkg/sub/skip.py"]
    assert "gen/one.py" in found(tmp_path, LintConfig(respect_gitignore=False))


def test_gitignore_above_the_folder_counts_inside_a_repository(tmp_path: Path):
    make(tmp_path, "src/a.py", "src/gen.py")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("gen.py\n", encoding="utf-8")
    assert found(tmp_path / "src") == ["a.py"]


@pytest.mark.parametrize("worktree", [False, True])
def test_what_only_this_clone_ignores(tmp_path: Path, worktree: bool):
    root, git = tmp_path / "root", tmp_path / "root" / ".git"
    make(root, "src/a.py", "src/gen.py", "src/other.py", "mine.py")
    if worktree:
        git.write_text(f"gitdir: {tmp_path / 'git' / 'worktrees' / 'root'}\n", encoding="utf-8")
        git = tmp_path / "git"
        (git / "worktrees" / "root").mkdir(parents=True)
        (git / "worktrees" / "root" / "commondir").write_text("../..\n", encoding="utf-8")
    (git / "info").mkdir(parents=True)
    (git / "info" / "exclude").write_text("# comment\n/mine.py\ngen.py\nother.py\n", encoding="utf-8")
    (root / ".gitignore").write_text("!other.py\n", encoding="utf-8")
    assert found(root) == ["src/a.py", "src/other.py"]
    assert found(root / "src") == ["a.py", "other.py"]
    assert "mine.py" in found(root, LintConfig(respect_gitignore=False))
    forced = discover([root / "src/gen.py"], LintConfig(root=root, force_exclude=True))
    assert (forced.files, forced.skipped) == ((), 1)


def test_a_folder_that_is_ignored_says_so(tmp_path: Path):
    make(tmp_path, "gen/a.py", "empty/a.txt")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("gen/\n", encoding="utf-8")
    gen = tmp_path / "gen"
    assert discover([gen]).notes == (f"{gen}: all that is in it is left out by .gitignore or `exclude`",)
    assert discover([tmp_path / "empty"]).notes == ()


def test_named_files_are_taken_unless_force_exclude(tmp_path: Path):
    make(tmp_path, "build/x.py", "gen.py", "ok.py")
    (tmp_path / ".gitignore").write_text("gen.py\n", encoding="utf-8")
    named = [tmp_path / "build/x.py", tmp_path / "gen.py", tmp_path / "ok.py"]
    assert len(discover(named, LintConfig(root=tmp_path)).files) == 3
    forced = discover(named, LintConfig(root=tmp_path, force_exclude=True))
    assert forced.files == (str(tmp_path / "ok.py"),)
    assert forced.skipped == 2


def test_exclude_patterns_are_relative_to_the_configuration(tmp_path: Path):
    make(tmp_path, "a.py", "old/b.py", "pkg/old/c.py")
    assert found(tmp_path, LintConfig(root=tmp_path, exclude=("/old/",))) == ["a.py", "pkg/old/c.py"]


def test_a_symlink_loop_ends_and_each_file_comes_once(tmp_path: Path):
    make(tmp_path, "pkg/a.py")
    (tmp_path / "pkg/loop").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "again.py").symlink_to(tmp_path / "pkg/a.py")
    assert len(discover([tmp_path]).files) == 1


def test_missing_paths_and_notebooks_are_named(tmp_path: Path):
    make(tmp_path, "right.py", "n.ipynb")
    result = discover([tmp_path / "rihgt.py", tmp_path / "n.ipynb"])
    assert result.files == ()
    assert "no such file" in result.errors[0].message
    assert "right.py" in result.errors[0].help
    assert "notebook" in result.notes[0]
    assert result.skipped == 1


def test_an_unreadable_file_is_an_error_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path, "a.py", "b.py")
    real = open

    def refuse(file, *args, **kwargs):
        if str(file).endswith("a.py"):
            raise PermissionError(13, "Permission denied")
        return real(file, *args, **kwargs)

    monkeypatch.setattr("builtins.open", refuse)  # root may read everything, so the refusal is made here
    result = lint_paths([tmp_path])
    assert (result.checked, result.failed) == (1, 1)
    assert "Permission denied" in result.errors[0].message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.py")
    assert "not a regular file" in lint_paths([tmp_path / "pipe.py"]).errors[0].message
    assert lint_paths([tmp_path]).checked == 0


def test_a_folder_called_like_a_file_and_a_file_that_vanishes(tmp_path: Path):
    make(tmp_path, "dir.py/inner.py")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nothing.py")
    result = lint_paths([tmp_path])
    assert result.checked == 1
    assert result.errors == ()
    assert result.notes == (f"skipped {tmp_path / 'gone.py'}: the link leads to no file",)


def test_per_file_ignores(tmp_path: Path):
    bad = "import asyncio\n\nasync def f(t: asyncio.Task):\n    w = asyncio.Future()\n    t.add_done_callback(lambda _: w.set_result(1))\n    await w\n"
    for name in ("tests/t.py", "src/s.py"):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text(bad, encoding="utf-8")
    config = LintConfig(root=tmp_path, per_file_ignores=(("tests/*", ("AG1",)),))
    result = lint_paths([tmp_path], config)
    assert [(os.path.relpath(one.path, tmp_path), one.code) for one in result.findings] == [
        ("src/s.py", "AG101")
    ]
