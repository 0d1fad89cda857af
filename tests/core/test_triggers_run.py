"""`python -m agraph run` runs a program as `python` does."""

import os
import signal
import subprocess
import sys
import tempfile
import zipapp
from pathlib import Path

import pytest
from blocked import until
from victims import HAS_UNIX, PROGRAMS, ask, snapshot_at_signal, victim

import agraph

SHOW = """if True:
    import pickle, sys
    import __main__
    class Own: pass
    print(sorted(vars(__main__)), __name__, __file__, __package__, bool(__spec__), type(__loader__).__name__)
    print(sys.argv, sys.path, sys.modules["__main__"] is __main__, __builtins__)
    print(type(pickle.loads(pickle.dumps(Own()))) is Own, __doc__)
"""
FAIL = """
import atexit
atexit.register(lambda: print("the end of", __name__))
def fail():
    raise ValueError("no")
try:
    fail()
except ValueError as error:
    raise LookupError("not at all") from error
"""
PROGRAMS_TO_RUN = {
    "show": SHOW,
    "fail": FAIL,
    "wrong": "x = = 1\n",
    "says_why": "import sys; sys.exit('because')\n",
    "interrupted": "raise KeyboardInterrupt\n",
    "own_hook": "import sys\nsys.excepthook = lambda *error: print('own', error[1])\n1 / 0\n",
    "group": "raise ExceptionGroup('several', [ValueError(1), OSError(2)])\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of programs; `package` and `archive.pyz` have a `__main__`."""
    folder = tmp_path_factory.mktemp("run")
    for name, text in PROGRAMS_TO_RUN.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "package").mkdir()
    (folder / "package" / "__main__.py").write_text(SHOW)
    zipapp.create_archive(folder / "package", folder / "archive.pyz")
    (folder / "link.py").symlink_to(folder / "package" / "__main__.py")
    return folder


def run(folder, *arguments, **environment):
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        *((f"{name}.py", "one", "--two") for name in PROGRAMS_TO_RUN),
        ("./show.py",),
        ("package/../fail.py",),
        ("package", "one"),
        ("./package/",),
        ("archive.pyz", "-m"),
        ("link.py",),
        ("-m", "show", "one", "--two"),
        ("-m", "package"),
        ("-m", "fail"),
        ("-m", "not_there"),
    ],
    ids=" ".join,
)
def test_as_the_interpreter_does(folder, arguments):
    expected = run(folder, *arguments)
    assert expected[1] or expected[2]
    assert run(folder, "-m", "agraph", "run", "--signal", "off", "--stall-after=100", *arguments) == expected


def test_the_options_of_the_interpreter_stay(folder):
    for name in ("show.py", "package"):
        expected = run(folder, "-P", "-X", "utf8", name)
        assert run(folder, "-P", "-X", "utf8", "-m", "agraph", "run", "--stall-after=100", name) == expected


@pytest.mark.skipif(not HAS_UNIX, reason="a current directory cannot be removed here")
def test_where_the_current_directory_is_gone(folder):
    program = folder / "says.py"
    program.write_text("print(__file__)")
    (folder / "gone").mkdir()
    command = f'cd "{folder}/gone" && rmdir "{folder}/gone" && exec "$@"'
    words = [sys.executable, "-m", "agraph", "run", str(program)]
    result = subprocess.run(
        ["sh", "-c", command, "sh", *words],
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{program}\n", "")


@pytest.mark.skipif(not HAS_UNIX, reason="no such signals or sockets here")
def test_without_options_there_is_a_signal_and_a_socket(tmp_path):
    command = ("-m", "agraph", "run", PROGRAMS / "unprepared.py")
    with tempfile.TemporaryDirectory(prefix="ag") as short, victim(Path(short), *command) as one:
        assert snapshot_at_signal(one).process.argv0 == str(PROGRAMS / "unprepared.py")
        assert ask(one.socket())[0]["ok"]


@pytest.mark.skipif(not HAS_UNIX, reason="no such signals here")
def test_options(tmp_path):
    options = ("--signal", "USR1", "--directory=made", "--max-files", "1", "--stall-after=500", "--")
    with victim(tmp_path, "-m", "agraph", "run", *options, PROGRAMS / "unprepared.py") as one:
        for _ in range(2):
            before = one.err().count("\n")
            os.kill(one.pid, signal.SIGUSR1)
            until(lambda before=before: one.err().count("\n") > before)
        (path,) = (tmp_path / "made").iterdir()
        assert path.name.endswith("-2.json.gz")
        assert not one.socket().exists()


@pytest.mark.skipif(not HAS_UNIX, reason="no such signals here")
def test_the_environment_alone(tmp_path):
    command = ("-m", "agraph", "run", PROGRAMS / "unprepared.py")
    with victim(tmp_path, *command, AGRAPH_SIGNAL="SIGUSR2", AGRAPH_DIRECTORY="here") as one:
        os.kill(one.pid, signal.SIGUSR2)
        until(lambda: list(tmp_path.glob("here/*.json.gz")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("analyze", "x.json"), "only `run`"),
        (("run",), "no program is named"),
        (("run", "-m"), "-m needs the name of a module"),
        (("run", "--signal"), "--signal needs a value"),
        (("run", "--signal", "USR9", "show.py"), "no signal is called that here"),
        (("run", "--fast", "show.py"), "there is no option --fast"),
        (("run", "not_there.py"), "can't open file 'not_there.py': No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes(folder, arguments, message):
    code, out, err = run(folder, "-m", "agraph", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


def test_other_commands_are_those_of_another_package(folder):
    assert "pip install agraph-cli" in run(folder, "-m", "agraph", "analyze")[2]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("run", "-h")], ids=" ".join)
def test_help(folder, arguments):
    code, out, err = run(folder, "-m", "agraph", *arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: python -m agraph run ")
    assert max(map(len, out.splitlines())) <= 80


def test_version(folder):
    assert run(folder, "-m", "agraph", "--version") == (0, f"agraph {agraph.__version__}\n", "")
