"""The labelled sites of real libraries. Packages come from the cache that benchmarks/corpus.py fills."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import pytest

from agraph_static import Finding, lint_source

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LABELS = REPOSITORY.parent / "shared" / "corpus" / "labels.tsv"

FOUND = [
    ("aiojobs==1.4.0", "aiojobs/_scheduler.py", "Scheduler.shield", "AG112"),
    (
        "langchain_core==1.8.2",
        "langchain_core/language_models/chat_model_stream.py",
        "AsyncChatModelStream.aclose",
        "AG101",
    ),
    ("asyncpg==0.32.0", "asyncpg/_asyncio_compat.py", "_cancel_and_wait", "AG112"),
    ("temporalio==1.35.0", "temporalio/workflow/_asyncio.py", "_wait", "AG112"),
    ("temporalio==1.35.0", "temporalio/workflow/_asyncio.py", "as_completed", "AG112"),
    ("aiogram==3.31.0", "aiogram/dispatcher/dispatcher.py", "Dispatcher.feed_webhook_update", "AG101"),
    ("tornado==6.6.1", "tornado/gen.py", "multi_future", "AG101"),
    ("tornado==6.6.1", "tornado/gen.py", "with_timeout", "AG101"),
    ("websockets==17.4", "websockets/asyncio/connection.py", "Connection.send", "AG108"),
    ("websockets==17.4", "websockets/asyncio/server.py", "Server.close", "AG110"),
    ("prompt_toolkit==3.0.53", "prompt_toolkit/application/run_in_terminal.py", "in_terminal", "AG108"),
    ("aiorpcX==0.25.0", "aiorpcx/curio.py", "TaskGroup._cancel_tasks", "AG111"),
    ("strawberry_graphql==0.341.2", "strawberry/dataloader.py", "dispatch._schedule", "AG110"),
]

SILENT = [
    ("async_lru==2.4.0", "async_lru/__init__.py"),
    ("bokeh==3.10.2", "bokeh/server/contexts.py"),
    ("streamlit==1.67.0", "streamlit/web/server/starlette/starlette_routes.py"),
    ("pyzmq==27.3.0", "zmq/_future.py"),
    ("tornado==6.6.1", "tornado/http1connection.py"),
    ("tornado==6.6.1", "tornado/ioloop.py"),
    ("aiosqlite==0.22.1", "aiosqlite/core.py"),
    ("psycopg==3.3.9", "psycopg/waiting.py"),
    ("kopf==1.45.2", "kopf/_cogs/clients/api.py"),
    ("anyio==4.16.0", "anyio/_backends/_asyncio.py"),
]


def corpus():
    spec = importlib.util.spec_from_file_location("corpus", REPOSITORY / "benchmarks" / "corpus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CORPUS = corpus()


def lint(package: str, path: str) -> list[Finding]:
    root = CORPUS.find(package)
    if root is None:
        try:
            CORPUS.fetch(package)
        except RuntimeError as error:
            pytest.skip(f"the package cannot be had: {error}")
        root = CORPUS.find(package)
    file = root / path
    return lint_source(file.read_bytes(), path)


@pytest.mark.parametrize(("package", "path", "function", "code"), FOUND)
def test_known_site_is_found(package: str, path: str, function: str, code: str):
    assert (function, code) in {(one.function, one.code) for one in lint(package, path)}


@pytest.mark.parametrize(("package", "path"), SILENT)
def test_model_negative_is_silent(package: str, path: str):
    assert [(one.code, one.span.line) for one in lint(package, path)] == []


@pytest.mark.skipif(not LABELS.exists(), reason="the labelled sites are not beside this clone")
def test_sites_labelled_as_fine_are_silent():
    wrong, present = [], 0
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["verdict"] == "not required"]
    for row in rows:
        root = None if row["package"].startswith("cpython") else CORPUS.find(row["package"])
        if root is None:
            continue
        present += 1
        found = lint_source((root / row["path"]).read_bytes(), row["path"])
        wrong.extend(
            (row["package"], one.span.line, one.code) for one in found if one.function == row["function"]
        )
    if not present:
        pytest.skip("no labelled package is in the cache; benchmarks/corpus.py labels fetches them")
    assert wrong == []


def test_the_running_asyncio():
    import asyncio

    folder = Path(asyncio.__file__).parent
    found = {
        (file.name, one.function): one.code
        for file in sorted(folder.glob("*.py"))
        for one in lint_source(file.read_bytes(), file.name)
    }
    if sys.version_info >= (3, 14):
        assert found.keys() == {("base_subprocess.py", "BaseSubprocessTransport.__init__")}
    else:
        wanted = {
            ("tasks.py", "_wait"),
            ("tasks.py", "_cancel_and_wait"),
            ("tasks.py", "gather"),
            ("tasks.py", "shield"),
        }
        assert found.keys() >= {*wanted, ("taskgroups.py", "TaskGroup.create_task")}
        assert {found[one] for one in wanted} == {"AG112"}
