"""A folder that the target sees and nobody else: what it runs lies there, and what it answers."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agraph_cli.attach.model import AttachError

if TYPE_CHECKING:
    from types import TracebackType

    from agraph_cli.attach.target import Target

_MAX_BYTES = 2 * 1024**3


class Room:
    """The folder, there as long as the `with` block lasts.

    Attributes:
        outside: Where we see it.
        inside: Where the target sees it.
        digest: Names the version of the package `agraph` in it.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.outside = Path()
        self.inside = ""
        self.digest = ""

    def __enter__(self) -> Room:  # noqa: PYI034 - typing.Self costs an import
        """Make the folder and put the package in it.

        Raises:
            AttachError: The target has no folder that we can write to.
        """
        self.outside, self.inside = self._made()
        try:
            core = _core()
            shutil.copytree(
                core, self.outside / "agraph", ignore=shutil.ignore_patterns("schema", "py.typed")
            )
            self.digest = _digest(core)
            self._give()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.outside, ignore_errors=True)

    def _made(self) -> tuple[Path, str]:
        reasons = []
        given = self._target.environ.get("TMPDIR", "")
        folders = [given] if given.startswith("/") else []
        for folder in (*folders, "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - looked at from the target's side
            try:
                made = tempfile.mkdtemp(prefix="agraph-", dir=f"{self._target.root}{folder}")
            except OSError as error:
                reasons.append(f"{folder}: {error.strerror}")
            else:
                return Path(made), made.removeprefix(self._target.root)
        raise AttachError(
            f"process {self._target.pid} has no temporary folder to write to ({'; '.join(reasons)})",
            "give it one: in a container, --tmpfs /tmp",
        )

    def _give(self) -> None:
        """Make it the target's own, where we are somebody else."""
        if os.geteuid() == 0 and (self._target.uid, self._target.gid) != (0, 0):
            for at, folders, files in os.walk(self.outside):
                for name in (".", *folders, *files):
                    os.chown(Path(at, name), self._target.uid, self._target.gid)

    def put(self, name: str, text: str) -> str:
        """Write a file.

        Args:
            name: Its name.
            text: What is in it.

        Returns:
            Where the target sees it.
        """
        path = self.outside / name
        path.write_text(text, encoding="utf-8")
        if os.geteuid() == 0:
            os.chown(path, self._target.uid, self._target.gid)
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
