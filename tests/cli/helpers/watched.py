"""Run a program and capture it when told to: `python watched.py PROGRAM`; each line of standard input is a file."""

import os
import runpy
import sys
import threading
import traceback

import agraph


def obey() -> None:
    try:
        for line in sys.stdin:
            agraph.capture().save(line.rstrip("\n"))
            sys.stdout.write("saved\n")
            sys.stdout.flush()
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=obey, name="watchdog", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
