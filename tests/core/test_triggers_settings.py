"""What `agraph.install` understands, in arguments and in the environment."""

import signal
from pathlib import Path

import pytest
from victims import HAS_UNIX

from agraph import AgraphError
from agraph._internal.triggers.settings import VARIABLES, read_settings

pytestmark = pytest.mark.skipif(not HAS_UNIX, reason="no such signals or sockets here")


def read(environment=None, **arguments):
    return read_settings(arguments, environment or {})


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("USR2", signal.SIGUSR2 if HAS_UNIX else 0),
        ("SIGUSR1", signal.SIGUSR1 if HAS_UNIX else 0),
        ("sigusr1", signal.SIGUSR1 if HAS_UNIX else 0),
        ("12", 12),
        (" usr2 ", signal.SIGUSR2 if HAS_UNIX else 0),
        ("on", signal.SIGUSR2 if HAS_UNIX else 0),
        ("off", None),
        ("", None),
    ],
)
def test_a_signal_in_the_environment(word, number):
    settings, wrong = read({"AGRAPH_SIGNAL": word, "AGRAPH_STALL_AFTER": "5"})
    assert (settings.signal, settings.stall_after, settings.socket, wrong) == (number, 5, None, [])


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="no real-time signals here")
def test_a_real_time_signal():
    assert read(signal="RTMIN+3")[0].signal == signal.SIGRTMIN + 3


def test_nothing_given_means_the_usual_signal_and_socket():
    settings, wrong = read()
    assert (settings.signal, settings.socket, settings.stall_after) == (signal.SIGUSR2, "", None)
    assert (settings.max_files, wrong) == (50, [])


def test_one_trigger_given_leaves_the_others_out():
    assert read(stall_after=3)[0].signal is None
    assert read({"AGRAPH_SOCKET": "1"})[0].signal is None
    assert read(signal=False)[0].socket == ""


def test_all_triggers_switched_off():
    settings = read(signal=False, socket=False, stall_after=0)[0]
    assert (settings.signal, settings.socket, settings.stall_after) == (None, None, None)


def test_arguments_win(tmp_path):
    environment = {"AGRAPH_SIGNAL": "USR1", "AGRAPH_SOCKET": "on", "AGRAPH_DIRECTORY": "elsewhere"}
    settings = read(environment, signal="USR2", socket=False, directory=tmp_path)[0]
    assert (settings.signal, settings.socket, settings.directory) == (signal.SIGUSR2, None, str(tmp_path))
    assert settings.demanded
    assert not read(environment)[0].demanded


def test_paths_do_not_depend_on_where_the_program_goes_later(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = read(socket="own.sock", directory="out")[0]
    assert (settings.socket, settings.directory) == (str(tmp_path / "own.sock"), str(tmp_path / "out"))
    assert read()[0].directory == str(tmp_path)


@pytest.fixture
def gone(tmp_path, monkeypatch):
    """The current directory is removed."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    yield
    monkeypatch.undo()


def test_a_current_directory_that_is_gone(gone):
    settings, wrong = read({"AGRAPH_DIRECTORY": "here"}, socket="own.sock")
    assert (settings.directory, settings.socket) == ("", "")
    assert [error.message.split(" is ")[0] for error in wrong] == [
        "`socket`",
        "the environment variable AGRAPH_DIRECTORY",
    ]
    assert all("the current directory is gone" in error.message for error in wrong)
    assert read(directory="/out")[0].directory == "/out"
    assert read()[1] == []


def test_a_user_without_a_home(monkeypatch):
    def no_home(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    settings, wrong = read({"AGRAPH_DIRECTORY": "~/out"})
    assert settings == read()[0]
    assert ["has no home directory" in error.message for error in wrong] == [True]


BAD = [
    ("signal", "USR9"),
    ("signal", "999"),
    ("signal", "TERM"),
    ("signal", "KILL"),
    ("signal", "CHLD"),
    ("signal", "-1"),
    ("stall_after", "soon"),
    ("stall_after", "-1"),
    ("stall_after", "nan"),
    ("stall_after", "inf"),
    ("stall_after", "0.01"),
    ("max_files", "0"),
    ("max_files", "many"),
    ("directory", ""),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_wrong_argument_is_an_error(name, value):
    with pytest.raises(AgraphError, match=f"^`{name}` is "):
        read(**{name: value})


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_wrong_variable_is_named_and_left_out(name, value):
    variable = f"AGRAPH_{name.upper()}"
    settings, wrong = read({variable: value})
    assert [variable in error.message for error in wrong] == [True]
    assert settings == read()[0]


def test_every_variable_is_documented(request):
    text = (request.config.rootpath / "docs/how-to/triggers.md").read_text(encoding="utf-8")
    assert [name for name in VARIABLES if name not in text] == []
