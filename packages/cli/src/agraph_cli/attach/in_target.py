"""What runs inside the process that is captured, on Python 3.11 and later.

The text of this file, and a call of `run` or `run_in_thread`, is what `sys.remote_exec` or gdb has the
process execute, in a namespace of its own. It runs between two steps of code that knows nothing of it, so it
takes back all that it changes. What stays: modules of the standard library that it was the first to import,
and our own, under one name in `sys.modules` where no import of the application finds them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from contextlib import suppress
from types import ModuleType
from typing import Any

_PARKED = "_agraph_attached"


def run(
    folder: str,
    digest: str,
    max_tasks: int | None,
    max_seconds: float | None,
    *wishes: str,
) -> None:
    """Capture this process, and leave the snapshot or an error in a folder. Raises nothing.

    Args:
        folder: Where the package `agraph` lies, and where the answer goes.
        digest: Names the version of that package.
        max_tasks: As for `agraph.capture`.
        max_seconds: As for `agraph.capture`.
        wishes: Which of its switches to turn on: `prove`, `locals`. The application may have an `agraph` that
            knows nothing of them.
    """
    begun = time.perf_counter()
    try:
        # Also fails when nobody waits any more: then the folder is gone.
        os.close(os.open(f"{folder}/started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return
    with suppress(OSError):  # so that there is room for it, should the disk fill up
        _write_part(folder, "error", " " * 1024)
    collects, writes = gc.isenabled(), sys.dont_write_bytecode
    gc.disable()
    sys.dont_write_bytecode = True
    try:
        limits = {"max_tasks": max_tasks, "max_seconds": max_seconds}
        wanted: dict[str, Any] = {**limits, **dict.fromkeys(wishes, True)}
        text = _capture(folder, digest, wanted)
        held_ms = (time.perf_counter() - begun) * 1000
        _write(folder, "held_ms", repr(held_ms))
        _write(folder, "snapshot.json", text)
    except Exception as error:  # noqa: BLE001 - told to who asked, not to the application
        _write_error(folder, f"{type(error).__name__}: {error}")
    finally:
        sys.dont_write_bytecode = writes
        if collects:
            gc.enable()


def run_in_thread(folder: str, digest: str, *limits: Any) -> None:  # noqa: ANN401 - arguments of `run`
    """The same in a thread of its own, for a caller that must not be kept waiting. Arguments as for `run`."""
    import _thread
    import threading

    def work() -> None:
        run(folder, digest, *limits)
        # Up to 3.12 such a thread leaves an entry for ever (Lib/threading.py, _DummyThread).
        active: dict[int, Any] = getattr(threading, "_active", {})
        active.pop(_thread.get_ident(), None)

    _thread.start_new_thread(work, ())


def _capture(folder: str, digest: str, wanted: dict[str, Any]) -> str:
    own = sys.modules.get("agraph")
    if own is not None and hasattr(own, "AgraphError") and hasattr(own, "capture"):
        return _text(own, wanted)
    aside = _take_out()
    try:
        return _text(_ours(folder, digest), wanted)
    finally:
        _park(_take_out(), digest)
        sys.modules.update(aside)
        for path in [path for path in sys.path_importer_cache if path.startswith(folder)]:
            sys.path_importer_cache.pop(path, None)


def _text(agraph: Any, wanted: dict[str, Any]) -> str:  # noqa: ANN401 - a module
    snapshot = agraph.capture(**wanted)
    # ASCII only: a file name may hold what UTF-8 has no bytes for.
    return json.dumps(snapshot.to_dict(), separators=(",", ":"))


def _take_out() -> dict[str, ModuleType]:
    """Take `agraph` and what is below it out of the modules that imports find."""
    names = [name for name in sys.modules if name == "agraph" or name.startswith("agraph.")]
    return {name: sys.modules.pop(name) for name in names}


def _park(modules: dict[str, ModuleType], digest: str) -> None:
    """Keep our modules for the next time: loading them is most of what a capture costs."""
    if "agraph._internal.capture" in modules:  # else loading them failed
        parked = ModuleType(_PARKED)
        vars(parked).update(modules=modules, digest=digest)
        sys.modules[_PARKED] = parked


def _ours(folder: str, digest: str) -> ModuleType:
    """Our own `agraph`: the one of the last time, or a new one. `sys.path` is not touched."""
    parked = vars(sys.modules.get(_PARKED, ModuleType(_PARKED)))
    if parked.get("digest") == digest:
        modules: dict[str, ModuleType] = parked["modules"]
        for name, module in modules.items():
            if hasattr(module, "__path__"):
                module.__path__ = [f"{folder}/{name.replace('.', '/')}"]  # the folder of then is gone
        sys.modules.update(modules)
        return modules["agraph"]
    from importlib.util import module_from_spec, spec_from_file_location

    place = f"{folder}/agraph"
    spec: Any = spec_from_file_location("agraph", f"{place}/__init__.py", submodule_search_locations=[place])
    module = module_from_spec(spec)
    sys.modules["agraph"] = module
    spec.loader.exec_module(module)
    return module


def _write(folder: str, name: str, text: str) -> None:
    _write_part(folder, name, text)
    os.replace(f"{folder}/{name}.part", f"{folder}/{name}")  # noqa: PTH105


def _write_part(folder: str, name: str, text: str, mode: str = "w") -> None:
    with open(f"{folder}/{name}.part", mode, encoding="utf-8") as file:  # noqa: PTH123 - pathlib may not be loaded
        file.write(text)


def _write_error(folder: str, text: str) -> None:
    """The answer where there is none, over what was written for it before."""
    with suppress(OSError):
        os.unlink(f"{folder}/snapshot.json.part")  # noqa: PTH108 - half of it may be all that the disk takes
    with suppress(OSError):
        _write_part(folder, "error", text.encode("ascii", "replace").decode()[:1024], "r+")
    with suppress(OSError):
        os.replace(f"{folder}/error.part", f"{folder}/error")  # noqa: PTH105
