"""`[tool.agraph.lint]`: what is read, and what is said about what cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agraph_static import ConfigError, LintConfig, lint_source, load_config

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_all_keys_are_read(tmp_path: Path):
    write(
        tmp_path,
        """
        [project]
        name = "x"
        requires-python = ">=3.12"
        [tool.agraph.lint]
        select = ["AG1"]
        ignore = ["AG110"]
        extend-select = ["AG206"]
        exclude = ["generated/"]
        min-confidence = "certain"
        fix-style = "inline-shim"
        [tool.agraph.lint.per-file-ignores]
        "tests/*" = ["AG101"]
        [tool.agraph.lint.extra-wrappers]
        "mylib.spawn" = "task"
        """,
    )
    config = load_config(tmp_path)
    assert config == LintConfig(
        select=("AG1",),
        ignore=("AG110",),
        extend_select=("AG206",),
        exclude=("generated/",),
        min_confidence="certain",
        fix_style="inline-shim",
        per_file_ignores=(("tests/*", ("AG101",)),),
        extra_wrappers=(("mylib.spawn", "task"),),
        requires_python=">=3.12",
        root=tmp_path,
    )


def test_nearest_table_wins_and_files_without_it_are_passed_over(tmp_path: Path):
    write(tmp_path, "[tool.agraph.lint]\nignore = ['AG108']\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write(tmp_path / "a", "[tool.other]\nx = 1\n")
    assert load_config(inner).ignore == ("AG108",)
    write(inner, "[tool.agraph.lint]\nignore = ['AG101']\n")
    assert load_config(inner).ignore == ("AG101",)


@pytest.mark.parametrize(
    ("text", "message", "help_text"),
    [
        ("[tool.agraph.lint]\nselekt = []\n", "unknown key `selekt`", "did you mean `select`?"),
        (
            "[tool.agraph.lint]\nextend_select = []\n",
            "unknown key `extend_select`",
            "did you mean `extend-select`?",
        ),
        ("[tool.agraph.lint]\nselect = ['AG10l']\n", "no rule is called `AG10l`", "did you mean `AG1"),
        ("[tool.agraph.lint]\nselect = 'AG101'\n", "must be a list of strings, not a string", ""),
        ("[tool.agraph.lint]\nmin-confidence = 'likly'\n", "not `likly`", "did you mean `likely`?"),
        ("[tool.agraph]\nlint = 3\n", "must be a table, not a number", ""),
        ("[tool]\nagraph = 3\n", "`tool.agraph` must be a table, not a number", ""),
        ("[tool.agraph.lnt]\n", "unknown key `lnt` in `[tool.agraph]`", "did you mean `lint`?"),
        ("[tool.agraph]\nselect = ['AG1']\n", "unknown key `select`", "in `[tool.agraph.lint]`"),
        ("[tool.agraph.lint\n", "is not valid TOML", ""),
    ],
)
def test_wrong_configuration_is_named(tmp_path: Path, text: str, message: str, help_text: str):
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert message in caught.value.message
    assert str(file) in caught.value.message
    assert help_text in caught.value.help


def test_a_missing_named_file_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path / "nothing.toml")


SPAWNED = """\
import asyncio
from mylib import spawn

async def main(work):
    waiter = asyncio.get_running_loop().create_future()
    spawn(work()).add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""


def test_an_extra_wrapper_says_where_a_future_comes_from():
    assert (
        lint_source(SPAWNED, config=LintConfig(extra_wrappers=(("mylib.spawn", "task"),)))[0].confidence
        == "certain"
    )


def test_extra_wrappers_add_callbacks_and_resolve():
    text = """\
import asyncio
from mylib import finish, when_done

async def main(work):
    waiter = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(work())
    when_done(task, lambda _: finish(waiter))
    await waiter
"""
    config = LintConfig(extra_wrappers=(("mylib.when_done", "callback"), ("mylib.finish", "resolve")))
    assert [one.code for one in lint_source(text, config=config)] == ["AG101"]
    assert lint_source(text) == []


def test_select_ignore_and_confidence():
    bad = "import asyncio\n\nasync def f(t: asyncio.Task):\n    w = asyncio.Future()\n    t.add_done_callback(lambda _: w.set_result(1))\n    await w\n"
    assert [one.code for one in lint_source(bad)] == ["AG101"]
    assert lint_source(bad, config=LintConfig(select=("AG108",))) == []
    assert lint_source(bad, config=LintConfig(ignore=("AG1",))) == []
    assert [one.code for one in lint_source(bad, config=LintConfig(min_confidence="certain"))] == ["AG101"]
    unknown = bad.replace(": asyncio.Task", "")
    assert lint_source(unknown) == []
    assert [one.confidence for one in lint_source(unknown, config=LintConfig(min_confidence="possible"))] == [
        "possible"
    ]
