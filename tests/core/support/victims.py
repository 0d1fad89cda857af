"""Programs in processes of their own, and what tests do to them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from blocked import until

import agraph

PROGRAMS = Path(__file__).resolve().parents[2] / "programs"
PATIENCE_S = 60
HAS_UNIX = hasattr(socket, "AF_UNIX") and hasattr(signal, "SIGUSR2")


class Victim:
    """A process that has said that it is ready."""

    def __init__(self, process, folder):
        self.process = process
        self.pid = process.pid
        self.folder = folder

    def err(self):
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def files(self):
        return snapshots_in(self.folder)

    def socket(self, pid=None):
        return self.folder / f"agraph-{os.geteuid()}" / f"{pid or self.pid}.sock"


def snapshots_in(folder):
    return sorted(folder.glob("agraph-*.json.gz"))


@contextlib.contextmanager
def victim(folder, *command, **environment):
    """Run a program of `tests/programs` in a folder, until the block ends.

    Args:
        folder: Where it runs, where its sockets are (give one with a short path), and its standard error.
        command: What follows the interpreter.
        environment: Variables that it gets besides ours.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AGRAPH_")}
    with (
        (folder / "stderr").open("wb") as errors,
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=folder,
            env={**inherited, "XDG_RUNTIME_DIR": str(folder), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        limit = threading.Timer(PATIENCE_S, process.kill)
        limit.start()
        one = Victim(process, folder)
        try:
            line = process.stdout.readline()
            assert line == b"ready\n", (line, one.err())
            yield one
        finally:
            limit.cancel()
            process.kill()


def ask(path, request=None):
    """Ask a socket.

    Args:
        path: Its path.
        request: The request; None for that of a capture. Bytes are sent as they are.

    Returns:
        The header of the answer; and the snapshot, None where there is none.
    """
    if not isinstance(request, bytes):
        request = json.dumps(
            request or {"command": "capture", "max_tasks": None, "max_seconds": None}
        ).encode()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        client.connect(str(path))
        with contextlib.suppress(BrokenPipeError):  # it has refused already
            client.sendall(request + b"\n")
        with client.makefile("rb") as answer:
            header = json.loads(answer.readline())
            body = answer.read()
    assert len(body) == header.get("length", 0)
    return header, agraph.loads(body) if body else None


def snapshot_at_signal(one):
    """Send the signal, wait for the file, and read it."""
    before = one.files()
    os.kill(one.pid, signal.SIGUSR2)
    path = until(lambda: [path for path in one.files() if path not in before])[0]
    until(lambda: str(path) in one.err())
    return agraph.load(path)
