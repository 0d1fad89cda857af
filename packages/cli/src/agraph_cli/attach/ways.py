"""Which way to take to a process, and which one when that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.attach import debugger, prepared, remote, signalled, unwinder
from agraph_cli.attach.model import BY_UNWINDER, AttachError, NotAnsweredError, RefusedError
from agraph_cli.attach.one_at_a_time import alone_with
from agraph_cli.attach.room import Room

if TYPE_CHECKING:
    from agraph_cli.attach.model import Request, Shot
    from agraph_cli.attach.target import Target


def capture(target: Target, request: Request) -> Shot:
    """Capture a process.

    With `auto`: over its socket, where it has one; else from Python 3.14 on by its own main thread; where
    that may not be asked, by a signal that it was prepared for; or else by reading its memory. gdb is only
    used when asked for.

    Args:
        target: The process.
        request: How to capture.

    Returns:
        The snapshot, and how it was taken.

    Raises:
        AttachError: It cannot be captured this way, or not at all.
    """
    if request.via == "signal":
        return signalled.capture(target, request)
    if request.via == "socket":
        return _over_socket(target, request)
    if request.via != "auto":
        return _from_outside(target, request)
    note = ""
    if prepared.socket_of(target, request) is not None:
        try:
            return _over_socket(target, request)
        except AttachError as error:
            note = error.message
    try:
        shot = _unprepared(target, request)
    except AttachError as error:
        raise AttachError("; ".join(filter(None, (note, error.message))), error.hint) from None
    if note:
        shot.notes.append(note)
    return shot


def _over_socket(target: Target, request: Request) -> Shot:
    path = prepared.socket_of(target, request)
    if path is None:
        raise AttachError(
            f"process {target.pid} ({target.name}) has no socket: it was not prepared",
            "start it with `agraph run`, or name its socket with --socket",
        )
    return prepared.over_socket(target, request, path)


def _from_outside(target: Target, request: Request) -> Shot:
    if request.via == "unwinder":
        return unwinder.capture(target, request)
    if request.via == "remote":
        return _by_itself(target, request)
    with alone_with(target, request), Room(target) as room:
        return debugger.capture(target, request, room)


def _by_itself(target: Target, request: Request) -> Shot:
    remote.check(target)
    with alone_with(target, request), Room(target) as room:
        return remote.capture(target, request, room)


def _unprepared(target: Target, request: Request) -> Shot:
    if target.python is not None and target.python >= remote.FIRST_PYTHON:
        try:
            return _by_itself(target, request)
        except AttachError as error:
            return _otherwise(target, request, error)
    if signalled.signal_of(target) is not None:
        return signalled.capture(target, request)
    raise AttachError(
        f"process {target.pid} ({target.name}) runs {target.version} and was not prepared: "
        "before Python 3.14 a process cannot be asked from outside",
        "--via gdb captures it all the same, where there is gdb; next time start it with `agraph run`, "
        "or have it call agraph.install()",
    )


def _otherwise(target: Target, request: Request, reason: AttachError) -> Shot:
    """Capture a process that could not be asked. A main thread that does not run handles no signal either."""
    may_answer = isinstance(reason, RefusedError) or not isinstance(reason, NotAnsweredError)
    if may_answer and signalled.signal_of(target) is not None:
        try:
            shot = signalled.capture(target, request)
        except NotAnsweredError as error:
            reason = error
        except AttachError as error:
            message = f"{reason.message}; and {error.message}"
            reason = type(reason)(message, reason.hint)
        else:
            shot.notes.append(reason.message)
            return shot
    if isinstance(reason, NotAnsweredError):
        return _read(target, request, reason)
    raise reason


def _read(target: Target, request: Request, reason: NotAnsweredError) -> Shot:
    try:
        shot = unwinder.capture(target, request, reason.message)
    except AttachError as error:
        raise AttachError(f"{reason.message}; and {error.message}", reason.hint) from None
    shot.notes.append(reason.message)
    if reason.hint and reason.hint != BY_UNWINDER:
        shot.notes.append(f"for the locks: {reason.hint}")
    return shot
