"""Keep Ctrl-C and other requests to end waiting while something is cleaned up."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# SIGHUP comes when a terminal or an ssh session closes.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Clean up on SIGTERM and SIGHUP too: `timeout 20 agraph capture ...` sends the first."""
    before: dict[int, Any] = {}
    interrupt = signal.getsignal(signal.SIGINT)
    if not callable(interrupt):  # ignored: a shell starts what runs in its background like that
        interrupt = signal.default_int_handler
    for number in SIGNALS:
        # Under nohup SIGHUP is ignored, and remains so.
        if number != signal.SIGINT and signal.getsignal(number) != signal.SIG_IGN:
            with suppress(ValueError):  # not in the main thread
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off the signals that end us until the block has ended; they interrupt the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}
    for number in SIGNALS:
        if callable(signal.getsignal(number)):
            before[number] = signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
