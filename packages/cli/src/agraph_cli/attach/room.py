"""A folder that the target sees and nobody else: what it runs lies there, and what it answers."""

from __future__ import annotations

import compileall
import errno
import hashlib
import importlib.util
import os
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.attach.interrupts import uninterrupted
from agraph_cli.attach.model import AttachError, RefusedError

if TYPE_CHECKING:
    from types import TracebackType

    from agraph_cli.attach.target import Target

_MAX_BYTES = 2 * 1024**3
_REMOVALS = 10
_FOLDER = os.O_RDONLY | os.O_DIRECTORY


class Room:
    """The folder, there as long as the `with` block lasts.

    It is used by its descriptor, and so are the folders above it where root works for somebody else: who owns
    a folder can put a link in its place at any time.

    Attributes:
        inside: Where the target sees it.
        outside: Where we see it.
        digest: Names the version of the package `agraph` in it.
        is_for_another: Whether root made it for somebody who is not root here.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.is_for_another = os.geteuid() == 0 and (target.uid != 0 or bool(target.root))
        self._parent = self._own = -1
        self._name = ""
        self.inside = ""
        self.outside = Path()
        self.digest = ""

    def __enter__(self) -> Room:  # noqa: PYI034 - typing.Self costs an import
        """Make the folder and put the package in it.

        Raises:
            RefusedError: The target has no folder that we can write to, or no room in any.
        """
        core = _core()
        self.digest = _digest(core)
        reasons = []
        given = self._target.environ.get("TMPDIR", "")
        folders = [given] if given.startswith("/") else []
        for folder in dict.fromkeys([*folders, "/tmp", "/var/tmp", "/dev/shm"]):  # noqa: S108 - looked at from the target's side
            try:
                self._make(folder)
                self._fill(core)
            except OSError as error:
                self._remove()
                reasons.append(f"{folder}: {_reason_of(error)}")
            except BaseException:
                self._remove()
                raise
            else:
                return self
        raise RefusedError(
            f"process {self._target.pid} has no temporary folder to write to ({'; '.join(reasons)})",
            "give it one: in a container, --tmpfs /tmp",
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        with uninterrupted():
            for _ in range(_REMOVALS if self._name else 0):
                shutil.rmtree(self._name, ignore_errors=True, dir_fd=self._parent)
                if self._name not in os.listdir(self._parent):  # noqa: PTH208 - by its descriptor
                    break
                time.sleep(0.02)  # a target that we no longer wait for may be writing its answer there
            for handle in (self._own, self._parent):
                if handle >= 0:
                    os.close(handle)
            self._name, self._own, self._parent = "", -1, -1

    def _make(self, folder: str) -> None:
        with uninterrupted():
            self._parent = self._opened(folder)
            self._name = Path(tempfile.mkdtemp(prefix="agraph-", dir=f"/proc/self/fd/{self._parent}")).name
            self._own = os.open(self._name, _FOLDER | os.O_NOFOLLOW, dir_fd=self._parent)
            self.outside = Path(f"/proc/self/fd/{self._own}")
            self.inside = f"{folder.rstrip('/')}/{self._name}"

    def _fill(self, core: Path) -> None:
        place = self.outside / "agraph"
        shutil.copytree(core, place, ignore=self._unneeded)
        if self._target.python == sys.version_info[:2]:
            compileall.compile_dir(place, quiet=2)
        self._give()

    def _unneeded(self, _folder: str, names: list[str]) -> set[str]:
        """What the target has no use for: what other versions of Python have compiled takes megabytes."""
        own = ".cpython-{}{}.".format(*self._target.python or (0, 0))
        compiled = {name for name in names if name.endswith(".pyc") and own not in name}
        return compiled | {"schema", "py.typed"}.intersection(names)

    def _opened(self, folder: str) -> int:
        if not self.is_for_another:
            return os.open(f"{self._target.root}{folder}", _FOLDER)
        handle = os.open(self._target.root or "/", _FOLDER)
        try:
            for part in Path(folder).parts[1:]:
                self._check_way(handle)
                handle, above = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle), handle
                os.close(above)
            self._check_way(handle)
            found = os.fstat(handle)
            if not found.st_mode & stat.S_ISVTX and (found.st_uid != 0 or found.st_mode & 0o022):
                raise PermissionError(errno.EPERM, "others can replace files in it")
        except OSError:
            os.close(handle)
            raise
        return handle

    def _check_way(self, handle: int) -> None:
        """Raise unless the target may enter a folder: root may have started it, with a TMPDIR of root."""
        found, target = os.fstat(handle), self._target
        owns, shares = found.st_uid == target.uid, found.st_gid == target.gid
        bit = stat.S_IXUSR if owns else stat.S_IXGRP if shares else stat.S_IXOTH
        if target.uid != 0 and not found.st_mode & bit:
            raise PermissionError(errno.EACCES, f"uid {target.uid} may not enter it")

    def _give(self) -> None:
        """Make it the target's own, where we are somebody else; the folder last, as from then on it is."""
        if self.is_for_another:
            for at, folders, files in os.walk(self.outside):
                for name in (*folders, *files):
                    os.chown(Path(at, name), self._target.uid, self._target.gid, follow_symlinks=False)
            os.fchown(self._own, self._target.uid, self._target.gid)

    def put(self, name: str, text: str) -> str:
        """Write a file that is not there yet.

        Args:
            name: Its name.
            text: What is in it.

        Returns:
            Where the target sees it.

        Raises:
            RefusedError: It cannot be written.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(name, flags, 0o600, dir_fd=self._own), "w", encoding="utf-8") as file:
                file.write(text)
                if self.is_for_another:
                    os.fchown(file.fileno(), self._target.uid, self._target.gid)
        except OSError as error:
            raise RefusedError(f"{self.inside} cannot be written to: {_reason_of(error)}") from None
        return f"{self.inside}/{name}"

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return self.outside.joinpath(name).exists()

    def read(self, name: str) -> bytes:
        """Read what the target wrote: it is not trusted, so no link is followed and no device opened.

        Args:
            name: The name of the file.

        Raises:
            AttachError: It is no such file.
        """
        with suppress(OSError):
            handle = os.open(self.outside / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                found = os.fstat(handle)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size <= _MAX_BYTES:
                    return file.read()
        raise AttachError(f"process {self._target.pid} left no answer that can be read")


def _reason_of(error: OSError) -> str:
    if isinstance(error, shutil.Error) and error.args and error.args[0]:  # what `copytree` has gathered
        return str(error.args[0][0][-1]).partition(": ")[0]
    return error.strerror or str(error)


def _core() -> Path:
    spec = importlib.util.find_spec("agraph")
    if spec is None or spec.origin is None:
        raise AttachError("the package `agraph` has no folder here", "install agraph-core as files")
    return Path(spec.origin).parent


def _digest(core: Path) -> str:
    seen = hashlib.sha256()
    for path in sorted(core.rglob("*.py")):
        seen.update(f"{path.relative_to(core)}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:16]
