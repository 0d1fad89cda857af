"""`agraph` and `python -m agraph_cli`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_IMPATIENCE_S = 3.0


def main() -> None:
    """Run the command line."""
    code = 130
    try:
        import signal  # here, so that Ctrl-C meanwhile is one like any other

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _Interrupts().come)
        from agraph_cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        pass
    if code == 130:  # else one more while the interpreter ends would be what it ends by
        import signal

        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


class _Interrupts:
    """Ctrl-C. Who presses it twice means it once: the second would break off the cleaning up."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def come(self, _number: int, _frame: FrameType | None) -> None:
        import time

        now = time.monotonic()
        if now - self._last > _IMPATIENCE_S:
            self._last = now
            raise KeyboardInterrupt


if __name__ == "__main__":
    main()
