"""What there is to say of one file: its analysis, or why there is none. Workers of a scheduler say it too."""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from agraph_cli import __version__
from agraph_cli.commands.reading import Failure, Place, failure, fetch, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph_cli.analysis.model import SnapshotAnalysis


class Unseen(NamedTuple):
    """A file that is not there where a worker looks for it.

    Attributes:
        host: The machine of the worker.
    """

    host: str


Answer: TypeAlias = "SnapshotAnalysis | Failure"

_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
HOW_TO_AGREE = f"pip install agraph-cli=={__version__} for the workers, on Python {_PYTHON}, and restart them"

# This module on a worker, for `eval` there: a worker process of Dask 2026.8 ends when it gets a function of a
# package that it has not, while `eval` fails like any other.
THERE = "__import__('agraph_cli.commands.answers', fromlist=['_'])"

# What is kept at hand of snapshots is for one thread, and a worker may have several.
_ONE_AT_A_TIME = threading.Lock()


def answer(place: Place | Failure) -> Answer:
    """Read and analyse one snapshot.

    Args:
        place: Where it is; or why there is none, which is the answer then.

    Returns:
        Its analysis, or why there is none.
    """
    if isinstance(place, dict):
        return place
    fetched = fetch(place)  # which may take long
    with _ONE_AT_A_TIME:
        return _judged(place, fetched)


def _judged(place: Place, fetched: bytes | Failure | None) -> Answer:
    from agraph import SnapshotError
    from agraph_cli.analysis.judge import analyze_one

    found = load(place, fetched)
    if isinstance(found, dict):
        return found
    try:
        return analyze_one(found, place.path)
    except SnapshotError as error:
        return failure(place.path, str(error), error.help)


def this_agraph() -> str:
    """What has to be the same here and on a worker."""
    return f"agraph-cli {__version__} on Python {_PYTHON}"


def answers_of(batch: bytes, wanted: str) -> bytes:
    """Read and analyse some snapshots, on a worker.

    Args:
        batch: Their places, packed by `agraph.reduction.carry`.
        wanted: What `this_agraph` says where they are wanted.

    Returns:
        The answers, or in their place an `Unseen`, packed likewise.

    Raises:
        RuntimeError: This is another version.
    """
    from agraph.reduction import carried, carry

    if this_agraph() != wanted:
        raise RuntimeError(f"{socket.gethostname()} runs {this_agraph()}, and this is {wanted}")
    places: Sequence[Place] = carried(batch)
    return carry(list(map(_from_afar, places)))


def _from_afar(place: Place) -> Answer | Unseen:
    if not place.url and not os.path.exists(place.at):  # noqa: PTH110 - as in `agraph.load`
        return Unseen(socket.gethostname())
    return answer(place)
