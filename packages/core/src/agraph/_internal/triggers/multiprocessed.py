"""Processes that `multiprocessing` makes: how they begin with what their parent has installed, and end."""

from __future__ import annotations

from multiprocessing import process, util
from typing import TYPE_CHECKING

from agraph._internal.triggers.report import reason_of
from agraph._internal.triggers.say import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.triggers.settings import Settings

_KEY = "agraph"


class _Inherited:
    """Settings that install themselves where they are unpickled: in a child, before it does anything else."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __reduce__(self) -> tuple[Callable[[Settings], _Inherited], tuple[Settings]]:
        return _inherit, (self.settings,)


def _inherit(settings: Settings) -> _Inherited:
    # Only while multiprocessing reads what the parent has sent (`_main` of Lib/multiprocessing/spawn.py).
    if getattr(process.current_process(), "_inheriting", False):
        try:
            from agraph._internal.triggers.install import install_in_child  # noqa: PLC0415 - it imports us

            install_in_child(settings)
        except Exception as error:  # noqa: BLE001 - the child goes on whatever happens to its diagnosis
            say(reason_of(error))
    return _Inherited(settings)


def hand_down(settings: Settings | None) -> None:
    """Let processes that multiprocessing starts afresh (spawn, forkserver) begin with the same triggers.

    A process object gets a copy of the configuration of the process that makes it (`BaseProcess.__init__` of
    Lib/multiprocessing/process.py), and is sent to its child as a pickle.

    Args:
        settings: What to install there; None for nothing.
    """
    configuration = getattr(process.current_process(), "_config", None)
    if isinstance(configuration, dict):
        if settings is None:
            configuration.pop(_KEY, None)
        else:
            configuration[_KEY] = _Inherited(settings)


def end_with(owner: object, close: Callable[[], None]) -> None:
    """Call a function at the end of a process, also of one of multiprocessing.

    Those end by `os._exit`, up to 3.12 past atexit, and forget the finalizers that they begin with; what is
    registered for after a fork is then called (`_bootstrap` of Lib/multiprocessing/process.py).

    Args:
        owner: What the function belongs to: not called any more once that is gone.
        close: The function. It may be called more than once.
    """

    def finalize(_owner: object = None) -> None:
        util.Finalize(None, close, exitpriority=0)

    finalize()
    util.register_after_fork(owner, finalize)
