"""The span of a distributed trace that a task works in, as OpenTelemetry keeps it."""

import asyncio

import pytest
from live import end, forever, parked, start
from snapshots import run, task

import agraph

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")
propagation = pytest.importorskip("opentelemetry.trace.propagation.tracecontext")

TRACER = sdk.TracerProvider().get_tracer("tests")


async def captured(*coroutines):
    tasks = [start(coroutine, name) for name, coroutine in coroutines]
    await parked(*tasks)
    snapshot = agraph.capture()
    await end(*tasks)
    return snapshot


def details(snapshot, name):
    found = task(snapshot, name).detail or {}
    return {key: value for key, value in found.items() if key in ("trace_id", "span_id", "remote_parent_id")}


def sent_by(span):
    """The header that the caller sends along."""
    headers = {}
    propagation.TraceContextTextMapPropagator().inject(headers, trace.set_span_in_context(span))
    _version, trace_id, span_id, _flags = headers["traceparent"].split("-")
    return headers, trace_id, span_id


def received(headers):
    return propagation.TraceContextTextMapPropagator().extract(headers)


def test_caller_and_callee_name_the_same_span():
    async def calls():
        with trace.use_span(caller):
            await forever()

    async def is_called():
        with TRACER.start_as_current_span("callee", context=received(headers)):
            await forever()

    caller = TRACER.start_span("caller")
    headers, trace_id, span_id = sent_by(caller)
    snapshot = run(captured(("caller", calls()), ("callee", is_called()), ("other", forever())))
    assert details(snapshot, "caller") == {"trace_id": trace_id, "span_id": span_id}
    callee = details(snapshot, "callee")
    assert (callee["trace_id"], callee["remote_parent_id"]) == (trace_id, span_id)
    assert callee["span_id"] not in (span_id, "")
    assert details(snapshot, "other") == {}


def test_a_callee_that_records_no_span_of_its_own():
    async def is_called():
        token = context.attach(received(headers))
        try:
            await forever()
        finally:
            context.detach(token)

    from opentelemetry import context

    headers, trace_id, span_id = sent_by(TRACER.start_span("caller"))
    snapshot = run(captured(("callee", is_called())))
    assert details(snapshot, "callee") == {"trace_id": trace_id, "remote_parent_id": span_id}


def test_a_span_inside_of_another_has_no_caller_in_another_process():
    async def works():
        with TRACER.start_as_current_span("outer"), TRACER.start_as_current_span("inner"):
            await forever()

    found = details(run(captured(("worker", works()))), "worker")
    assert sorted(found) == ["span_id", "trace_id"]


@pytest.mark.parametrize("way", ["with", "variable"])
def test_a_span_inside_of_the_one_that_answers(way):
    async def answers():
        if way == "variable":
            span = TRACER.start_span("answer", context=received(headers))
            with trace.use_span(span):
                await works()
        else:
            with TRACER.start_as_current_span("answer", context=received(headers)):
                await works()

    async def works():
        with TRACER.start_as_current_span("step"), TRACER.start_as_current_span("query"):
            await forever()

    headers, trace_id, span_id = sent_by(TRACER.start_span("caller"))
    found = details(run(captured(("worker", answers()))), "worker")
    assert (found["trace_id"], found["remote_parent_id"]) == (trace_id, span_id)


@pytest.mark.parametrize("step", [False, True], ids=["in its span", "in a span of its own"])
def test_who_was_left_behind_by_an_answer_answers_nobody(step):
    async def main():
        with TRACER.start_as_current_span("handler", context=received(headers)):
            behind = start(works(), "behind")
            await parked(behind)
            during = agraph.capture()
        after = agraph.capture()
        await end(behind)
        return during, after

    async def works():
        if step:
            with TRACER.start_as_current_span("step"):
                await forever()
        await forever()

    headers, trace_id, _ = sent_by(TRACER.start_span("caller"))
    during, after = run(main())
    assert details(during, "behind")["trace_id"] == trace_id
    assert ("remote_parent_id" in details(during, "behind")) is not step
    assert sorted(details(after, "behind")) == ["span_id", "trace_id"]


def test_tasks_inherit_it():
    async def main():
        with TRACER.start_as_current_span("handler"):
            return await captured(("one", forever()), ("two", forever()))

    snapshot = run(main())
    assert details(snapshot, "one") == details(snapshot, "two") != {}


class Strange:
    """In the place of a span; says so if anything of it runs."""

    def __getattr__(self, name):
        raise AssertionError(name)


@pytest.mark.parametrize(
    "span", [Strange(), None, 7, trace.INVALID_SPAN], ids=["object", "none", "int", "invalid"]
)
def test_what_is_no_span_is_left_alone(span):
    async def works():
        token = context.attach(context.set_value(_SPAN_KEY, span))
        try:
            await forever()
        finally:
            context.detach(token)

    from opentelemetry import context
    from opentelemetry.trace.propagation import _SPAN_KEY

    snapshot = run(captured(("worker", works())))
    assert details(snapshot, "worker") == {}
    assert snapshot.capture.errors == ()


def test_tasks_written_in_python():
    async def main():
        asyncio.get_running_loop().set_task_factory(
            lambda loop, coroutine, **options: asyncio.tasks._PyTask(coroutine, loop=loop, **options)
        )
        with TRACER.start_as_current_span("handler"):
            return await captured(("one", forever()))

    assert details(run(main()), "one") != {}
