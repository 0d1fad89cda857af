"""What is asked for, what comes back, and the error that says why nothing did."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from agraph import Snapshot

Via = Literal["auto", "socket", "remote", "unwinder", "signal", "gdb"]
VIAS: tuple[Via, ...] = get_args(Via)


class AttachError(Exception):
    """A process could not be captured.

    Attributes:
        message: What is wrong, in one sentence.
        hint: What to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotAnsweredError(AttachError):
    """The process does not run anything for us now; its memory can still be read."""


class RefusedError(NotAnsweredError):
    """It does not run what comes from outside, but may do what it was prepared for."""


BY_UNWINDER = "try --via unwinder"


@dataclass(frozen=True, slots=True)
class Request:
    """How to capture.

    Attributes:
        via: The way, or `auto`.
        timeout: For how many seconds to wait for an answer.
        max_tasks: As for `agraph.capture`.
        max_seconds: As for `agraph.capture`.
        nudge: Whether a process that sleeps in its event loop may be woken.
        socket: The path of its socket, where it is not in the usual place.
        prove: As for `agraph.capture`.
        with_locals: What is called `locals` there.
    """

    via: Via = "auto"
    timeout: float = 10.0
    max_tasks: int | None = None
    max_seconds: float | None = 30.0
    nudge: bool = True
    socket: str | None = None
    prove: bool = False
    with_locals: bool = False

    def seconds_to_finish(self) -> float:
        """How long a capture that has begun may take: what is read must also be written."""
        return self.timeout + 2 * (self.max_seconds or 300.0)


_TAKES = "that takes --via socket, remote or gdb"


def left_out(request: Request) -> list[str]:
    """What a way that takes no wishes has not done.

    Args:
        request: What was wished for.

    Returns:
        A note for each.
    """
    proved = [f"nothing was proved: {_TAKES}"] if request.prove else []
    return [*proved, *([f"no local variables were read: {_TAKES}"] if request.with_locals else [])]


@dataclass(slots=True)
class Shot:
    """One snapshot of one process.

    Attributes:
        snapshot: The snapshot.
        how: How it was taken, as the end of "captured ...".
        notes: What else there is to say of that, a sentence each.
    """

    snapshot: Snapshot
    how: str
    notes: list[str] = field(default_factory=list)


class Deadline:
    """A point in time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it has passed."""
        return max(self._end - time.monotonic(), 0.0)
