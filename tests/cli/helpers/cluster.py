"""A Dask cluster in processes of its own: says the address of its scheduler, and ends with its standard input.

Worker processes die of a file called `poison.json`, and of one called `once.json` the first time only.
"""

import sys

PRELOAD = """
import os
from agraph_cli.commands import answers

def load(place, fetched, load=answers.load):
    name = os.path.basename(place.at)
    if name == "once.json" and not os.path.exists(place.at + ".met"):
        open(place.at + ".met", "w").close()
        os._exit(1)
    if name == "poison.json":
        os._exit(1)
    return load(place, fetched)

answers.load = load
"""

if __name__ == "__main__":
    import dask
    from distributed import LocalCluster

    dask.config.set({"distributed.scheduler.allowed-failures": 1})
    with LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=None, preload=PRELOAD, silence_logs=50
    ) as cluster:
        sys.stdout.write(f"{cluster.scheduler_address}\n")
        sys.stdout.flush()
        sys.stdin.read()
