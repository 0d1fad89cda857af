"""A process that was prepared to write a snapshot when it gets a signal: send it, and wait for the file."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import agraph
from agraph_cli.attach.model import AttachError, Deadline, Shot, left_out
from agraph_cli.attach.remote import stopped
from agraph_cli.attach.target import PROC, denied

if TYPE_CHECKING:
    from agraph_cli.attach.model import Request
    from agraph_cli.attach.target import Target

_LOOK_SECONDS = 0.02
_DEFAULT = "USR2"


def signal_of(target: Target) -> int | None:
    """The signal that a process was prepared for, as its environment says and the kernel confirms.

    Args:
        target: The process.

    Returns:
        Its number; None when it was not prepared for any.
    """
    word = target.environ.get("AGRAPH_SIGNAL", "").strip().upper().removeprefix("SIG")
    if word in {"ON", "YES", "TRUE"}:
        word = _DEFAULT
    number = int(word) if word.isdecimal() else int(getattr(signal, f"SIG{word}", 0))
    return number if number and _is_caught(target.pid, number) else None


def _is_caught(pid: int, number: int) -> bool:
    with suppress(OSError):
        text = PROC.joinpath(str(pid), "status").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^SigCgt:\t([0-9a-f]+)$", text, flags=re.MULTILINE)
        return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)
    return False


def capture(target: Target, request: Request) -> Shot:
    """Send the signal and read the snapshot that the process writes.

    Args:
        target: The process.
        request: How to capture.

    Returns:
        The snapshot.

    Raises:
        AttachError: It was not prepared, or writes none in time.
    """
    number = signal_of(target)
    if number is None:
        raise AttachError(
            f"process {target.pid} is not prepared for a signal: its AGRAPH_SIGNAL names none, "
            "or none that it handles",
            "start it with `agraph run`",
        )
    own = Path(target.folder, target.environ.get("AGRAPH_DIRECTORY", ""))
    folder = Path(f"{target.root}{own}")
    before = _written(folder, target)
    if target.state == "T":
        raise stopped(target)
    try:
        os.kill(target.pid, number)
    except PermissionError:
        raise denied(target.pid) from None
    except ProcessLookupError:
        raise AttachError(f"process {target.pid} ended before it could be captured") from None
    end = Deadline(request.seconds_to_finish())
    while not (new := sorted(_written(folder, target) - before)):
        if not target.is_alive:
            raise AttachError(f"process {target.pid} ended before it wrote a snapshot")
        if not end.left:
            raise AttachError(f"process {target.pid} got the signal and wrote no snapshot to {folder}")
        time.sleep(_LOOK_SECONDS)
    try:
        snapshot = agraph.load(new[0])
    except (OSError, agraph.SnapshotError) as error:
        raise AttachError(f"what process {target.pid} wrote cannot be read: {new[0]}: {error}") from None
    notes = [f"its own file is {new[0]}", *left_out(request)]
    return Shot(snapshot, f"by itself, when it got {signal.Signals(number).name}", notes)


def _written(folder: Path, target: Target) -> set[Path]:
    """The snapshots of this process in a folder; `save` renames them, so each is whole."""
    return set(folder.glob(f"agraph-*-{target.inner_pid}-*.json.gz"))
