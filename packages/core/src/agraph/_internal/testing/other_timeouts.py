"""A report for the timeouts of pytest-timeout, which ends tests by itself."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Protocol

from agraph._internal.testing.report import report_now

if TYPE_CHECKING:
    from collections.abc import Callable

# pytest-timeout's thread ends the process; the report has to be there before.
_LEAD_SECONDS = 1.0
_LEAD_SHARE = 0.5

_timers: dict[int, threading.Timer] = {}


class _Item(Protocol):
    @property
    def nodeid(self) -> str: ...

    def add_report_section(self, when: str, key: str, content: str) -> None: ...


def report_before(item: _Item, method: str, seconds: float, title: str) -> None:
    """Report on a test when pytest-timeout ends it. Call it when its timer has just been set.

    With the method `signal` its handler is chained: ours runs first, then its own. With `thread` a timer of
    ours runs out a little before and writes to standard error, which pytest captures and pytest-timeout
    shows.

    Args:
        item: The test.
        method: `signal` or `thread`.
        seconds: The timeout.
        title: What to call the report.
    """
    main = threading.current_thread() is threading.main_thread()
    if method == "signal" and main and hasattr(signal, "SIGALRM"):
        previous = signal.getsignal(signal.SIGALRM)
        if callable(previous):
            signal.signal(signal.SIGALRM, _chained(item, previous, title))
        return
    lead = min(_LEAD_SECONDS, seconds * _LEAD_SHARE)
    timer = threading.Timer(seconds - lead, lambda: _write(item, title))
    timer.name, timer.daemon = "agraph-timeout", True
    _timers[id(item)] = timer
    timer.start()


def forget(item: _Item) -> None:
    """Stop the timer of a test, if it has one."""
    timer = _timers.pop(id(item), None)
    if timer is not None:
        timer.cancel()


def _chained(item: _Item, previous: Callable[[int, Any], object], title: str) -> Callable[[int, Any], None]:
    def handler(number: int, frame: Any) -> None:  # noqa: ANN401
        __tracebackhide__ = True
        # It runs on the loop's thread, between two of its steps or within one, so nothing moves meanwhile.
        item.add_report_section("call", title, report_now())
        previous(number, frame)

    return handler


def _write(item: _Item, title: str) -> None:
    sys.stderr.write(f"\n{title} on {item.nodeid}:\n\n{report_now()}\n")
    sys.stderr.flush()
