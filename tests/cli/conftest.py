"""What the tests of the command line share."""

import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "helpers"))
sys.path.append(str(Path(__file__).parents[1] / "core" / "support"))  # snapshots made by hand

from golden import CommandLine
from running import hung

from agraph_cli.attach.nudge import nudge


@pytest.fixture
def agraph(monkeypatch, capsys, tmp_path):
    """Run `agraph` in this process, in an empty folder, the same on every machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "AGRAPH_DEBUG", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def folder():
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="ag") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def idle():
    """A process that hangs and may be looked into."""
    with hung("idle") as process:
        failure = nudge(process.pid)
        if failure:
            pytest.skip(f"processes may not be looked into here: {failure}")
        yield process
