"""From what a process answers to a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import agraph
from agraph_cli.attach.model import AttachError

if TYPE_CHECKING:
    from agraph_cli.attach.room import Room
    from agraph_cli.attach.target import Target


def parse(target: Target, data: bytes) -> agraph.Snapshot:
    """Read a snapshot that a process wrote.

    Args:
        target: The process.
        data: What it wrote.

    Raises:
        AttachError: It is none that this version can read.
    """
    try:
        return agraph.loads(data)
    except agraph.SnapshotError as error:
        raise AttachError(
            f"process {target.pid} answered with what cannot be read: {error}", error.help
        ) from None


def read_answer(target: Target, room: Room) -> bytes:
    """What `in_target` left in a room.

    Args:
        target: The process.
        room: The room.

    Raises:
        AttachError: It is an error, or none.
    """
    if room.has("error"):
        said = room.read("error").decode("utf-8", "replace")[:500]
        raise AttachError(f"process {target.pid} could not capture itself: {said}", "try --via unwinder")
    return room.read("snapshot.json")
