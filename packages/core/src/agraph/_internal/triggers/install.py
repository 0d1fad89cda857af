"""`agraph.install()` and `agraph.uninstall()`: the triggers of this process."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

from agraph._internal.errors import AgraphError
from agraph._internal.triggers import ahead, multiprocessed
from agraph._internal.triggers.report import Reporter, reason_of
from agraph._internal.triggers.say import say
from agraph._internal.triggers.server import SocketTrigger
from agraph._internal.triggers.settings import read_settings
from agraph._internal.triggers.signals import SignalTrigger
from agraph._internal.triggers.watchdog import Watchdog
from agraph._internal.triggers.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.triggers.settings import Settings


def install(
    *,
    signal: str | int | None = None,
    socket: str | os.PathLike[str] | bool | None = None,
    stall_after: float | None = None,
    directory: str | os.PathLike[str] | None = None,
    max_files: int | None = None,
) -> None:
    """Let this process write snapshots when it is asked to, or when it hangs.

    What is not given is taken from the environment: AGRAPH_SIGNAL, AGRAPH_SOCKET, AGRAPH_STALL_AFTER,
    AGRAPH_DIRECTORY, AGRAPH_MAX_FILES. If that switches no trigger on either, these are: the signal USR2, and
    the socket in its usual place. `False`, and `off` in the environment, switch a trigger off.

    A second call replaces what the first has installed. Children of `os.fork` and of `multiprocessing` have
    the same triggers.

    Args:
        signal: Write a snapshot at this signal: `"USR2"`, `"SIGUSR2"` or a number. A handler that was there
            before is called as well.
        socket: Answer with a snapshot on a Unix socket: True for the usual place, which `agraph capture PID`
            finds, or a path.
        stall_after: Write a snapshot when a loop has not turned for so many seconds, or tasks of a deadlock
            have not moved for so many seconds.
        directory: Where snapshots are written; without it, the current directory at this moment.
        max_files: How many snapshots of the triggers are kept in that directory; 50 without it.

    Raises:
        AgraphError: An argument is wrong, or a signal is asked for outside of the main thread. What is wrong
            with the environment or the machine is said on standard error instead, and the rest is installed.
    """
    arguments: dict[str, object] = {
        "signal": signal,
        "socket": socket,
        "stall_after": stall_after,
        "directory": directory,
        "max_files": max_files,
    }
    settings, wrong = read_settings(arguments, os.environ)
    in_main = threading.current_thread() is threading.main_thread()
    if settings.signal is not None and not in_main and settings.demanded:
        raise AgraphError(
            "a signal can only be taken in the main thread, and this is another",
            help="call agraph.install() in the main thread, or with signal=False",
        )
    uninstall()
    for error in wrong:
        say(f"{reason_of(error)}. It is ignored")
    _be_ready()
    _State.hook()
    _State.current = Triggers(settings)
    _State.current.start(in_main=in_main)
    multiprocessed.hand_down(settings)
    multiprocessed.end_with(_State.current, _State.at_exit)


def uninstall() -> None:
    """Take back what `install` has installed: the handler, the socket, the threads. Does nothing without it.

    Called outside of the main thread, it leaves a signal handler that only calls the one before it.
    """
    current, _State.current = _State.current, None
    if current is not None:
        multiprocessed.hand_down(None)
        current.stop()
        ahead.give()


class Triggers:
    """The triggers of one process."""

    def __init__(self, settings: Settings, parent: Triggers | None = None, *, forked: bool = False) -> None:
        self._settings = settings
        self._writer = Writer(settings)
        self._reporter = Reporter(self._writer)
        self._signal: SignalTrigger | None = None
        if parent is not None:
            self._signal = parent._signal  # its handler is installed
        elif settings.signal is not None:
            self._signal = SignalTrigger(settings.signal)
        place, after = settings.socket, settings.stall_after
        forked = forked or parent is not None
        self._socket = None if place is None else SocketTrigger(place, self._writer.take, forked=forked)
        self._watchdog = None if after is None else Watchdog(after, self._writer.take, self._reporter)

    def start(self, *, in_main: bool) -> None:
        """Start them; what the machine does not allow is said, not raised."""
        if self._signal is not None and not in_main:
            say("a signal can only be taken in the main thread: call agraph.install() there")
            self._signal = None
        if self._signal is not None:
            _attempt(self._signal.start, self._reporter.on_demand)
            _attempt(self._signal.take_over)
        if self._socket is not None:
            _attempt(self._socket.start)
        if self._watchdog is not None:
            _attempt(self._watchdog.start)

    def in_child(self) -> Triggers:
        """The same in the child of a fork, which has copied neither threads nor locks that can be used."""
        self._writer.restore_after_fork()
        ahead.restore_after_fork()
        if self._socket is not None:
            self._socket.close_inherited()
        child = Triggers(self._settings, self)
        if child._signal is not None:
            _attempt(child._signal.start, child._reporter.on_demand)
        if child._socket is not None:
            _attempt(child._socket.start_soon)
        if child._watchdog is not None:
            _attempt(child._watchdog.start)
        return child

    def stop(self) -> None:
        """Take everything back."""
        for trigger in (self._watchdog, self._socket, self._signal):
            if trigger is not None:
                trigger.stop()

    def close(self) -> None:
        """At the end of the process: leave no socket behind."""
        if self._socket is not None:
            self._socket.stop()


class _State:
    """What is installed in this process."""

    current: Triggers | None = None
    hooked = False

    @classmethod
    def hook(cls) -> None:
        """Have the end of this process and its forks looked after; this cannot be taken back."""
        if not cls.hooked:
            cls.hooked = True
            atexit.register(cls.at_exit)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=cls.in_child)

    @classmethod
    def at_exit(cls) -> None:
        if cls.current is not None:
            cls.current.close()

    @classmethod
    def in_child(cls) -> None:
        if cls.current is not None:
            cls.current = cls.current.in_child()
            multiprocessed.end_with(cls.current, cls.at_exit)


def install_in_child(settings: Settings) -> None:
    """Install in a process that multiprocessing has started, as its parent has.

    Args:
        settings: Those of the parent.
    """
    _be_ready()
    _State.hook()
    _State.current = Triggers(settings, forked=True)
    _State.current.start(in_main=threading.current_thread() is threading.main_thread())
    multiprocessed.hand_down(settings)
    multiprocessed.end_with(_State.current, _State.at_exit)


def _be_ready() -> None:
    """Have what a snapshot needs before it is needed."""
    _attempt(ahead.load)
    ahead.fill()


def _attempt(step: Callable[..., None], *arguments: object) -> None:
    try:
        step(*arguments)
    except Exception as error:  # noqa: BLE001 - the program goes on whatever happens to its diagnosis
        say(reason_of(error))
