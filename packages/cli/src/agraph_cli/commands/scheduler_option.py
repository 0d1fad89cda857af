"""`--scheduler` of `agraph analyze`: the workers of a running Dask scheduler read and analyse the files."""

from __future__ import annotations

import importlib
import logging
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agraph_cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph_cli.commands.answers import Answer
    from agraph_cli.commands.reading import Failure, Place

SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Let the workers of a running Dask scheduler read and analyse the files.",
        rich_help_panel="How to run",
    ),
]

_CONNECT_SECONDS = 10


def ask(address: str, found: Sequence[Place | Failure]) -> Iterator[Answer]:
    """Have files read and analysed by the workers of a Dask scheduler.

    Args:
        address: That of the scheduler.
        found: Where the snapshots are, and where there are none.

    Yields:
        The answers, in the same order. What no worker could do is a failure; it may stand for many files.

    Raises:
        CommandError: Dask is not installed, the scheduler cannot be reached, or its workers have another
            agraph.
    """
    from agraph_cli.commands.answers import answer
    from agraph_cli.commands.batches import Batches

    answers: dict[int, Answer] = {}
    with _connected(address) as client:
        _compare_versions(client)
        batches = Batches(client, found)
        answers.update((number, answer(place)) for number, place in batches.kept())
        answers.update(batches.answers())
    for number in range(len(found)):
        if number in answers:
            yield answers.pop(number)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client that says nothing by itself: what goes wrong is told in the words of this command."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _client(address) as client:
                yield client
        finally:
            logging.disable(before)


def _client(address: str) -> Any:  # noqa: ANN401 - its types are not there where it is not installed
    if not address.strip():  # that would start a cluster
        raise CommandError("--scheduler: the address is empty", hint="such as tcp://host:8786")
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        missing = (error.name or "").partition(".")[0] in {"distributed", "dask"}
        reason = "Dask is not installed" if missing else f"Dask cannot be imported: {error}"
        raise CommandError(f"--scheduler: {reason}", hint="pip install 'agraph-cli[dask]'") from None
    client = distributed.Client.__new__(distributed.Client)  # to be closed where __init__ fails
    try:
        client.__init__(address, timeout=_CONNECT_SECONDS, set_as_default=False, name="agraph")
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        with suppress(Exception):
            client.close()
        raise CommandError(
            f"--scheduler: cannot reach a Dask scheduler at {address}: {_why(error)}",
            hint="give the address that `dask scheduler` printed when it started, such as tcp://host:8786",
        ) from None
    return client


def _why(error: BaseException) -> str:
    waited = f"no answer in {_CONNECT_SECONDS} seconds" if isinstance(error, OSError) else ""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, MemoryError):  # a web server's answer, say, is taken for a message of that length
        return "what answers is something else"
    reason = getattr(error, "strerror", None) or str(error)
    if waited and (not reason or "Timed out" in reason):
        return waited
    return f"{waited}: {reason}" if waited else reason or type(error).__name__


def _compare_versions(client: Any) -> None:  # noqa: ANN401 - as above
    from agraph_cli.analysis.names import plural
    from agraph_cli.commands.answers import HOW_TO_AGREE, THERE, this_agraph

    said: dict[str, object] = client.run(eval, f"{THERE}.this_agraph()", on_error="return")
    others = [(worker, they) for worker, they in said.items() if they != this_agraph()]
    if others:
        worker, they = others[0]
        has = they if isinstance(they, str) else f"no agraph-cli like this one ({they})"
        count = f"; {len(others)} of {plural(len(said), 'worker')} cannot be used" if others[1:] else ""
        message = f"--scheduler: the worker {worker} has {has}, and this is {this_agraph()}{count}"
        raise CommandError(message, hint=HOW_TO_AGREE)
