"""Golden files: exit code, standard output and standard error of a command line, together.

`AGRAPH_UPDATE_GOLDEN=1 pytest tests/cli` writes them anew; look at the difference before you commit it.
"""

import io
import os
import shlex
import sys
from pathlib import Path

import pytest

from agraph_cli.app import run

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "cli"


class CommandLine:
    """Runs `agraph` in this process, in an empty folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        self.code = 0
        self.out = ""
        self.err = ""
        self.line = ""

    def __call__(self, line: str, stdin: bytes = b"") -> "CommandLine":
        """Run a command line; what it wrote is in `code`, `out` and `err` then."""
        self.line = line
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self.capsys.readouterr()
        self.code = run(shlex.split(line))
        self.out, self.err = self.capsys.readouterr()
        return self

    def transcript(self) -> str:
        """Everything about the run, as text."""
        parts = [f"$ agraph {self.line}", f"exit code: {int(self.code)}"]
        for name, text in (("stdout", self.out), ("stderr", self.err)):
            parts.append(f"----- {name} -----\n{text}" if text else f"----- {name}: empty")
        return "\n".join(part.rstrip("\n") for part in parts) + "\n"

    def is_golden(self, name: str) -> None:
        """Compare with, or write, a golden file."""
        golden(name, self.transcript())


def golden(name: str, text: str) -> None:
    """Compare a text with, or write it to, a golden file."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("AGRAPH_UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"{path.name} does not exist: run with AGRAPH_UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8")
