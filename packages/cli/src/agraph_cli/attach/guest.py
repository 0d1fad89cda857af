"""Run the executable of the target where it lives, and as root not with all rights of root."""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from agraph_cli.attach.target import DELETED, spaces

if TYPE_CHECKING:
    from types import TracebackType

    from agraph_cli.attach.target import Target

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_KEPT_CAPABILITIES = {1, 19}  # CAP_DAC_OVERRIDE and CAP_SYS_PTRACE of capabilities(7)


class Guest:
    """What a new process does before it becomes a Python that is not ours.

    Attributes:
        is_needed: Whether there is anything to do.
    """

    def __init__(self, target: Target, *, foreign: bool) -> None:
        """Look at what will be run.

        Args:
            target: The process.
            foreign: Whether its own executable will be run, and not one that we were to run anyway.
        """
        self._target = target
        self._root = bool(target.root) and foreign
        self._is_root = os.geteuid() == 0
        self.is_needed = foreign and (self._root or self._is_root)
        self._trusted = _is_roots(f"{target.root}{target.exe.removesuffix(DELETED)}")
        self._other_pids = self._root and spaces(target.pid, "pid") != spaces("self", "pid")
        self._other_files = self._root and spaces(target.pid, "mnt") != spaces("self", "mnt")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._opened: list[int] = []

    def __enter__(self) -> Guest:  # noqa: PYI034 - typing.Self costs an import
        if self._root:
            for name in ("ns/pid", "ns/mnt", "root"):
                self._opened.append(os.open(f"/proc/{self._target.pid}/{name}", os.O_RDONLY))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._opened:
            os.close(handle)

    def enter(self) -> None:
        """Enter the target's file system and process numbers, and give up rights."""
        if self._root:
            pids, files, folder = self._opened
            if self._other_pids:
                self._join(pids)
            if self._other_files:
                self._join(files)
            os.fchdir(folder)
            os.chroot(".")
        if self._is_root:
            self._give_up()
        if self._other_pids:
            self._go_on_as_child()

    def _join(self, namespace: int) -> None:
        if self._libc.setns(namespace, 0) != 0:  # os.setns is there since 3.12
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def _give_up(self) -> None:
        """What others can write is run as the target's user, the rest with few rights of root."""
        for capability in set(range(64)) - _KEPT_CAPABILITIES:
            self._libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        if self._target.uid != 0 and not self._trusted:
            os.setgroups([])
            os.setgid(self._target.gid)
            os.setuid(self._target.uid)

    def _go_on_as_child(self) -> None:
        """Only children are in a process namespace that was joined."""
        child = os.fork()
        if child:
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # subprocess waits for the end of one of them
            _, status = os.waitpid(child, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _is_roots(path: str) -> bool:
    with suppress(OSError):
        found = os.stat(path)  # noqa: PTH116
        return found.st_uid == 0 and not found.st_mode & 0o022
    return False
