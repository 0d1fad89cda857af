"""Runs the bank and captures it when told to: `python -P -m agraph_cli.demo.runner`.

The capture is taken by a thread beside the event loop, as a watchdog would, since a hung program cannot be
relied on to run anything of its own. Each line of standard input is a file to save a snapshot to; its end
ends the program.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback

import agraph
from agraph_cli.demo import bank


def obey() -> None:
    """Capture for each line, answer with a line, and end the process when there are no more."""
    try:
        for line in sys.stdin:
            agraph.capture().save(line.rstrip("\n"))
            sys.stdout.write("saved\n")
            sys.stdout.flush()
    except Exception:  # noqa: BLE001 - told to who started this, and then it ends
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # the program hangs: nothing gentler ends it


if __name__ == "__main__":
    threading.Thread(target=obey, name="watchdog", daemon=True).start()
    asyncio.run(bank.main())
