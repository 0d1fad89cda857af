"""`agraph run` starts programs with the interpreter that they belong to."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from victims import HAS_UNIX, PROGRAMS, ask, snapshot_at_signal, victim

from agraph_cli.commands.launching import launch_of
from agraph_cli.errors import CommandError

pytestmark = pytest.mark.skipif(not HAS_UNIX, reason="no such signals or sockets here")
UNPREPARED = PROGRAMS / "unprepared.py"


def script(path, first, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{first}\n{text}")
    path.chmod(0o755)
    return path


def run(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "agraph_cli", "run", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize("way", ["script", "command", "module", "interpreter"])
def test_a_program_is_run_and_can_be_asked(folder, way, monkeypatch):
    script(folder / "bin" / "serve", f"#!{sys.executable}", UNPREPARED.read_text(encoding="utf-8"))
    (folder / "serving.py").write_text(UNPREPARED.read_text(encoding="utf-8"), encoding="utf-8")
    words = {
        "script": ["--", UNPREPARED],
        "command": ["--", "serve", "--port", "1"],
        "module": ["-m", "serving", "--port", "1"],
        "interpreter": ["--", sys.executable, "-X", "utf8", "-m", "serving"],
    }[way]
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with victim(folder, "-m", "agraph_cli", "run", *words, PATH=path) as one:
        assert {task.name for task in snapshot_at_signal(one).tasks} >= {"waits for ever"}
        assert ask(one.socket())[1].process.pid == one.pid


def test_options_reach_the_program(folder):
    options = ("--signal", "USR2", "--directory", "made", "--stall-after=500", "--max-files", "3")
    with victim(folder, "-m", "agraph_cli", "run", *options, UNPREPARED) as one:
        environment = Path(f"/proc/{one.pid}/environ")
        if environment.exists():
            assert b"AGRAPH_STALL_AFTER=500" in environment.read_bytes()
        assert not one.socket().exists()


def test_the_exit_code_and_the_output_are_those_of_the_program(folder):
    program = script(folder / "ends.py", "import sys", "print(sys.argv); sys.exit(7)")
    result = run(folder, program, "--signal", "mine", "-m")
    assert result.returncode == 7
    assert result.stdout == f"{[str(program), '--signal', 'mine', '-m']}\n"
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("not-there",), "there is no program 'not-there'"),
        (("./not-there.py",), "there is no program './not-there.py'"),
        (("/bin/sh",), "is no Python program"),
        (("--", "python", "-c", "pass"), "runs no file"),
        (("--", "python"), "is given no program to run"),
        (("--signal", "USR9", "app.py"), "no signal is called that here"),
        (("--python", "/not/there/python", "app.py"), "cannot be started"),
        (("--signal", "USR2"), "missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes(folder, words, message):
    (folder / "app.py").write_text("raise AssertionError('it is not to be run')")
    (folder / "python").symlink_to(sys.executable)
    result = run(folder, *words, PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_an_interpreter_without_agraph_is_told_what_to_install(folder):
    venv.create(folder / "other", with_pip=False)
    python = folder / "other" / "bin" / "python"
    script(folder / "bin" / "serve", f"#!{python}", "raise AssertionError('it is not to be run')")
    result = run(folder, folder / "bin" / "serve")
    assert result.returncode == 2
    assert result.stderr == (
        f"error: {python}, which runs this program, has no agraph\n"
        f"hint: {python} -m pip install agraph-core\n"
    )
    (folder / "app.py").write_text("")
    assert "has no agraph" in run(folder, "app.py", VIRTUAL_ENV=str(folder / "other")).stderr


@pytest.mark.parametrize(
    ("first", "options"),
    [
        (f"#!{sys.executable}", ()),
        (f"#! {sys.executable} -s -E", ("-s", "-E")),
        (f"#!/usr/bin/env -S {sys.executable} -u", ("-u",)),
        (f"""#!/bin/sh\n'''exec' "{sys.executable}" -s "$0" "$@"\n' '''""", ("-s",)),
    ],
)
def test_first_lines(folder, first, options):
    path = script(folder / "serve", first)
    launch = launch_of([str(path), "-m", "x"])
    assert launch == (sys.executable, options, (str(path), "-m", "x"))


def test_a_command_without_such_a_line_is_no_program_of_python(folder):
    for first in ("#!/bin/sh", "#!/usr/bin/perl", "", "\x7fELF"):
        with pytest.raises(CommandError, match="is no Python program"):
            launch_of([str(script(folder / "serve", first))])


def test_the_active_environment_comes_first(folder, monkeypatch):
    python = script(folder / "bin" / "python", "#!/bin/sh")
    monkeypatch.setenv("VIRTUAL_ENV", str(folder))
    assert launch_of(["serving"], is_module=True).python == str(python)
    assert launch_of(["serving"], sys.executable, is_module=True).python == sys.executable
    monkeypatch.delenv("VIRTUAL_ENV")
    assert launch_of(["serving"], is_module=True).python == sys.executable


def test_options_of_an_interpreter():
    launch = launch_of([sys.executable, "-W", "error", "-Xdev", "-u", "app.py", "-c"])
    assert launch == (sys.executable, ("-W", "error", "-Xdev", "-u"), ("app.py", "-c"))
