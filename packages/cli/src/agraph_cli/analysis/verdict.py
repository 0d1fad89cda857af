"""The four verdicts, weakest first."""

from __future__ import annotations

from typing import Literal

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
