"""What all tests share.

Fixtures:
    loop_factory: makes event loops of the kind under test, for `asyncio.Runner(loop_factory=...)`.
    shared: the project's folder of examples beside the repository; the test skips where there is none.

Environment:
    AGRAPH_TEST_LOOP: `asyncio` (what is taken without it) or `uvloop`. With `uvloop`, `asyncio.run` and
        `asyncio.new_event_loop` make uvloop's loops too, so that the whole suite runs on them. A test
        of asyncio's own loop says so with `@pytest.mark.stock_loop` and is skipped then.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOOP = os.environ.get("AGRAPH_TEST_LOOP", "asyncio")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def _new_event_loop() -> LoopFactory:
    if LOOP == "asyncio":
        return asyncio.new_event_loop
    if LOOP == "uvloop":
        import uvloop  # type: ignore[import-not-found]

        return uvloop.new_event_loop
    message = f"AGRAPH_TEST_LOOP is {LOOP!r}; expected asyncio or uvloop"
    raise pytest.UsageError(message)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts what runs in its background like that, and every program that a test starts would
        # inherit it: none of them could be interrupted.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if LOOP != "asyncio":
        # Neither a policy (deprecated since 3.14) nor a parameter reaches the loops that tested code makes itself.
        # asyncio.run and asyncio.Runner look `new_event_loop` up in asyncio.events on every version.
        asyncio.events.new_event_loop = asyncio.new_event_loop = _new_event_loop()


def pytest_report_header() -> str:
    return f"event loop: {LOOP}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: runs with --slow"))
        if item.get_closest_marker("stock_loop") and LOOP != "asyncio":
            item.add_marker(pytest.mark.skip(reason=f"about asyncio's own loop, not {LOOP}"))


@pytest.fixture
def loop_factory() -> LoopFactory:
    """The function that makes an event loop of the kind under test."""
    return asyncio.new_event_loop


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the repository (scenarios, labelled corpus)."""
    folder = ROOT.parent / "shared"
    if not (folder / "scenarios").is_dir():
        pytest.skip("no folder `shared` beside the repository")
    return folder
