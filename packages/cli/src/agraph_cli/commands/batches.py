"""Files in batches for the workers of a Dask scheduler, and their answers as they come."""

from __future__ import annotations

import os
import queue
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from agraph.reduction import carried, carry
from agraph_cli import terminal
from agraph_cli.analysis.names import plural
from agraph_cli.commands.answers import HOW_TO_AGREE, THERE, Unseen, this_agraph
from agraph_cli.commands.reading import Place, failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph_cli.commands.answers import Answer
    from agraph_cli.commands.reading import Failure

# A task costs the scheduler a millisecond, and a small file costs a worker about as much.
_MOST_FILES = 250
# So many batches for each thread of the workers: all of them are busy until shortly before the end.
_ROUNDS = 4
# So long a cluster may take to start a worker when it has none.
_WORKER_SECONDS = 60.0
_LOOK_SECONDS = 5.0

_MORE_MEMORY = "give the workers more memory, or analyze these files without --scheduler"
_NOT_SHARED = "name a folder that the workers have under the same path, or a URL that they can read"
_AGAIN = "see that the scheduler and its workers run, then start this command again"


class _GoneError(Exception):
    """The cluster does no more."""


class Batches:
    """The files that workers read."""

    def __init__(self, client: Any, found: Sequence[Place | Failure]) -> None:  # noqa: ANN401 - has no types
        """Hand them to the scheduler.

        Args:
            client: The client of the scheduler.
            found: The files, and what is none.
        """
        self._client, self._found = client, found
        self._left: dict[str, list[int]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._had_worker = time.monotonic()
        self._alike: dict[str, tuple[str, list[int]]] = {}
        far = [number for number, place in enumerate(found) if _is_far(place)]
        self._futures = self._submit(far) if far else []

    def kept(self) -> Iterator[tuple[int, Place | Failure]]:
        """What only this process can read, or is no file, with its number."""
        return ((number, place) for number, place in enumerate(self._found) if not _is_far(place))

    def _submit(self, far: list[int]) -> list[Any]:
        threads = sum(self._client.nthreads().values())
        if not threads:
            terminal.say("note: the scheduler has no worker yet; waiting for one")
        size = min(max(len(far) // (_ROUNDS * max(threads, 1)), 1), _MOST_FILES)
        numbers = [far[at : at + size] for at in range(0, len(far), size)]
        wanted = this_agraph()
        calls = [
            {"batch": carry([_absolute(self._found[number]) for number in batch]), "wanted": wanted}
            for batch in numbers
        ]
        # Not pure: the same names may stand for other files than a minute ago.
        futures: list[Any] = self._client.map(
            eval, [f"{THERE}.answers_of(batch, wanted)"] * len(calls), calls, key="agraph-analyze", pure=False
        )
        for future, batch in zip(futures, numbers, strict=True):
            self._left[future.key] = batch
            future.add_done_callback(self._done.put)
        return futures

    def answers(self) -> Iterator[tuple[int, Answer]]:
        """The answers, with the numbers of the files; for a batch that failed, one with that of its first."""
        while self._left:
            try:
                future = self._next()
                answers = self._result(future)
            except _GoneError as error:
                rest = sorted(number for batch in self._left.values() for number in batch)
                yield rest[0], self._not_read(rest, str(error), _AGAIN)
                break
            if answers is not None:
                del self._left[future.key]
                future.release()
                yield from answers
        for help_text, (reason, numbers) in self._alike.items():
            yield min(numbers), self._not_read(sorted(numbers), reason, help_text)

    def _next(self) -> Any:  # noqa: ANN401 - a future of Dask
        while True:
            try:
                future = self._done.get(timeout=min(_LOOK_SECONDS, _WORKER_SECONDS))
            except queue.Empty:
                self._look_for_workers()
            else:
                return future

    def _look_for_workers(self) -> None:
        try:
            some = self._client.status == "running" and self._client.nthreads()
        except Exception as error:
            raise _GoneError("the scheduler is gone") from error
        if some:
            self._had_worker = time.monotonic()
        elif self._client.status != "running":
            raise _GoneError("the scheduler is gone")
        elif time.monotonic() - self._had_worker > _WORKER_SECONDS:
            raise _GoneError(f"the scheduler had no worker for {_WORKER_SECONDS:g} seconds")

    def _result(self, future: Any) -> list[tuple[int, Answer]] | None:  # noqa: ANN401 - as above
        """The answers of a batch; None where it is to be done once more."""
        batch = self._left[future.key]
        try:
            data: bytes = future.result(timeout=_WORKER_SECONDS)
        except TimeoutError:  # its worker went away with the result
            self._look_for_workers()
            self._done.put(future)
            return None
        except CancelledError:
            raise _GoneError("the scheduler is gone, or the work was cancelled there") from None
        except Exception as error:  # noqa: BLE001 - whatever a worker raises
            reason, help_text = _why(error)
            if help_text != HOW_TO_AGREE:
                return [(batch[0], self._not_read(batch, reason, help_text))]
            self._fails_alike(batch, reason, help_text)
            return []
        answers = []
        for number, one in zip(batch, carried(data), strict=True):
            if isinstance(one, Unseen):
                self._fails_alike([number], f"the worker on {one.host} has no such file", _NOT_SHARED)
            else:
                answers.append((number, one))
        return answers

    def _fails_alike(self, numbers: list[int], reason: str, help_text: str) -> None:
        """Keep what is no fault of a file, and may be the same for each: it is told once."""
        self._alike.setdefault(help_text, (reason, []))[1].extend(numbers)

    def _not_read(self, numbers: Sequence[int], reason: str, help_text: str) -> Failure:
        first, last = self._path(numbers[0]), self._path(numbers[-1])
        which = f"; not read: {plural(len(numbers), 'file')}, to {last}" if numbers[1:] else ""
        return failure(first, f"{reason}{which}", help_text)

    def _path(self, number: int) -> str:
        place = self._found[number]
        return place.path if isinstance(place, Place) else place["path"]


def _is_far(place: Place | Failure) -> bool:
    return isinstance(place, Place) and not place.here


def _absolute(place: Place | Failure) -> Place | Failure:
    if isinstance(place, dict) or place.url:
        return place
    return place._replace(at=os.path.abspath(place.at))  # noqa: PTH100 - for ten thousand


def _why(error: Exception) -> tuple[str, str]:
    if type(error).__name__ == "KilledWorker":
        return "each worker that began on it was lost, perhaps for want of memory", _MORE_MEMORY
    if isinstance(error, (ImportError, AttributeError)) or "agraph-cli" in str(error):
        return f"a worker cannot do it: {error}", HOW_TO_AGREE
    return f"a worker failed with {type(error).__name__}: {error}", "analyze these files without --scheduler"
