"""The pytest plugin: a test that hangs ends, fails, and says why; so does one that leaves stuck tasks behind.

pytest loads it by the entry point of `agraph-core`. Without an option, a marker or the fixture it does
nothing. How to use it: docs/how-to/pytest.md.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from _pytest.outcomes import Failed

    from agraph._internal.testing.leftover import Leftover
    from agraph._internal.testing.watch import Watch
else:
    Failed = pytest.fail.Exception

__all__: list[str] = []

_SECTION = "agraph report"
_MARKERS = (
    "agraph_timeout(seconds): end the setup, the test or the teardown that takes longer; 0 for no limit",
    "agraph_allow_stuck: let this test leave stuck tasks behind, whatever agraph_check_stuck says",
)


class HungTestError(Failed, Exception):
    """A test was ended because it took too long.

    It is an `Exception` besides, because older versions of anyio's plugin pass only those on.
    """

    __module__ = "builtins"  # as pytest does it, for short names in its summary


class StuckTasksError(Failed, Exception):
    """A test left stuck tasks behind."""

    __module__ = "builtins"  # as pytest does it, for short names in its summary


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("agraph", "why async tests hang (agraph)")
    group.addoption(
        "--agraph-timeout",
        metavar="SECONDS",
        help="End a setup, test or teardown that takes longer, fail it, and report what it waited for.",
    )
    parser.addini("agraph_timeout", "The same as --agraph-timeout, in seconds; 0 for no limit.", default="")
    parser.addini(
        "agraph_check_stuck",
        "Fail each test that leaves stuck tasks behind (the fixture agraph_no_stuck_tasks for all tests).",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    _default_seconds(config)  # so that a mistake shows at once


def pytest_report_header(config: pytest.Config) -> str | None:
    seconds = _default_seconds(config)
    return f"agraph timeout: {seconds:g} s" if seconds else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to work if any test asks for it."""
    every = _default_seconds(session.config) > 0 or bool(session.config.getini("agraph_check_stuck"))
    if (every and session.items) or any(_asks(item) for item in session.items):
        session.config.pluginmanager.register(_Tests(), "agraph-tests")


@pytest.fixture
def agraph_no_stuck_tasks() -> None:
    """Fail the test if it leaves tasks behind that are stuck: certain or possible deadlocks.

    They are looked for when the test function has returned, before other fixtures end. Tasks that were there
    before, those of fixtures for example, and tasks that can proceed do not count.
    """


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, object, object]:  # noqa: ANN401
    """Add a report to what pytest-timeout says. Its hook; called only for tests that have such a timeout."""
    from agraph._internal.testing.other_timeouts import report_before  # noqa: PLC0415

    result = yield
    report_before(item, settings.method, settings.timeout, _SECTION)
    return result


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> Generator[None, object, object]:
    """The test ended in time: nothing is to be reported."""
    from agraph._internal.testing.other_timeouts import forget  # noqa: PLC0415

    forget(item)
    return (yield)


def _asks(item: pytest.Item) -> bool:
    return _seconds(item) > 0 or _checks(item)


def _default_seconds(config: pytest.Config) -> float:
    option = config.getoption("agraph_timeout")
    where = "agraph_timeout in the configuration" if option is None else "--agraph-timeout"
    return _number(config.getini("agraph_timeout") if option is None else option, where)


def _seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("agraph_timeout")
    if marker is None:
        return _default_seconds(item.config)
    values = [*marker.args, *marker.kwargs.values()]
    if len(values) != 1 or not set(marker.kwargs) <= {"seconds"}:
        raise pytest.UsageError(f"{item.nodeid}: agraph_timeout takes one number of seconds")
    return _number(values[0], f"{item.nodeid}: agraph_timeout")


def _number(value: object, where: str) -> float:
    if value in ("", None):
        return 0.0
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise pytest.UsageError(f"{where}: {value!r} is no number of seconds; expected one such as 10 or 0.5")
    return seconds


def _checks(item: pytest.Item) -> bool:
    if item.get_closest_marker("agraph_allow_stuck"):
        return False
    asked = "agraph_no_stuck_tasks" in getattr(item, "fixturenames", ())
    return asked or bool(item.config.getini("agraph_check_stuck"))


class _Tests:
    """The hooks around each phase of each test. Registered only if some test asks for them."""

    def __init__(self) -> None:
        self._watch: Watch | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        return (yield from self._watched(item, "setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if not isinstance(item, pytest.Function) or not _asks(item):
            return (yield from self._watched(item, "test"))
        with _instead(item, _around(item.obj, self, checks=_checks(item))):
            return (yield from self._watched(item, "test"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        return (yield from self._watched(item, "teardown"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Let an async fixture that is cancelled end with an error that the other fixtures survive."""
        __tracebackhide__ = True
        original: Any = fixturedef.func
        wrapped = _around_fixture(_bound(original, request), self)
        if self._watch is None or wrapped is None:
            return (yield)
        fixturedef.func = wrapped  # type: ignore[misc]
        try:
            return (yield)
        finally:
            fixturedef.func = original  # type: ignore[misc]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the report where it is not in the failure: unittest keeps its errors to itself."""
        report = yield
        text = item.stash.get(_TEXT, "") if call.when else ""
        if text and report.failed and text not in report.longreprtext:
            report.sections.append((_SECTION, text))
        return report

    def pytest_enter_pdb(self) -> None:
        """Whoever debugs may take any time."""
        if self._watch is not None:
            self._watch.stop()

    def _watched(self, item: pytest.Item, phase: str) -> Generator[None, object, object]:
        __tracebackhide__ = _is_foreign
        seconds = _seconds(item)
        if not seconds:
            return (yield)
        from agraph._internal.testing.watch import Watch  # noqa: PLC0415

        item.stash[_TEXT] = ""
        # pytest lets no CancelledError end a finalizer: the others would not run.
        watch = Watch(phase, seconds, _error, _giving_up(item), may_cancel=phase != "teardown")
        self._watch = watch
        try:
            result = yield
        except BaseException as error:
            watch.close()
            item.stash[_TEXT] = watch.text if watch.ended else ""
            if watch.ended and not isinstance(error, (HungTestError, *_PASSED_ON)):
                raise _error(watch, error) from None
            raise
        finally:
            watch.close()
            self._watch = None
        item.stash[_TEXT] = watch.text if watch.ended else ""
        return result

    @property
    def watch(self) -> Watch | None:
        """The watch of the phase that runs."""
        return self._watch


_TEXT = pytest.StashKey[str]()
# Somebody ends the whole run.
_PASSED_ON = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)


def _is_foreign(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    return not isinstance(excinfo.value, HungTestError)


def _error(watch: Watch, instead: BaseException | None = None) -> HungTestError:
    """The error to fail with, instead of what the test raised when it was ended."""
    from asyncio import CancelledError  # noqa: PLC0415

    text = f"the {watch.what} was ended after {watch.seconds:g} s. {watch.text}"
    if watch.place:
        text += f"\n\nIts thread was here:\n\n{watch.place}"
    if isinstance(instead, BaseExceptionGroup):
        # Several finalizers hung, each of which has told of itself; or one that pytest called twice.
        hung, instead = instead.split(HungTestError)
        text = "\n\n".join(dict.fromkeys(map(str, _leaves(hung)))) or text
    if instead is not None and not isinstance(instead, CancelledError):
        raised = traceback.format_exception_only(instead)[-1].strip()
        text += f"\n\nWhen it was ended it raised {raised}"
    return HungTestError(text, pytrace=False)


def _leaves(error: BaseException | None) -> Iterator[BaseException]:
    ahead = [] if error is None else [error]
    while ahead:
        one = ahead.pop()
        if isinstance(one, BaseExceptionGroup):
            ahead += reversed(one.exceptions)
        else:
            yield one


def _giving_up(item: pytest.Item) -> Callable[[Watch], None]:
    def give_up(watch: Watch) -> None:
        """Say what is known and end the process, as pytest-timeout does: the test never would."""
        try:
            capturing = item.config.pluginmanager.getplugin("capturemanager")
            if capturing is not None:
                capturing.suspend_global_capture(in_=True)
            sys.__stderr__.write(  # type: ignore[union-attr]
                f"\n\n{item.nodeid}: took longer than {watch.seconds:g} s and could not be ended, so pytest "
                f"ends here.\n\n{watch.text}\n"
            )
            sys.__stderr__.flush()  # type: ignore[union-attr]
        finally:
            os._exit(1)

    return give_up


@contextlib.contextmanager
def _instead(item: pytest.Function, wrapped: object) -> Iterator[None]:
    """Let another function run in place of an item's own."""
    original: Any = item.obj
    case = getattr(original, "__self__", None)
    # pytest lets unittest look an async method up by its name
    unittest = sys.modules.get("unittest")
    named = unittest is not None and isinstance(case, unittest.IsolatedAsyncioTestCase)
    item.obj = wrapped
    if named:
        setattr(case, item.name, wrapped)
    try:
        yield
    finally:
        item.obj = original
        if named:
            delattr(case, item.name)


def _around(function: Any, tests: _Tests, *, checks: bool) -> Any:  # noqa: ANN401
    """A test function that ends with the right exception, and whose tasks are looked after."""
    if inspect.iscoroutinefunction(function):
        return _around_async(function, tests, checks=checks)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        leftover = _leftover() if checks else None
        with _Outcome(tests.watch):
            result = function(*args, **kwargs)
        if leftover is not None:
            _complain(leftover)
        return result

    return run


def _around_async(function: Any, tests: _Tests, *, checks: bool) -> Any:  # noqa: ANN401
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        leftover = _leftover() if checks else None
        with _Outcome(tests.watch, in_task=True):
            result = await function(*args, **kwargs)
        if leftover is not None:
            await leftover.settle()
            _complain(leftover)
        return result

    return run


def _bound(function: Any, request: pytest.FixtureRequest) -> Any:  # noqa: ANN401
    """A fixture that is a method, bound to the instance of this test, as pytest would bind it."""
    instance = request.instance
    if inspect.ismethod(function) and type(function.__self__) is type(instance):
        return function.__func__.__get__(instance)
    return function


def _around_fixture(function: Any, tests: _Tests) -> Any:  # noqa: ANN401
    """An async fixture whose setup and teardown end with the right exception; None if it is none."""
    if inspect.iscoroutinefunction(function):
        return _around_async(function, tests, checks=False)
    if not inspect.isasyncgenfunction(function):
        return None

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = True
        generator = function(*args, **kwargs)
        with _Outcome(tests.watch, in_task=True):
            value = await anext(generator)
        try:
            yield value
        except GeneratorExit:
            await generator.aclose()
            raise
        with _Outcome(tests.watch, in_task=True):
            try:
                value = await anext(generator)
            except StopAsyncIteration:
                return
        yield value  # once too often, which is for the plugin that runs the fixture to say

    return run


def _leftover() -> Leftover:
    from agraph._internal.testing.leftover import Leftover  # noqa: PLC0415

    return Leftover()


def _complain(leftover: Leftover) -> None:
    complaint = leftover.complaint()
    if complaint:
        raise StuckTasksError(complaint, pytrace=False)


class _Outcome:
    """Turns what comes of an ended test into an error, close to the test, before other plugins see it."""

    def __init__(self, watch: Watch | None, *, in_task: bool = False) -> None:
        self._watch = watch
        self._in_task = in_task

    def __enter__(self) -> None:
        """Note the task that runs the test, on asyncio's loops."""
        import asyncio  # noqa: PLC0415

        if self._in_task and self._watch is not None and asyncio._get_running_loop() is not None:
            self._watch.task = asyncio.current_task()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        watch = self._watch
        if watch is None or isinstance(error, GeneratorExit):
            return  # the test had been left before, and its coroutine is thrown away now
        task, watch.task = watch.task, None
        if not watch.ended or isinstance(error, _PASSED_ON):
            return
        from agraph._internal.testing.ending import uncancel  # noqa: PLC0415

        uncancel(task)
        watch.goes_on()
        if not isinstance(error, HungTestError):
            raise _error(watch, error) from None
