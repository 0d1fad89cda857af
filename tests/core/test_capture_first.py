"""The first capture of a process, which imports what a capture needs."""

import subprocess
import sys


def prints(program):
    """What a program writes, run in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def test_its_pause_is_said_with_what_it_imports():
    program = """
import time, agraph
began = time.perf_counter()
snapshot = agraph.capture()
print(snapshot.capture.pause_ms / 1000 / (time.perf_counter() - began))
"""
    (share,) = prints(program)
    assert 0.8 < float(share) <= 1


def test_after_install_it_imports_nothing_and_neither_does_its_report():
    program = """
import sys, agraph
agraph.install(signal=False, socket=False)
before = set(sys.modules)
snapshot = agraph.capture(prove=True)
snapshot.format(), snapshot.to_dict()
print(*[name for name in set(sys.modules) - before if name.startswith("agraph")], "end")
"""
    assert prints(program) == ["end"]


def test_after_install_a_finalizer_at_the_end_of_the_process_may_capture():
    program = """
import agraph
class Late:
    def __del__(self):
        print(agraph.capture().format() != "")
agraph.install(signal=False, socket=False)
late = Late()
late.itself = late
del late
"""
    assert prints(program) == ["True"]
