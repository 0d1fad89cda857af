"""Run a program as the interpreter itself would: `python script.py`, `python -m module`."""

from __future__ import annotations

import functools
import importlib.machinery
import io
import os
import runpy
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_MAY_HAVE: dict[str, object] = {"__annotations__": {}, "__cached__": None}


def run_module(name: str, arguments: Sequence[str]) -> None:
    """Run a module as `python -m` does.

    Args:
        name: Its name.
        arguments: What it finds in `sys.argv[1:]`.
    """
    # The first entry of sys.path is that of `-m` already: this interpreter runs `-m agraph`.
    sys.argv[:] = ["-m", *arguments]
    _new_main()
    # What Modules/main.c calls for `-m`; it finds the module, says in its words if there is none, and runs it
    # in `__main__`.
    _without_our_frames(runpy._run_module_as_main, name)  # type: ignore[attr-defined]


def source_of(path: str) -> bytes | None:
    """Read a script; None for a directory or archive with a `__main__.py`.

    Args:
        path: The script.

    Raises:
        OSError: It cannot be read.
    """
    from pkgutil import get_importer  # noqa: PLC0415 - only here

    if get_importer(path) is not None:  # something on `sys.path` could import from it
        return None
    with io.open_code(os.path.abspath(path)) as file:  # noqa: PTH100 - it takes no relative one
        return file.read()


def run_script(path: str, source: bytes | None, arguments: Sequence[str]) -> None:
    """Run a script as `python path` does.

    Args:
        path: Its path.
        source: What `source_of` returned.
        arguments: What it finds in `sys.argv[1:]`.
    """
    sys.argv[:] = [path, *arguments]
    main = _new_main()
    # Not made shorter: tracebacks show it. The current directory may be gone; not every path needs it.
    full = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH117, PTH118
    if source is None:
        # An archive has to be on the path whatever `-P` says: its `__main__` is imported from there.
        if sys.flags.safe_path:
            sys.path.insert(0, full)
        _set_first_path(full)
        _without_our_frames(runpy._run_module_as_main, "__main__", False)  # type: ignore[attr-defined]
        return
    _set_first_path(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120
    loader = importlib.machinery.SourceFileLoader("__main__", full)
    vars(main).update(__file__=full, __loader__=loader)
    _without_our_frames(_execute, source, full, vars(main))


def _execute(source: bytes, path: str, namespace: dict[str, Any]) -> None:
    exec(compile(source, path, "exec", dont_inherit=True), namespace)  # noqa: S102 - what it is for


def _set_first_path(directory: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = directory


def _new_main() -> types.ModuleType:
    """A `__main__` like that of a new interpreter, in place of agraph's own."""
    own = vars(sys.modules["__main__"])
    main = types.ModuleType("__main__")
    vars(main).update(__builtins__=sys.modules["builtins"])
    # Which of these there are depends on the version.
    vars(main).update({name: value for name, value in _MAY_HAVE.items() if name in own})
    sys.modules["__main__"] = main
    return main


def _without_our_frames(run: Callable[..., object], *arguments: object) -> None:
    """Run something, and let tracebacks start with what it runs.

    An exception goes through, so that the interpreter ends as it would: with the exit code of SystemExit, or
    by SIGINT after a KeyboardInterrupt. Only what `sys.excepthook` is shown begins later.
    """
    try:
        run(*arguments)
    except BaseException as error:
        sys.excepthook = functools.partial(
            _show, (error, _beyond_our_frames(error.__traceback__)), sys.excepthook
        )
        raise


def _show(
    known: tuple[BaseException, types.TracebackType | None],
    hook: Callable[..., object],
    kind: type[BaseException],
    value: BaseException,
    traceback: types.TracebackType | None,
) -> None:
    error, shown = known
    if value is error:
        value.__traceback__ = traceback = shown
    hook(kind, value, traceback)


def _beyond_our_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback
