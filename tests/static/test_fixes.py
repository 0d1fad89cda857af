"""Fixes: lossless, idempotent, parsed by the Pythons they are for, and the edges are there at run time."""

from __future__ import annotations

import ast
import asyncio
import difflib
import sys

import pytest

from agraph_static import LintConfig, all_rules, apply_fixes, lint_source

WAIT = '''\
"""A copy of an old asyncio.wait."""

from __future__ import annotations

import asyncio


async def wait_all(fs):
    """Wait for all of `fs`."""
    waiter = asyncio.get_running_loop().create_future()
    counter = len(fs)

    def on_completion(f):
        """One of them is done."""
        nonlocal counter
        counter -= 1
        if counter <= 0 and not waiter.done():
            waiter.set_result(None)  # all are

    for f in fs:
        f.add_done_callback(on_completion)  # tell us
    try:
        await waiter
    finally:
        for f in fs:
            f.remove_done_callback(on_completion)
        print(f"done: {f.done()}")
'''

SHIELD = """\
import asyncio


def shield(arg):
    inner = asyncio.ensure_future(arg)
    outer = inner.get_loop().create_future()

    def inner_done(inner):
        if not outer.done():
            outer.set_result(inner.result())

    def outer_done(outer):
        if not inner.done():
            inner.remove_done_callback(inner_done)

    inner.add_done_callback(inner_done)
    outer.add_done_callback(outer_done)
    return outer
"""


def fixed(text: str, config: LintConfig | None = None, *, unsafe: bool = False) -> str:
    return apply_fixes(text, lint_source(text, config=config), unsafe)


def added(text: str, config: LintConfig | None = None) -> list[str]:
    lines = difflib.ndiff(text.splitlines(), fixed(text, config).splitlines())
    return [line[2:] for line in lines if line[:1] == "+"]


def test_wait_records_and_discards_on_every_path():
    config = LintConfig(fix_style="stdlib-3.14")
    assert added(WAIT, config) == [
        "        asyncio.future_discard_from_awaited_by(f, _waiter_task)",
        "    _waiter_task = asyncio.current_task()",
        "        asyncio.future_add_to_awaited_by(f, _waiter_task)",
        "            asyncio.future_discard_from_awaited_by(f, _waiter_task)",
    ]


def test_shield_asks_for_the_task_of_its_loop():
    config = LintConfig(fix_style="stdlib-3.14")
    assert "    _waiter_task = asyncio.current_task(inner.get_loop())" in added(SHIELD, config)
    assert (
        added(SHIELD, config).count("        asyncio.future_discard_from_awaited_by(inner, _waiter_task)")
        == 2
    )


@pytest.mark.parametrize("text", [WAIT, SHIELD])
@pytest.mark.parametrize("style", ["inline-shim", "agraph-core", "stdlib-3.14"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_lines_are_added_and_nothing_is_left_to_fix(text: str, style: str, newline: str):
    text = text.replace("\n", newline)
    config = LintConfig(fix_style=style)
    after = fixed(text, config)
    assert [
        line for line in difflib.ndiff(text.splitlines(True), after.splitlines(True)) if line[:1] == "-"
    ] == []
    assert after.count("\n") == after.count(newline)
    assert lint_source(after, config=config) == []
    assert fixed(after, config) == after
    ast.parse(after, feature_version=(3, 11))


@pytest.mark.parametrize(
    ("requires", "word"),
    [(">=3.14", "asyncio.future_add"), (">=3.11", "except ImportError"), ("", "except ImportError")],
)
def test_the_style_follows_requires_python(requires: str, word: str):
    assert word in fixed(WAIT, LintConfig(requires_python=requires))


def test_two_fixes_share_one_shim():
    text = WAIT + "\n\n" + WAIT[WAIT.index("async def") :].replace("wait_all", "wait_more")
    after = fixed(text)
    assert after.count("except ImportError") == 1
    assert after.count("_awaited_by_add(f, _waiter_task)") == 2


def test_a_suppressed_line_is_left_alone():
    text = WAIT.replace("# tell us", "# agraph: ignore[AG112] on purpose")
    assert fixed(text) == text


def test_a_lambda_without_a_second_place_is_not_fixed():
    text = """\
import asyncio

async def f(task: asyncio.Task):
    waiter = asyncio.Future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""
    (finding,) = lint_source(text)
    assert finding.fix is None


def test_unsafe_fixes_wait_to_be_asked_for():
    text = """\
import asyncio

async def f(task: asyncio.Task):
    waiter = asyncio.Future()

    def done(task):
        waiter.set_result(None)

    task.add_done_callback(done)
    await waiter
"""
    assert fixed(text) == text
    after = fixed(text, unsafe=True)
    assert "_awaited_by_discard(task, _waiter_task)" in after
    assert lint_source(after) == []


FIXED_RULES = ("AG101", "AG107", "AG108", "AG109", "AG110", "AG111", "AG112")


@pytest.mark.parametrize("rule", [rule for rule in all_rules() if rule.code in FIXED_RULES])
@pytest.mark.parametrize("style", ["inline-shim", "agraph-core", "stdlib-3.14"])
def test_examples_stay_fixed(rule, style: str):
    config = LintConfig(fix_style=style)
    changed = 0
    for text in rule.bad:
        after = text
        for _ in range(3):  # fixes that overlap are applied one after the other
            after = fixed(after, config, unsafe=True)
        changed += after != text
        ast.parse(after, feature_version=(3, 11))
        left = [one for one in lint_source(after, config=config) if one.fix is not None]
        assert left == []
        assert fixed(after, config, unsafe=True) == after
    assert changed


def test_redundant_edges_are_removed():
    (text,) = next(rule.bad for rule in all_rules() if rule.code == "AG107")
    after = fixed(text)
    assert "awaited_by" not in after
    assert "        pass\n" in after


@pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio keeps edges since 3.14")
@pytest.mark.parametrize(("text", "call"), [(WAIT, "wait_all([{0}])"), (SHIELD, "shield({0})")])
def test_the_edge_is_there_at_run_time(text: str, call: str):
    async def edges(source: str) -> tuple[list[str], int]:
        space: dict[str, object] = {"asyncio": asyncio}
        exec(compile(source, "fixed.py", "exec"), space)
        release = asyncio.Event()
        child = asyncio.create_task(release.wait(), name="child")
        space["child"] = child

        async def parent():
            await eval(call.format("child"), space)

        task = asyncio.create_task(parent(), name="parent")
        for _ in range(3):
            await asyncio.sleep(0)
        graph = asyncio.capture_call_graph(child)
        names = [one.future.get_name() for one in graph.awaited_by]
        release.set()
        await task
        return names, len(asyncio.capture_call_graph(child).awaited_by)

    assert asyncio.run(edges(text)) == ([], 0)
    assert asyncio.run(edges(fixed(text))) == (["parent"], 0)


FLIGHT = """\
import asyncio


class Store:
    def __init__(self):
        self._loading = None
        self.release = asyncio.Event()

    async def load(self):
        if self._loading is not None:
            return await asyncio.shield(self._loading)
        self._loading = asyncio.get_running_loop().create_future()
        await self.release.wait()
        self._loading.set_result("loaded")
        return "loaded"
"""

SPAWN = """\
import asyncio


class Store:
    def __init__(self):
        self.release = asyncio.Event()
        self._ready = None

    async def load(self):
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(), name="first")
        await self._ready
        return "loaded"

    async def _run(self):
        await self.release.wait()
        self._ready.set_result(None)
"""


@pytest.mark.parametrize("text", [FLIGHT, SPAWN], ids=["AG108", "AG110"])
def test_owner_fixes_are_unsafe_and_keep_results(text: str):
    assert fixed(text) == text
    after = fixed(text, unsafe=True)
    assert [one.code for one in lint_source(after)] == []

    async def main() -> list[str]:
        space: dict[str, object] = {}
        exec(compile(after, "fixed.py", "exec"), space)
        store = space["Store"]()
        tasks = [asyncio.create_task(store.load()) for _ in range(3)]
        await asyncio.sleep(0)
        store.release.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == ["loaded"] * 3


@pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio keeps edges since 3.14")
@pytest.mark.parametrize("text", [FLIGHT, SPAWN], ids=["AG108", "AG110"])
def test_owner_fixes_lead_to_the_owner_at_run_time(text: str):
    async def waiters(source: str) -> tuple[set[str], int]:
        space: dict[str, object] = {}
        exec(compile(source, "fixed.py", "exec"), space)
        store = space["Store"]()
        tasks = [asyncio.create_task(store.load(), name=name) for name in ("first", "second", "third")]
        for _ in range(4):
            await asyncio.sleep(0)
        owner = getattr(store, "_task", tasks[0])
        names = {one.future.get_name() for one in asyncio.capture_call_graph(owner).awaited_by}
        store.release.set()
        await asyncio.gather(*tasks)
        return names, len(asyncio.capture_call_graph(owner).awaited_by)

    before, left = asyncio.run(waiters(text))
    assert not before & {"second", "third"}
    after, left = asyncio.run(waiters(fixed(text, unsafe=True)))
    assert after >= {"second", "third"}
    assert left == 0


def test_a_wait_without_a_future_is_still_one():
    text = FLIGHT.replace("if self._loading is not None:", "if self.hurry:").replace(
        "asyncio.shield(self._loading)", "asyncio.wait_for(self._loading or asyncio.sleep(0, 1), 30)"
    )
    after = fixed(text, LintConfig(select=("AG108",)), unsafe=True)
    assert "return await _awaited_by_wait(self._loading, asyncio.wait_for(" in after

    async def main() -> int:
        space: dict[str, object] = {}
        exec(compile(after, "fixed.py", "exec"), space)
        store = space["Store"]()
        store.hurry = True
        return await store.load()

    assert asyncio.run(main()) == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_waiters_get_the_owners_exception(newline: str):
    text = FLIGHT.replace("await self.release.wait()", "await self.fail()  # ä").replace("\n", newline)
    after = fixed(text, LintConfig(select=("AG109",)), unsafe=True)
    assert after.count("\n") == after.count(newline)
    assert [one.code for one in lint_source(after)] == ["AG108"]

    async def main() -> list[str]:
        space: dict[str, object] = {}
        exec(compile(after, "fixed.py", "exec"), space)
        store = space["Store"]()

        async def fail():
            await asyncio.sleep(0)
            raise OSError("no")

        store.fail = fail
        return await asyncio.gather(*(store.load() for _ in range(2)), return_exceptions=True)

    assert list(map(str, asyncio.run(asyncio.wait_for(main(), 30)))) == ["no", "no"]


def test_text_of_several_lines_is_not_moved():
    text = FLIGHT.replace("await self.release.wait()", 'await self.fail("""two\nlines""")')
    (finding,) = [one for one in lint_source(text) if one.code == "AG109"]
    assert finding.fix is None


def test_a_queue_has_no_fix():
    text = next(rule.bad for rule in all_rules() if rule.code == "AG111")[-1]
    (finding,) = lint_source(text)
    assert finding.fix is None
