"""The watchdog writes one snapshot an incident, and none while all is well."""

import asyncio
import contextlib
import errno
import gc
import importlib.util
import threading

import pytest
from blocked import stands_in, until
from victims import HAS_UNIX, PROGRAMS, snapshots_in, victim

import agraph
from agraph._internal.triggers import writer as writer_module
from agraph._internal.triggers.report import Reporter
from agraph._internal.triggers.settings import read_settings
from agraph._internal.triggers.watchdog import Gate, Watchdog
from agraph._internal.triggers.writer import Writer

HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
LOOPS = ["asyncio", pytest.param("uvloop", marks=pytest.mark.skipif(not HAS_UVLOOP, reason="no uvloop"))]
AFTER_S = 5.0


class Rounds:
    """A watchdog whose time the test makes pass."""

    def __init__(self, folder, **options):
        settings, _wrong = read_settings({"directory": folder, "stall_after": AFTER_S, **options}, {})
        self.folder = folder
        self.captures = 0
        self.writer = Writer(settings)
        self.watchdog = Watchdog(AFTER_S, self.take, Reporter(self.writer))

    def take(self):
        self.captures += 1
        return self.writer.take()

    def pass_time(self, seconds, before_each=lambda: None):
        for _ in range(int(seconds)):
            before_each()
            self.watchdog._now += 1
            self.watchdog._next_look = 0  # what a look costs depends on the machine
            self.watchdog._round()
        return snapshots_in(self.folder)


@pytest.fixture
def rounds(tmp_path):
    gc.collect()  # tasks that another test has left are none of this one's
    return Rounds(tmp_path)


@contextlib.contextmanager
def loop_with(*mains):
    """A loop in a thread of its own that runs some coroutines; `turn()` waits until they have had their turn."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="service", daemon=True)
    thread.start()

    async def begin():
        return [asyncio.ensure_future(main()) for main in mains]

    async def settle():
        for _ in range(20):
            await asyncio.sleep(0)

    def turn():
        asyncio.run_coroutine_threadsafe(settle(), loop).result(60)

    tasks = asyncio.run_coroutine_threadsafe(begin(), loop).result(60)
    turn()
    try:
        yield turn
    finally:

        async def end():
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def deadlock():
    first, second = asyncio.Lock(), asyncio.Lock()
    met = asyncio.Barrier(2)

    async def take(one, other):
        async with one:
            await met.wait()
            async with other:
                pass

    return (lambda: take(first, second)), (lambda: take(second, first))


def test_a_deadlock_is_written_once(rounds, capfd):
    with loop_with(*deadlock()) as turn:
        assert rounds.pass_time(AFTER_S, turn) == []
        files = rounds.pass_time(3, turn)
        assert len(files) == 1
        assert rounds.pass_time(1000, turn) == files
        # looked at again as it grows older, but ever less often
        assert 1 < rounds.captures < 12
    said = capfd.readouterr().err
    assert said.startswith("agraph: 2 tasks can never go on; 2 tasks in all: agraph analyze ")
    assert said.count("\n") == 1
    assert len(agraph.load(files[0]).tasks) == 2


def test_a_second_deadlock_is_another_incident(rounds):
    with loop_with(*deadlock()) as turn:
        assert len(rounds.pass_time(10, turn)) == 1
        with loop_with(*deadlock()) as turn_other:

            def both():
                turn()
                turn_other()

            assert len(rounds.pass_time(30, both)) == 2
            assert len(rounds.pass_time(300, both)) == 2


def test_idle_waits_are_normal(rounds):
    """Workers wait for a queue, one with a lock held; others for an event, a future, and a sleep."""
    lock = asyncio.Lock()
    queue, stop = asyncio.Queue(), asyncio.Event()

    async def worker():
        async with lock:
            await queue.get()

    async def supervisor():
        async with asyncio.TaskGroup() as group:
            group.create_task(stop.wait())
            await stop.wait()

    mains = (worker, worker, stop.wait, supervisor, lambda: asyncio.sleep(10_000))
    with loop_with(*mains) as turn:
        assert rounds.pass_time(1000, turn) == []
        assert 0 < rounds.captures < 15


def test_a_deadlock_that_a_timeout_ends_is_left_to_it(rounds):
    first, second = deadlock()

    async def limited():
        async with asyncio.timeout(1000):
            await first()

    with loop_with(limited, second) as turn:
        assert rounds.pass_time(100, turn) == []


def test_what_moves_is_not_looked_at_closely(rounds):
    queue, lock = asyncio.Queue(maxsize=1), asyncio.Lock()

    async def produce():
        while True:
            async with lock:
                await queue.put(None)
            await asyncio.sleep(0)

    async def consume():
        while True:
            await queue.get()
            await asyncio.sleep(0)

    with loop_with(produce, produce, produce, consume) as turn:
        assert rounds.pass_time(200, turn) == []
        assert rounds.captures == 0


def test_sleepers_and_peers_are_not_looked_at_closely(rounds):
    reading = []

    async def read(reader):
        reading.append(reader)
        await reader.readline()

    async def echo(reader, writer):
        await read(reader)
        writer.close()

    async def client():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                await read(reader)
            finally:
                writer.close()

    with loop_with(lambda: asyncio.sleep(10_000), client) as turn:
        until(lambda: len(reading) == 2)
        turn()
        assert rounds.pass_time(200, turn) == []
        assert rounds.captures == 0


def test_nothing_of_the_application_is_kept_alive(rounds):
    import weakref

    refs = []

    async def wait():
        future = asyncio.get_running_loop().create_future()
        refs.extend((weakref.ref(future), weakref.ref(asyncio.current_task())))
        await future

    with loop_with(wait) as turn:
        rounds.pass_time(20, turn)
        assert rounds.captures
        assert all(ref() is not None for ref in refs)
    turn = None
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_a_hung_loop_is_written_once(rounds, capfd):
    release = threading.Event()

    async def block():
        await asyncio.sleep(0.01)
        release.wait(60)

    try:
        blocked = threading.Thread(target=lambda: asyncio.run(block()), name="service")
        blocked.start()
        until(lambda: stands_in(blocked, "wait"))
        files = rounds.pass_time(8)
        assert len(files) == 1
        assert rounds.pass_time(100) == files
    finally:
        release.set()
        blocked.join()
    said = capfd.readouterr().err
    assert "agraph: the event loop of thread service has not turned for " in said
    assert said.count("\n") == 1


def test_time_in_which_the_whole_process_stood_still_does_not_count(rounds):
    watchdog = rounds.watchdog
    watchdog.tick(100.0)
    watchdog.tick(101.0)
    before = watchdog._now
    watchdog.tick(5000.0)
    assert watchdog._now - before <= 2


def test_the_gaps_between_files_grow():
    gate, now, gaps, last = Gate(5.0), 0.0, [], 0.0
    for _ in range(40_000):
        now += 1
        if gate.is_open(now):
            gate.passed(now)
            gaps.append(now - last)
            last = now
    assert gaps[:6] == [1, 5, 10, 20, 40, 80]
    assert max(gaps) == 3600
    # long after the last incident the next is the first again
    now += 36_000
    assert gate.is_open(now)
    gate.passed(now)
    assert gate.is_open(now + 5)


def test_the_oldest_files_are_deleted(tmp_path, capfd):
    others = [tmp_path / "agraph-notes.json.gz", tmp_path / "snapshot.json.gz"]
    for path in others:
        path.write_bytes(b"mine")
    settings, _wrong = read_settings({"directory": tmp_path, "max_files": 3}, {})
    reporter = Reporter(Writer(settings))
    for _ in range(6):
        reporter.on_demand()
    numbers = [path.name.split("-")[-1] for path in snapshots_in(tmp_path) if path not in others]
    assert numbers == ["4.json.gz", "5.json.gz", "6.json.gz"]
    assert all(path.exists() for path in others)


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.skipif(not HAS_UNIX, reason="no place of its own for a user here")
def test_a_directory_that_cannot_be_written_to(runtime, capfd):
    (runtime / "file").write_text("")
    rounds = Rounds(runtime / "file" / "below")
    snapshot = rounds.take()
    reporter = Reporter(rounds.writer)
    for _ in range(2):
        assert reporter.write(snapshot, "a hang")
    said = capfd.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in said] == [
        f"{runtime}/file/below cannot be written to",
        "a hang",
        "a hang",
    ]
    (folder,) = runtime.glob("agraph-*")
    assert len(snapshots_in(folder)) == 2


def test_a_full_disk_is_said_once_and_never_raised(runtime, capfd, monkeypatch):
    def full(snapshot, path, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(path.parent))

    monkeypatch.setattr(writer_module, "save", full)
    rounds = Rounds(runtime / "out")
    reporter = Reporter(rounds.writer)
    snapshot = rounds.take()
    for _ in range(3):
        assert not reporter.write(snapshot, "a hang")
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device" in said
    assert list((runtime / "out").iterdir()) == []


def test_a_failure_of_the_watchdog_ends_neither_it_nor_the_program(tmp_path, capfd, monkeypatch):
    rounds = []

    def fail(self):
        rounds.append(1)
        raise RuntimeError("no such luck")

    monkeypatch.setattr(Watchdog, "_round", fail)
    agraph.install(stall_after=0.1, directory=tmp_path)
    try:
        until(lambda: len(rounds) > 2)
    finally:
        agraph.uninstall()
    assert capfd.readouterr().err == "agraph: the watchdog could not look: RuntimeError: no such luck\n"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("sleeping", "the event loop of thread MainThread has not turned for "),
        ("deadlocked_elsewhere", "2 tasks can never go on, 2 more behind"),
    ],
)
def test_a_process_that_hangs(tmp_path, state, sentence, loop):
    with victim(tmp_path, PROGRAMS / "waiting.py", state, VICTIM_LOOP=loop, AGRAPH_STALL_AFTER="0.5") as one:
        # On a busy machine a loop may be late by that much before it hangs: that is another incident.
        until(lambda: sentence in one.err())
        assert agraph.load(one.files()[-1]).process.pid == one.pid
