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
        boot_id=_read("/proc/sys/kernel/random/boot_id").strip(),
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


def _started() -> float | None:
    """Start of this process in seconds since the epoch; proc(5): field 22 of stat, btime of /proc/stat."""
    after_name = _read("/proc/self/stat").rpartition(")")[2].split()
    boot = next(
        (line.split()[1] for line in _read("/proc/stat").splitlines() if line.startswith("btime ")), None
    )
    if len(after_name) < 20 or boot is None:
        return None
    return int(boot) + int(after_name[19]) / os.sysconf("SC_CLK_TCK")
