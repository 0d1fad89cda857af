"""A loop that waits for nothing: found when one of our own threads captures, and only then."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from proving import verdicts_in

import agraph

PROGRAM = """
import asyncio, os, signal, sys, threading, time
import agraph
EVENT = asyncio.Event()

def handles(*_):
    EVENT.set()

async def sleeps():
    await asyncio.sleep(3600)

async def main():
    asyncio.current_task().set_name("main")
    loop = asyncio.get_running_loop()
    kind = sys.argv[1]
    if kind == "timer":
        loop.call_later(3600, EVENT.set)
    elif kind == "cancelled timer":
        loop.call_later(3600, EVENT.set).cancel()
    elif kind == "loop that does not run":
        other = asyncio.new_event_loop()
    elif kind == "sleeper":
        kept = asyncio.create_task(sleeps())
    elif kind == "thread":
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    elif kind == "executor":
        loop.run_in_executor(None, time.sleep, 3600)
    elif kind == "reader":
        loop.add_reader(os.pipe()[0], EVENT.set)
    elif kind == "signal":
        signal.signal(signal.SIGUSR1, handles)
    elif kind == "signal of the loop":
        loop.add_signal_handler(signal.SIGUSR1, EVENT.set)
    elif kind == "subprocess":
        await asyncio.create_subprocess_exec("sleep", "30")
    await EVENT.wait()

agraph.install(socket=sys.argv[2])
if sys.argv[1] == "other thread":
    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    time.sleep(3600)
elif sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""
SECONDS = 30


@contextmanager
def started(kind, place):
    command = [sys.executable, "-c", PROGRAM, kind, place]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, 9)


def ask(place):
    """A snapshot over the socket; None as long as nobody listens."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        try:
            client.connect(place)
        except OSError:
            return None
        client.sendall(b'{"command": "capture"}\n')
        with client.makefile("rb") as stream:
            assert json.loads(stream.readline())["ok"]
            return agraph.Snapshot.from_dict(json.load(stream))


def settled(kind, place, *, idle):
    """The snapshot once `main` waits for the event, and, where that is expected, the loop is in its selector."""
    end = time.monotonic() + SECONDS
    snapshot = None
    with started(kind, place):
        while time.monotonic() < end:
            snapshot = ask(place)
            events = [node for node in snapshot.nodes if node.kind == "event"] if snapshot else []
            if events and (not idle or (events[0].detail or {}).get("proved")):
                return snapshot
            time.sleep(0.01)
    return snapshot


@pytest.mark.parametrize("kind", ["nothing", "cancelled timer", "loop that does not run"])
def test_nothing_can_ever_happen(kind, tmp_path):
    snapshot = settled(kind, str(tmp_path / "s"), idle=True)
    assert verdicts_in(snapshot) == {"main": "certain"}
    (event,) = (node for node in snapshot.nodes if node.kind == "event")
    assert event.detail["proved"] == "idle"
    assert "nothing wakes the loop" in snapshot.format()


ALIVE = ["timer", "sleeper", "thread", "executor", "reader", "signal", "signal of the loop", "subprocess"]


@pytest.mark.parametrize("kind", [*ALIVE, "other thread"])
def test_something_may_happen(kind, tmp_path):
    snapshot = settled(kind, str(tmp_path / "s"), idle=False)
    assert verdicts_in(snapshot)["main"] in ("possible", "live")
    assert "proved" not in str(snapshot.to_dict())


def test_another_loop_is_not_known_to_be_idle(tmp_path):
    pytest.importorskip("uvloop")
    snapshot = settled("uvloop", str(tmp_path / "s"), idle=False)
    assert verdicts_in(snapshot)["main"] == "possible"
