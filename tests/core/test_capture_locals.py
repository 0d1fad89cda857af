"""`capture(locals=True)`: the variables of waiting tasks, without running code of theirs."""

import asyncio
import gc
import weakref

import pytest
from live import end, parked, start
from snapshots import run, task

import agraph
from agraph._internal.frame_values import text_of


class Touchy:
    """Everything that a careless reader would call fails the test."""

    def _fail(self, *_):
        raise AssertionError("code of the application ran")

    __repr__ = __str__ = __len__ = __eq__ = __bool__ = __getattribute__ = _fail
    __hash__ = None


class Words(str):
    __slots__ = ()

    def __repr__(self):
        raise AssertionError("code of the application ran")


def variables(snapshot, name):
    return ((task(snapshot, name).detail or {}).get("locals") or "").split("\n")


async def transfer(event, amount, source="alice"):
    rates = [1, 2, 3]
    touchy = Touchy()
    await event.wait()
    return rates, touchy, amount, source


async def outer(event, number):
    await transfer(event, number)


def captured(**options):
    async def main():
        event = asyncio.Event()
        waits = start(outer(event, 7), "waits")
        await parked(waits)
        snapshot = agraph.capture(**options)
        await end(waits)
        return snapshot

    return run(main())


def test_a_line_for_each_frame_of_the_program():
    assert variables(captured(locals=True), "waits") == [
        "transfer: event=<Event>, amount=7, source='alice', rates=<list of 3>, touchy=<Touchy>",
        "outer: event=<Event>, number=7",
    ]


def test_only_when_asked():
    assert variables(captured(), "waits") == [""]


def test_the_report_shows_them():
    assert "  outer: event=<Event>, number=7" in captured(locals=True).format().splitlines()


def test_they_survive_a_file(tmp_path):
    snapshot = captured(locals=True)
    snapshot.save(tmp_path / "snapshot.json")
    assert variables(agraph.load(tmp_path / "snapshot.json"), "waits") == variables(snapshot, "waits")


def test_nothing_is_kept():
    async def main():
        event = asyncio.Event()
        kept = weakref.ref(event)
        waits = start(outer(event, 7), "waits")
        await parked(waits)
        snapshot = agraph.capture(locals=True)
        await end(waits)
        del event, waits
        gc.collect()
        return kept, snapshot

    kept, _snapshot = run(main())
    assert kept() is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (1 << 5_000, "<int of 5001 bits>"),
        ("x" * 100, repr("x" * 80) + "..."),
        (b"\n", "b'\\n'"),
        ({"a": 1}, "<dict of 1>"),
        (captured, "<function captured>"),
        (Touchy, "<type>"),
    ],
)
def test_how_values_are_told(value, text):
    assert text_of(value) == text


def test_no_code_of_a_class_runs():
    assert text_of(Words("secret")) == "<Words>"
    assert text_of(Touchy()) == "<Touchy>"


def test_what_is_too_much_is_left_out():
    async def many(event):
        a = b = c = d = e = f = g = h = i = j = k = m = n = o = p = q = r = s = t = u = v = 1
        await event.wait()
        return a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u, v

    async def main():
        waits = start(many(asyncio.Event()), "waits")
        await parked(waits)
        snapshot = agraph.capture(locals=True)
        await end(waits)
        return snapshot

    (line,) = variables(run(main()), "waits")
    assert line.endswith(", and 2 more")
