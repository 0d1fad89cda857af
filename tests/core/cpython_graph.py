"""Run CPython's own test_graph.py with agraph's five functions in asyncio's place.

    python cpython_graph.py PATH/TO/test_graph.py [--without-edges]

Prints one JSON object: how many tests ran, which failed (with traceback), which were skipped. A process of its
own, because it changes the asyncio module.

Below Python 3.14 asyncio lacks what the tests look at beside the five functions. It gets: frames with
`f_generator`, tasks with `_asyncio_awaited_by`, and comparisons that leave the frames of Lib/asyncio out.
"""

import ast
import asyncio
import importlib.util
import inspect
import json
import sys
import types
import unittest
from pathlib import Path
from types import SimpleNamespace

from agraph._internal import awaited_by, graph

NATIVE = sys.version_info >= (3, 14)
FUNCTIONS = {
    "capture_call_graph": graph.capture_call_graph,
    "format_call_graph": graph.format_call_graph,
    "print_call_graph": graph.print_call_graph,
    "future_add_to_awaited_by": awaited_by.future_add_to_awaited_by,
    "future_discard_from_awaited_by": awaited_by.future_discard_from_awaited_by,
}


def load(path):
    spec = importlib.util.spec_from_file_location("cpython_test_graph", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def generator_view(code):
    if code.co_flags & inspect.CO_COROUTINE:
        return SimpleNamespace(cr_code=code)
    if code.co_flags & inspect.CO_ASYNC_GENERATOR:
        return SimpleNamespace(ag_code=code)
    return SimpleNamespace(gi_code=code) if code.co_flags & inspect.CO_GENERATOR else None


def graph_view(entry):
    """The graph, with frames that have `f_generator`."""
    frames = [item.frame for item in entry.call_stack]
    views = [
        SimpleNamespace(f_code=frame.f_code, f_generator=generator_view(frame.f_code)) for frame in frames
    ]
    return SimpleNamespace(
        future=entry.future,
        call_stack=[SimpleNamespace(frame=view) for view in views],
        awaited_by=[graph_view(waiter) for waiter in entry.awaited_by],
    )


def capture_view(future=None, /, *, depth=1, limit=None):
    return graph_view(graph.capture_call_graph(future, depth=depth + 1, limit=limit))


def functions_of(files):
    found = set()
    for file in files:
        tree = ast.parse(file.read_bytes())
        found |= {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    return found


def without_asyncio(value, names):
    if isinstance(value, list | tuple):
        kept = [item for item in value if not (isinstance(item, str) and item.partition(" ")[2] in names)]
        return [without_asyncio(item, names) for item in kept]
    return value


def older_cases(module, path):
    """The cases of the tests for a version whose asyncio has no call graph, one of C and one of Python futures."""
    library = [Path(asyncio.__file__).parent, path.parent.parent.parent / "asyncio"]
    names = functions_of(file for folder in library for file in folder.glob("*.py")) - functions_of([path])
    asyncio.capture_call_graph = capture_view

    class Older(unittest.IsolatedAsyncioTestCase):
        def setUp(self):
            self.saved = asyncio.Future, asyncio.Task
            waiters = property(lambda task: frozenset(awaited_by.awaited_by(task)))
            task = types.new_class(
                "Task", (self.task,), {}, lambda body: body.update(_asyncio_awaited_by=waiters)
            )
            asyncio.Future = asyncio.futures.Future = self.future
            asyncio.Task = asyncio.tasks.Task = task

        def tearDown(self):
            asyncio.Future, asyncio.Task = self.saved
            asyncio.futures.Future, asyncio.tasks.Task = self.saved

        def assertEqual(self, first, second, msg=None):  # noqa: N802 - overrides
            super().assertEqual(without_asyncio(first, names), without_asyncio(second, names), msg)  # noqa: PT009

    class TestC(Older, module.CallStackTestBase):
        future, task = asyncio.futures._CFuture, asyncio.tasks._CTask

    class TestPy(Older, module.CallStackTestBase):
        future, task = asyncio.futures._PyFuture, asyncio.tasks._PyTask

    return TestC, TestPy


def main(path, *options):
    if "--without-edges" in options:  # to see that the tests notice
        graph.awaited_by = lambda future: []
    for name, function in FUNCTIONS.items():
        setattr(asyncio, name, function)
    module = load(path)
    loader = unittest.TestLoader()
    if NATIVE:
        suite = loader.loadTestsFromModule(module)
    else:
        suite = unittest.TestSuite(map(loader.loadTestsFromTestCase, older_cases(module, path)))
    result = unittest.TestResult()
    suite.run(result)
    failed = [*result.failures, *result.errors]
    report = {
        "run": result.testsRun,
        "failed": {str(test): text for test, text in failed},
        "skipped": {str(test): reason for test, reason in result.skipped},
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
