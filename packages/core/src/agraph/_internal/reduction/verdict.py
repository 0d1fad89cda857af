"""The four verdicts, weakest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from agraph._internal.model import Snapshot

Verdict = Literal["live", "stalled", "possible", "certain"]

VERDICTS: tuple[Verdict, ...] = ("live", "stalled", "possible", "certain")

EXPLAINED: dict[Verdict, str] = {
    "certain": "It can never proceed: nothing that the rest of the process does can free it.",
    "possible": "It cannot proceed unless somebody helps that the snapshot does not know, or a wait fails.",
    "stalled": "It cannot proceed before a deadline passes: a timeout frees it then.",
    "live": "It can proceed: it runs, is ready to, sleeps, or waits for something outside the process.",
}


def rank(verdict: Verdict) -> int:
    """How bad a verdict is.

    Args:
        verdict: One of `VERDICTS`.

    Returns:
        0 for `live` up to 3 for `certain`.
    """
    return VERDICTS.index(verdict)


def certainty(snapshot: Snapshot, level: int) -> Verdict:
    """The verdict for a level. What was not seen at one instant may never have been: it is not certain.

    Args:
        snapshot: What was reduced.
        level: As in `Levels.level`.

    Returns:
        The verdict.
    """
    return VERDICTS[level if snapshot.capture.consistent else min(level, 2)]


MORE: dict[Verdict, str] = {
    "certain": (
        "Everything that could free the task waits itself, in the end for the task: each of these waits "
        "was read from the interpreter, and each party that could end it is known. A deadlock never goes "
        "away, so it was still there after the capture. The report lists what this rests on: that the "
        "snapshot shows one moment, that nobody but the recorded holders releases a lock, that no other "
        "task, thread or signal handler cancels a task."
    ),
    "possible": (
        "All known parties that could free the task are stuck too, but the snapshot cannot exclude a way "
        "out: an event that anybody may set, a queue that anybody may fill, an edge that was inferred, a "
        "child of `gather` or a `TaskGroup` that may raise, or a capture taken while the program ran."
    ),
    "stalled": (
        "The task is part of a deadlock, or behind one, that a timeout will break (`wait_for`, `timeout()`). "
        "The program goes on then, usually with a TimeoutError and after a delay that somebody noticed."
    ),
    "live": (
        "Nothing keeps the task for ever. It may still wait long: for a silent peer, for a slow executor, "
        "for a timer. Capture twice and compare if you suspect that it never moves."
    ),
}
