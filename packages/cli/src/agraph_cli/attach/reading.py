"""From what a process answers to a snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import agraph
from agraph_cli.attach.model import BY_UNWINDER, AttachError, RefusedError

# What the code that we run in the process is said to come from.
OUR_FILE = "<agraph capture>"
_SCRIPT = ("<string>", "<module>")

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


def without_our_frames(snapshot: agraph.Snapshot) -> agraph.Snapshot:
    """Take the frames of `in_target` off the stack that they were run on.

    Args:
        snapshot: What the process answered.
    """
    ours = {index for index, site in enumerate(snapshot.sites) if site.file == OUR_FILE}
    # Below them is one of the script itself, which PyRun_SimpleString gives this name.
    script = {index for index, site in enumerate(snapshot.sites) if (site.file, site.function) == _SCRIPT}
    stacks = tuple(_below(stack, ours, script) for stack in snapshot.stacks) if ours else snapshot.stacks
    return replace(snapshot, stacks=stacks)


def _below(stack: tuple[int, ...], ours: set[int], script: set[int]) -> tuple[int, ...]:
    last = max((position for position, index in enumerate(stack) if index in ours), default=-1)
    rest = stack[last + 1 :]
    if last >= 0 and rest and rest[0] in script:
        rest = rest[1:]
    return rest or stack  # a thread that does nothing else


def read_answer(target: Target, room: Room) -> bytes:
    """What `in_target` left in a room.

    Args:
        target: The process.
        room: The room.

    Raises:
        RefusedError: It is an error.
        AttachError: It is none that can be read.
    """
    if room.has("error"):
        said = room.read("error").decode("utf-8", "replace").strip()[:500] or "it could not write why"
        raise RefusedError(f"process {target.pid} could not capture itself: {said}", BY_UNWINDER)
    return room.read("snapshot.json")
