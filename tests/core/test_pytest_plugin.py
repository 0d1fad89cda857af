"""The pytest plugin, in real runs of pytest: what hangs ends and says why, what asks for nothing gets nothing."""

import textwrap
import tomllib

import pytest

pytest_plugins = ["pytester"]

HANGS = """
import asyncio, signal, sys, threading, time, unittest
import pytest

async def transfer(own, other, both):
    async with own:
        await both.wait()
        async with other:
            pass

async def deadlock():
    a, b, both = asyncio.Lock(), asyncio.Lock(), asyncio.Barrier(2)
    alice = asyncio.create_task(transfer(a, b, both), name="alice")
    bob = asyncio.create_task(transfer(b, a, both), name="bob")
    await asyncio.gather(alice, bob)
"""

SHORT = "import sys; sys.modules['agraph_cli'] = None  # as if it were not installed\n"

WATCH = "from agraph._internal.testing import watch\n"

# In this order; without any that happens to be installed too, which takes time to load.
PLUGINS = {
    "agraph": "agraph.pytest_plugin",
    "pytest_asyncio": "pytest_asyncio.plugin",
    "anyio": "anyio.pytest_plugin",
    "pytest_timeout": "pytest_timeout",
    "xdist": "xdist.plugin",
}


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs pytest in a process of its own; the arguments are the test file, the options and a conftest."""
    for name in (
        "PYTEST_ADDOPTS",
        "CI",
        "BUILD_NUMBER",
    ):  # with the last two, pytest's summary repeats whole reports
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests, *options, conftest=SHORT, settings="", plugins=()):
        scope = "asyncio_default_fixture_loop_scope = function\n" if "pytest_asyncio" in plugins else ""
        pytester.makeini(f"[pytest]\nfilterwarnings = error\n{scope}{settings}")
        pytester.makeconftest(textwrap.dedent(conftest))
        pytester.makepyfile(test_it=HANGS + textwrap.dedent(tests))
        loaded = [option for name in ("agraph", *plugins) for option in ("-p", PLUGINS[name])]
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *loaded, *options, timeout=100)

    return run


@pytest.fixture
def libraries():
    """The plugins that run async tests."""
    plugins = ("pytest_asyncio", "anyio")
    for name in plugins:
        pytest.importorskip(name)
    return plugins


KINDS = """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.fixture
    async def with_anyio():
        yield
        await asyncio.sleep(0)
        print("torn down: anyio")

    @pytest.mark.asyncio
    async def test_pytest_asyncio():
        await deadlock()

    @pytest.mark.asyncio(loop_scope="module")
    async def test_shared_loop():
        await deadlock()

    @pytest.mark.agraph_timeout(60)
    @pytest.mark.asyncio(loop_scope="module")
    async def test_shared_loop_again():
        await asyncio.wait_for(asyncio.sleep(0.01), 30)

    @pytest.mark.anyio
    async def test_anyio(with_anyio):
        await deadlock()

    class Test(unittest.IsolatedAsyncioTestCase):
        async def test_unittest(self):
            await deadlock()

        async def asyncTearDown(self):
            await asyncio.sleep(0.1)  # it has time of its own
            print("torn down: unittest")

    def test_plain():
        asyncio.run(deadlock())

    @pytest.mark.xfail
    def test_xfail():
        asyncio.run(deadlock())
"""


def test_a_hanging_test_of_any_kind_fails_with_the_short_report(run, libraries):
    result = run(KINDS, "--agraph-timeout", "0.5", "-rA", plugins=libraries)
    result.assert_outcomes(failed=5, passed=1, xfailed=1)
    text = result.stdout.str()
    assert text.count("the test was ended after 0.5 s. Certain deadlock: ") == 5
    assert text.count("task alice waits for lock b at ") == 5
    assert text.count("held by task bob (taken at ") == 5
    assert "torn down: anyio" in text
    assert "torn down: unittest" in text
    assert "CancelledError" not in text


def test_the_full_report_with_the_command_line(run):
    pytest.importorskip("agraph_cli")
    result = run("def test_plain():\n    asyncio.run(deadlock())\n", "--agraph-timeout=0.5", conftest="")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "the test was ended after 0.5 s. Deadlock: alice and bob wait for each other; 1 more task waits behind them.",
            "*held by bob, taken at*test_it.py:5 in transfer",
            "*help: alice and bob take lock a and lock b in different orders*",
        ]
    )


@pytest.mark.parametrize("library", ["asyncio", "anyio"])
def test_fixtures_that_hang_fail_and_the_others_are_torn_down(run, libraries, library):
    result = run(
        f"""
        import pytest_asyncio

        pytestmark = pytest.mark.{library}
        fixture = {"pytest_asyncio" if library == "asyncio" else "pytest"}.fixture

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @fixture
        async def good():
            yield
            await asyncio.sleep(0)
            print("torn down: good")

        @fixture
        async def hangs_at_once(good):
            await deadlock()

        @fixture
        async def hangs_at_last(good):
            yield
            await asyncio.Event().wait()

        async def test_setup(hangs_at_once):
            pass

        class TestTeardown:
            @fixture
            async def itself(self):
                yield self

            async def test_teardown(self, hangs_at_last, itself):
                assert itself is self

        @pytest.mark.agraph_timeout(60)
        async def test_next(good):
            pass
        """,
        "--agraph-timeout=0.5",
        "-s",
        plugins=libraries,
    )
    result.assert_outcomes(errors=2, passed=2)
    text = result.stdout.str()
    assert text.count("torn down: good") == 3
    assert "the setup was ended after 0.5 s. Certain deadlock" in text
    assert "the teardown was ended after 0.5 s. Certain deadlock: " in text
    assert "which nobody can free" in text
    assert "ExceptionGroup" not in text
    assert "traceback entries" not in text


BLOCKED = """
    def test_blocked_loop():
        async def main():
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        asyncio.run(main())

    def test_busy():
        async def main():
            while True: pass
        asyncio.run(main())

    def test_no_loop():
        thread = threading.Thread(target=time.sleep, args=(1000,), daemon=True)
        thread.start()
        thread.join()

    def test_ring_of_tasks():
        async def main():
            async def await_(name):
                await asyncio.sleep(0)
                await tasks[name]
            tasks = {"a": asyncio.create_task(await_("b")), "b": asyncio.create_task(await_("a"))}
            await tasks["a"]
        asyncio.run(main())

    @pytest.mark.agraph_timeout(60)
    def test_that_ends_by_itself():
        time.sleep(0.1)
"""


def test_what_cannot_be_cancelled_is_interrupted(run):
    result = run(BLOCKED, "--agraph-timeout=0.5", conftest=f"{SHORT}{WATCH}watch._TURN_SECONDS = 0.2\n")
    result.assert_outcomes(failed=4, passed=1)
    text = result.stdout.str()
    for line in ("lock.acquire()", "while True:", "thread.join()"):
        assert any(
            'test_it.py", line' in part and line in part for part in text.split("Its thread was here:")
        )
    assert "RecursionError" not in text


def test_a_test_that_swallows_its_cancellation(run):
    result = run(
        """
        def test_swallows():
            async def main():
                for _ in range(3):
                    try:
                        await asyncio.sleep(1000)
                    except asyncio.CancelledError:
                        pass
            asyncio.run(main())

        def test_passes_in_spite_of_it():
            async def main():
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    pass
            asyncio.run(main())
        """,
        "--agraph-timeout=0.5",
        conftest=f"{SHORT}{WATCH}watch._CLEAN_UP_SECONDS = 0.5, 0.5\n",
    )
    result.assert_outcomes(failed=2)


def test_a_test_that_hangs_while_it_cleans_up_leaves_the_next_one_alone(run, libraries):
    result = run(
        """
        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module", autouse=True)
        async def shared(anyio_backend):
            yield  # keeps one runner, and one task of it, for all tests

        async def test_hangs_twice():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.Event().wait()

        async def test_fails_by_itself():
            assert asyncio.current_task().cancelling() == 1
        """,
        "--agraph-timeout=1",
        conftest=f"{SHORT}{WATCH}watch._CLEAN_UP_SECONDS = 0.3, 5.0\n",
        plugins=libraries,
    )
    result.assert_outcomes(failed=2)
    assert "assert 0 == 1\n=====" in result.stdout.str()


def test_a_test_that_cannot_be_ended_ends_the_run_with_the_report(run):
    result = run(
        """
        def test_deaf():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
            time.sleep(1000)
        """,
        "--agraph-timeout=0.5",
        conftest=f"{SHORT}{WATCH}watch._NOTICE_SECONDS = 0.5\n",
    )
    assert result.ret == 1
    result.stderr.fnmatch_lines(["*test_it.py::test_deaf: took longer than 0.5 s and could not be ended*"])
    assert "No deadlock: there are no tasks." in result.stderr.str()


def test_on_uvloop(run):
    pytest.importorskip("uvloop")
    result = run(
        """
        import uvloop

        def run(main):
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main)

        def test_deadlock():
            run(deadlock())

        def test_blocked():
            async def main():
                time.sleep(1000)
            run(main())
        """,
        "--agraph-timeout=0.5",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*Certain deadlock: 3 of 3 tasks can never proceed.", "*time.sleep(1000)"])


def test_marker_before_option_before_ini(run):
    result = run(
        """
        def test_ini(pytestconfig):
            time.sleep(1000)

        @pytest.mark.agraph_timeout(60)
        def test_longer():
            time.sleep(0.7)

        @pytest.mark.agraph_timeout(seconds=0)
        def test_without():
            time.sleep(0.7)

        @pytest.mark.agraph_timeout(0.5)
        def test_while_debugging(pytestconfig):
            pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
            time.sleep(0.7)
        """,
        settings="agraph_timeout = 0.5\n",
    )
    result.assert_outcomes(failed=1, passed=3)
    result.stdout.fnmatch_lines(["agraph timeout: 0.5 s"])


def test_a_mistake_in_the_option_is_said_at_once(run):
    result = run("def test_it(): pass\n", "--agraph-timeout=soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --agraph-timeout: 'soon' is no number of seconds; expected one*"])


def test_a_mistake_in_a_marker_is_said_at_once(run):
    result = run("@pytest.mark.agraph_timeout(-1)\ndef test_it(): pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it.py::test_it: agraph_timeout: -1 is no number of seconds; *"])


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_report_with_the_timeouts_of_pytest_timeout(run, method):
    result = run(
        """
        def test_in_time():
            pass

        def test_hangs():
            asyncio.run(deadlock())
        """,
        "--timeout=2",
        f"--timeout-method={method}",
        plugins=["pytest_timeout"],
    )
    text = result.stdout.str() + result.stderr.str()
    assert result.ret == 1
    assert text.count("Certain deadlock: 3 of 3 tasks can never proceed.") == 1
    if method == "signal":
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(["*Timeout (>2.0s) from pytest-timeout.", "*agraph report*", "Certain*"])
        assert "pytest_plugin.py" not in text


STUCK = """
    import pytest_asyncio

    @pytest_asyncio.fixture
    async def server():
        task = asyncio.create_task(asyncio.Event().wait(), name="server")
        yield
        task.cancel()

    @pytest.mark.asyncio
    async def test_leaves(server, agraph_no_stuck_tasks):
        locked = asyncio.Lock()
        await locked.acquire()
        asyncio.create_task(locked.acquire(), name="waiter")

    @pytest.mark.asyncio
    async def test_clean(server, agraph_no_stuck_tasks):
        asyncio.create_task(asyncio.sleep(1000), name="sleeper")
        asyncio.create_task(asyncio.Event().wait(), name="cancelled").cancel()
        await asyncio.sleep(0)

    class Test(unittest.IsolatedAsyncioTestCase):
        @pytest.mark.usefixtures("agraph_no_stuck_tasks")
        async def test_unittest(self):
            asyncio.create_task(asyncio.Event().wait(), name="waiter")
            await asyncio.sleep(0)

    @pytest.mark.asyncio
    async def test_that_fails_itself(agraph_no_stuck_tasks):
        asyncio.create_task(asyncio.Event().wait(), name="waiter")
        await asyncio.sleep(0)
        assert False, "its own failure"

    @pytest.mark.asyncio
    async def test_not_asked():
        asyncio.create_task(asyncio.Event().wait(), name="waiter")
        await asyncio.sleep(0)

    @pytest.mark.agraph_allow_stuck
    @pytest.mark.asyncio
    async def test_allowed():
        asyncio.create_task(asyncio.Event().wait(), name="waiter")
        await asyncio.sleep(0)
"""


def test_stuck_tasks_left_behind(run, libraries):
    result = run(STUCK, plugins=libraries)
    result.assert_outcomes(failed=3, passed=3)
    text = result.stdout.str()
    assert text.count("The test left 1 stuck task behind:\n  waiter (possible) waits for ") == 2
    assert "  waiter (possible) waits for lock #" in text
    assert "its own failure" in text
    assert "__tracebackhide__" not in text


def test_stuck_tasks_in_every_test(run, libraries):
    result = run(STUCK, plugins=libraries, settings="agraph_check_stuck = true\n")
    result.assert_outcomes(failed=4, passed=2)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_not_asked - StuckTasksError: The test left 1*"])


def test_with_xdist(run):
    result = run(
        """
        @pytest.mark.parametrize("number", range(2))
        def test_hangs(number):
            asyncio.run(deadlock())

        @pytest.mark.agraph_timeout(60)
        def test_fine():
            pass
        """,
        "--agraph-timeout=0.5",
        "-n2",
        plugins=["xdist"],
    )
    result.assert_outcomes(failed=2, passed=1)
    assert result.stdout.str().count("Certain deadlock: 3 of 3 tasks can never proceed.") == 2


def test_without_being_asked_nothing_happens(run):
    result = run(
        """
        def test_it(pytestconfig, request):
            assert pytestconfig.pluginmanager.has_plugin("agraph.pytest_plugin")
            assert not pytestconfig.pluginmanager.has_plugin("agraph-tests")
            assert "agraph._internal.capture" not in sys.modules
            assert not [name for name in sys.modules if name.startswith("agraph._internal.testing")]
            assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
            assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
            assert not hasattr(request.node.obj, "__wrapped__")
        """
    )
    result.assert_outcomes(passed=1)


def test_pytest_finds_it(request):
    text = (request.config.rootpath / "packages/core/pyproject.toml").read_text(encoding="utf-8")
    points = tomllib.loads(text)["project"]["entry-points"]["pytest11"]
    assert points == {"agraph": PLUGINS["agraph"]}
