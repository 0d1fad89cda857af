"""Columns that stay text: what is seen from the text agrees with what its values say."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from agraph._internal.packed import (
    Packed,
    Words,
    are_all,
    are_counts,
    are_seconds,
    are_texts,
    are_whole,
    counted,
    words_in,
)

WHOLE = st.none() | st.integers(-(10**20), 10**20)
SECONDS = WHOLE | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="ascii"), max_size=8)
ANYTHING = st.recursive(
    SECONDS | TEXTS | st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)


def lists(values):
    return st.lists(values, min_size=1, max_size=30)


def text_of(values, **options):
    return json.dumps(values, separators=(",", ":"), **options).encode()


def is_whole(value):
    return value is None or type(value) is int


def is_seconds(value):
    return value is None or (type(value) in (int, float) and math.isfinite(value))


@given(lists(ANYTHING) | lists(WHOLE), st.integers(1, 30))
def test_whole_numbers(values, size):
    if are_whole(text_of(values), size):
        assert len(values) == size
        assert all(map(is_whole, values))


@given(lists(WHOLE))
def test_whole_numbers_are_seen(values):
    assert are_whole(text_of(values), len(values))
    assert are_whole(json.dumps(values, indent=1).encode(), len(values))


@given(lists(ANYTHING) | lists(st.integers(0, 10**20)))
def test_counts(values):
    fine = all(type(value) is int and value >= 0 for value in values)
    assert are_counts(text_of(values)) <= fine
    assert are_counts(text_of(values)) or not fine


STARTS = st.integers(0, 3_000) | st.integers(10**6 - 1_500, 10**6 + 1_500) | st.integers(0, 10**14)


@given(STARTS, st.integers(2, 3_500))
def test_numbers_that_count_up(start, size):
    values = range(start, start + size)
    assert counted(text_of(list(values))) == values


@given(STARTS, st.integers(2, 3_500), st.data())
def test_numbers_that_do_not_count_up(start, size, data):
    values = list(range(start, start + size))
    at = data.draw(st.integers(0, size - 1) | st.just(size - 1))
    before = values[at]
    values[at] = data.draw(st.sampled_from([before + 1, -before, before * 10, before // 10, None, 1.5, "1"]))
    found = counted(text_of(values))
    assert found is None or list(found) == values


@given(lists(ANYTHING))
def test_what_does_not_count_up(values):
    found = counted(text_of(values))
    assert found is None or list(found) == values


@given(lists(ANYTHING) | lists(SECONDS), st.integers(1, 30))
def test_seconds(values, size):
    if are_seconds(text_of(values), size):
        assert len(values) == size
        assert all(map(is_seconds, values))


def test_a_number_that_may_be_too_large_is_not_sure():
    assert not are_seconds(b"[1," + b"9" * 400 + b"]", 2)
    assert not are_seconds(b"[1,1e400]", 2)


@given(lists(ANYTHING) | lists(TEXTS), st.integers(1, 30))
def test_texts(values, size):
    if are_texts(text_of(values), size):
        assert len(values) == size
        assert all(type(value) is str for value in values)


def test_texts_are_seen():
    assert are_texts(b'["a","b c"]', 2)
    assert not are_texts(b'["a,",1]', 3)
    assert not are_texts(b'["\xff"]', 1)


@given(lists(st.sampled_from(["task", "", "a,b", "[1]"])))
def test_words(values):
    words = list(dict.fromkeys(values))
    document = {"words": words, "at": [words.index(value) for value in values]}
    said, at = words_in(text_of(document), len(values))
    if said:
        assert list(Words(json.loads(said)["words"], at)) == values
    assert bool(said) == (len(words) > 0)


@given(st.lists(st.sampled_from(["a", 'b"at":[0', "c\\"]), min_size=1), st.lists(ANYTHING), st.integers(1, 9))
def test_words_that_are_not_as_they_have_to_be(words, at, size):
    said, numbers = words_in(text_of({"words": words, "at": at}), size)
    if said:
        assert json.loads(said) == {"words": words}
        assert list(numbers) == at
        assert len(at) == size
        assert max(at) < len(words)


@given(lists(st.sampled_from([1, 12, None])))
def test_all_the_same(values):
    said = are_all(text_of(values), len(values))
    assert not said or [json.loads(said)] * len(values) == values
    assert bool(said) == (len(values) > 1 and len(set(values)) == 1)


@given(st.lists(WHOLE, min_size=1, max_size=2_000), st.data())
def test_one_value(values, data):
    column = Packed(text_of(values), json.loads, len(values), flat=True)
    for at in data.draw(st.lists(st.integers(-len(values), len(values) - 1), max_size=20)):
        assert column[at] == values[at]
    some = sorted(data.draw(st.sets(st.integers(0, len(values) - 1))))
    assert column.some(some) == [values[at] for at in some]
    assert list(column) == values
    assert column.some(some) == [values[at] for at in some]


def test_very_many_values():
    values = [*range(100_000), 10**300, *range(100_000)]
    column = Packed(memoryview(text_of(values)), json.loads, len(values), flat=True)
    assert [column[at] for at in range(0, len(values), 1_000)] == values[::1_000]
    assert column[100_000] == 10**300
    assert column[-1] == values[-1]
    assert column.some([*range(0, 3_000, 7), 100_000, len(values) - 1]) == [
        *range(0, 3_000, 7),
        10**300,
        99_999,
    ]
    assert column[3:5] == [3, 4]


def test_how_often_a_text_is_there():
    column = Packed(b'["a","ab","a"]', json.loads, 3, flat=True)
    assert column.count("a") == 2
    assert column.count("b") == 0
