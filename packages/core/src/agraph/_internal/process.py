"""Which process this is: enough to tell it from every other, on this host or another."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from agraph._internal.model import Process


def this_process() -> Process:
    """The running process."""
    argv = getattr(sys, "argv", None) or [""]
    return Process(
        host=platform.node(),
        boot_id=_boot_id(),
        pid=os.getpid(),
        started=_started(),
        argv0=str(argv[0]),
        python=platform.python_version(),
        implementation=platform.python_implementation(),
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# What does not change is read once: the files cannot be opened when there is no descriptor left.
_boot_ids: set[str] = set()
_starts: dict[int, float] = {}


def _boot_id() -> str:
    if not _boot_ids:
        _boot_ids.update(filter(None, [_read("/proc/sys/kernel/random/boot_id").strip()]))
    return next(iter(_boot_ids), "")


def _started() -> float | None:
    pid = os.getpid()  # another one after a fork
    if pid not in _starts:
        found = _read_start()
        if found is None:
            return None
        _starts[pid] = found
    return _starts[pid]


def _read_start() -> float | None:
    """Start of this process in seconds since the epoch; proc(5): field 22 of stat, btime of /proc/stat."""
    after_name = _read("/proc/self/stat").rpartition(")")[2].split()
    boot = next(
        (line.split()[1] for line in _read("/proc/stat").splitlines() if line.startswith("btime ")), None
    )
    if len(after_name) < 20 or boot is None:
        return None
    return int(boot) + int(after_name[19]) / os.sysconf("SC_CLK_TCK")
