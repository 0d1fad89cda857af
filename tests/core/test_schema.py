"""The JSON Schema and the code say the same."""

import asyncio
import json
from importlib.resources import files

import jsonschema
import pytest
from live import end, forever, parked, start
from snapshots import locked_by_generator

import agraph
from agraph import Node
from agraph._internal.model import CONFIDENCES, EDGE_KINDS, NODE_KINDS

SCHEMA = json.loads((files("agraph") / "schema" / "snapshot-1.json").read_text())


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_kinds_and_columns_are_those_of_the_model():
    table, group = SCHEMA["$defs"]["table"], SCHEMA["$defs"]["group"]
    assert set(table["properties"]) == set(Node._fields) - {"kind"}
    assert tuple(SCHEMA["properties"]["nodes"]["propertyNames"]["enum"]) == NODE_KINDS
    assert tuple(group["properties"]["kind"]["enum"]) == EDGE_KINDS
    assert tuple(group["properties"]["confidence"]["enum"]) == CONFIDENCES


def real_snapshot():
    async def main():
        lock, queue, semaphore = asyncio.Lock(), asyncio.Queue(1), asyncio.BoundedSemaphore(1)

        async def holds():
            async with lock, semaphore:
                await asyncio.wait_for(forever(), 50)

        async def wants():
            async with locked_by_generator(lock):
                pass

        async def wants_too():
            async with semaphore:
                pass

        async def gathers(*tasks):
            await asyncio.gather(*tasks)

        tasks = [
            start(coroutine) for coroutine in (holds(), wants(), wants_too(), queue.get(), asyncio.sleep(9))
        ]
        tasks.append(start(gathers(*tasks)))
        await parked(*tasks)
        snapshot = agraph.capture()
        await end(*tasks)
        return snapshot

    return asyncio.run(main())


def test_real_captures_validate():
    document = json.loads(json.dumps(real_snapshot().to_dict()))
    jsonschema.validate(document, SCHEMA)
    assert {"task", "lock", "semaphore", "queue", "future", "loop"} <= set(document["nodes"])


def test_the_schema_is_not_empty_words():
    document = real_snapshot().to_dict()
    document["nodes"]["task"]["need"][0] = -1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
