"""What a process is, as /proc tells: which Python it runs, as whom, and where it sees its files."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.attach.model import AttachError

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
DELETED = " (deleted)"

_ENDED = {"Z", "X"}

# Names of files that a Python process has mapped, most telling first.
_VERSION = re.compile(
    r"libpython3\.(\d+)|/python3\.(\d+)t?(?: \(deleted\))?$|\.cpython-3(\d+)t?-|/lib/python3\.(\d+)t?/"
)
_INTERPRETER = re.compile(r"(python|pypy)[\d.]*t?$")


@dataclass(frozen=True, slots=True)
class Target:
    """A Python process.

    Attributes:
        pid: Its process id, as we see it.
        inner_pid: Its process id, as it sees it: another one in a container.
        uid: The user it runs as.
        gid: The group it runs as.
        started: When it started, in clock ticks since boot: with the pid it names one process for ever.
        name: What it runs, for people.
        python: Major and minor version of its Python; None when that cannot be told.
        exe: The path of its executable, as it sees it.
        root: Where we see its file system: empty when it is ours.
        has_asyncio: Whether it has loaded asyncio; True also where that cannot be told.
        environ: The environment it was started with; empty when that cannot be read.
    """

    pid: int
    inner_pid: int
    uid: int
    gid: int
    started: int
    name: str
    python: tuple[int, int] | None
    exe: str
    root: str = ""
    has_asyncio: bool = True
    environ: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def version(self) -> str:
        """Its version for people."""
        return "Python" if self.python is None else f"Python {self.python[0]}.{self.python[1]}"

    @property
    def folder(self) -> str:
        """Its current folder, as it sees it."""
        with suppress(OSError):
            return str(PROC.joinpath(str(self.pid), "cwd").readlink())
        return "/"

    @property
    def is_alive(self) -> bool:
        """Whether it still runs: a zombie does not."""
        with suppress(OSError):
            fields = _stat(self.pid)
            return int(fields[19]) == self.started and fields[0] not in _ENDED
        return False

    @property
    def state(self) -> str:
        """What its main thread does, a letter of proc(5): R runs, S sleeps, T is stopped, t is traced."""
        with suppress(OSError):
            return _stat(self.pid)[0]
        return "X"


def look(pid: int) -> Target:
    """Look at a process.

    Args:
        pid: Its process id.

    Returns:
        What it is.

    Raises:
        AttachError: It is gone, is no Python, or may not be looked at.
    """
    if not PROC.joinpath("self/stat").exists():
        raise AttachError(
            "processes can be looked at on Linux only, where /proc is mounted",
            "prepare the program with `agraph run`, and name its socket with --socket",
        )
    try:
        return _look(pid)
    except (FileNotFoundError, ProcessLookupError):
        raise AttachError(f"there is no process {pid}", "`agraph capture --all` shows what runs") from None
    except PermissionError:
        raise denied(pid) from None


def _look(pid: int) -> Target:
    fields = _stat(pid)
    status = _status(pid)
    words = _words(pid)
    if fields[0] in _ENDED:
        raise AttachError(
            f"process {pid} has ended; its parent, process {fields[1]}, has not taken notice yet"
        )
    exe = str(PROC.joinpath(str(pid), "exe").readlink())
    mapped = _mapped(pid)
    version = _version(exe, mapped)
    name = program(words) or os.path.basename(exe)  # noqa: PTH119 - a path elsewhere
    if version is None and not _INTERPRETER.search(exe.removesuffix(DELETED)):
        raise AttachError(f"process {pid} ({name}) is not Python: it runs {exe}")
    uid, gid = (
        int(status["Uid"].split()[3]),
        int(status["Gid"].split()[3]),
    )  # for files: what it opens them as
    root = _root(pid)
    return Target(
        pid=pid,
        inner_pid=int(status.get("NSpid", str(pid)).split()[-1]),
        uid=uid,
        gid=gid,
        started=int(fields[19]),
        name=name,
        python=version,
        exe=exe,
        root=root,
        has_asyncio=_has_asyncio(root, exe, version, mapped),
        environ=_environ(pid),
    )


def denied(pid: int) -> AttachError:
    """Say why a process may not be looked into, and what can be done about it.

    Args:
        pid: Its process id.
    """
    uid = owner(pid)
    if os.geteuid() != 0 and uid not in {None, os.geteuid()}:
        return AttachError(
            f"process {pid} belongs to another user (uid {uid})", f"sudo {' '.join(_ourselves())}"
        )
    with suppress(OSError, ValueError):
        scope = int(PROC.joinpath("sys/kernel/yama/ptrace_scope").read_text(encoding="ascii"))
        if scope == 3:
            return AttachError(
                f"process {pid}: nobody may look into processes here (kernel.yama.ptrace_scope is 3)",
                "prepare the program with `agraph run`: its socket needs no such right",
            )
        if scope and os.geteuid() != 0:
            return AttachError(
                f"process {pid}: kernel.yama.ptrace_scope is {scope}, so only root may look into processes",
                f"sudo {' '.join(_ourselves())}; or, until the next boot, "
                "sudo sysctl kernel.yama.ptrace_scope=0",
            )
    return AttachError(
        f"process {pid} may not be looked into: that needs the capability CAP_SYS_PTRACE",
        "in a container, start it with --cap-add=SYS_PTRACE; or capture from the host, as root, "
        "with the process id that the host shows",
    )


def _ourselves() -> list[str]:
    return ["agraph", *sys.argv[1:]]


def owner(pid: int) -> int | None:
    """The user that a process runs as; None when it is gone."""
    with suppress(OSError, KeyError):
        return int(_status(pid)["Uid"].split()[1])
    return None


def waits_in(pid: int) -> str:
    """The kernel function that the main thread of a process sleeps in; empty when it is not told."""
    with suppress(OSError):
        name = PROC.joinpath(str(pid), "wchan").read_text(encoding="ascii")
        return "" if name == "0" else name
    return ""


def tracer(pid: int) -> int:
    """The process that traces this one (a debugger, strace); 0 for none."""
    with suppress(OSError, KeyError, ValueError):
        return int(_status(pid)["TracerPid"])
    return 0


def open_files(pid: int) -> tuple[int, float]:
    """How many file descriptors a process has open, and may have; 0 and infinity where that is not told."""
    with suppress(OSError, ValueError, AttributeError):
        limits = PROC.joinpath(str(pid), "limits").read_text(encoding="ascii")
        allowed = int(re.search(r"^Max open files\s+(\d+)", limits, flags=re.MULTILINE)[1])  # type: ignore[index]
        return len(os.listdir(PROC / str(pid) / "fd")), allowed  # noqa: PTH208
    return 0, float("inf")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on: the second may hold anything."""
    text = PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()


def _status(pid: int) -> dict[str, str]:
    text = PROC.joinpath(str(pid), "status").read_text(encoding="utf-8", errors="replace")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def _words(pid: int) -> list[str]:
    data = PROC.joinpath(str(pid), "cmdline").read_bytes()
    return [os.fsdecode(word) for word in data.split(b"\0")[:-1]]


def _environ(pid: int) -> dict[str, str]:
    with suppress(OSError):
        data = os.fsdecode(PROC.joinpath(str(pid), "environ").read_bytes())
        return dict(pair.split("=", 1) for pair in data.split("\0") if "=" in pair)
    return {}


def _mapped(pid: int) -> list[str]:
    """The files that a process has mapped."""
    text = PROC.joinpath(str(pid), "maps").read_text(encoding="utf-8", errors="replace")
    return list(dict.fromkeys(line.split(None, 5)[5] for line in text.splitlines() if " /" in line))


def _version(exe: str, mapped: list[str]) -> tuple[int, int] | None:
    found = [match for path in (exe, *mapped) if (match := _VERSION.search(path))]
    for group in range(1, 5):
        for match in found:
            if match[group]:
                return 3, int(match[group])
    return None


def _has_asyncio(root: str, exe: str, version: tuple[int, int] | None, mapped: list[str]) -> bool:
    """Whether its C part is loaded, where that is a file; where it is built in, it cannot be told."""
    if any(os.path.basename(path).startswith("_asyncio.") for path in mapped):  # noqa: PTH119
        return True
    folders = {os.path.dirname(path) for path in mapped if "/lib-dynload/" in path}  # noqa: PTH120
    if version:
        folders.add(f"{Path(exe).parent.parent}/lib/python{version[0]}.{version[1]}/lib-dynload")
    return not any(any(Path(f"{root}{folder}").glob("_asyncio.*")) for folder in folders)


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number that has not ended.

    Args:
        pid: Its process id.
    """
    with suppress(OSError):
        return _stat(pid)[0] not in _ENDED
    return False


def is_python(pid: int) -> bool:
    """Whether a process is a Python that may be looked at.

    Args:
        pid: Its process id.
    """
    try:
        _look(pid)
    except (OSError, AttachError, ValueError, KeyError, IndexError):
        return False
    return True


def _root(pid: int) -> str:
    """Where we see the file system of a process that has another than we; empty for one that has ours."""
    place = f"/proc/{pid}/root"
    theirs, ours = os.stat(place), os.stat("/")  # noqa: PTH116 - as the rest here
    same = (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
    return "" if same and spaces(pid, "mnt") == spaces("self", "mnt") else place


def spaces(pid: int | str, kind: str) -> str:
    """Which namespace a process is in.

    Args:
        pid: The process, or `self`.
        kind: Such as `mnt` or `pid`.
    """
    return str(PROC.joinpath(str(pid), "ns", kind).readlink())


def program(words: list[str]) -> str:
    """What a command line runs: the script or module of a Python, else the program.

    Args:
        words: The command line.
    """
    if not words or not _INTERPRETER.search(words[0]):
        return os.path.basename(words[0]) if words else ""  # noqa: PTH119
    rest = iter(words[1:])
    for word in rest:
        if word == "-m":
            module = next(rest, "")
            return (module == "agraph" and _run_by_us(rest)) or f"-m {module}"
        if word == "-c":
            return "-c ..."
        if word in {"-X", "-W"}:
            next(rest, "")
        elif not word.startswith("-"):
            return os.path.basename(word)  # noqa: PTH119
    return "-"


def _run_by_us(rest: Iterator[str]) -> str:
    """What `python -m agraph run` runs; empty where it runs nothing."""
    if next(rest, "") != "run":
        return ""
    for word in rest:
        if word == "-m":
            return f"-m {next(rest, '')}"
        if word != "--" and word.startswith("-"):  # each option has a value
            if "=" not in word:
                next(rest, "")
        elif word != "--":
            return os.path.basename(word)  # noqa: PTH119
    return ""


def pids() -> list[int]:
    """Every process that there is."""
    with suppress(OSError):
        return sorted(int(name) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208
    return []


def parents() -> dict[int, int]:
    """Of every process, its parent."""
    found: dict[int, int] = {}
    for pid in pids():
        with suppress(OSError, IndexError):
            found[pid] = int(_stat(pid)[1])
    return found


def descendants(pid: int) -> list[int]:
    """The children of a process, their children, and so on, in order of their numbers."""
    by_parent: dict[int, list[int]] = {}
    for child, parent in parents().items():
        by_parent.setdefault(parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = by_parent.get(waiting.pop(), [])
        found += children
        waiting += children
    return sorted(found)


def ancestors(pid: int) -> set[int]:
    """A process, its parent, and so on."""
    up = parents()
    found: set[int] = set()
    while pid in up and pid not in found:
        found.add(pid)
        pid = up[pid]
    return found
