"""Which process a snapshot is of, where many are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import same_process

if TYPE_CHECKING:
    from agraph import Process


class Processes:
    """Numbers for processes. The start of one may differ a little between snapshots, as clocks are set."""

    def __init__(self) -> None:
        """None is known."""
        self._known: dict[tuple[str, str, int], list[tuple[Process, int]]] = {}
        self._count = 0

    def number(self, process: Process) -> int:
        """The number of a process; a new one when it was not met before."""
        alike = self._known.setdefault((process.host, process.boot_id, process.pid), [])
        for other, number in alike:
            if same_process(other, process):
                return number
        self._count += 1
        alike.append((process, self._count))
        return self._count
