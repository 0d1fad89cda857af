"""What the rules about deadlocks find in one variant after the other, how sure, and what they leave alone."""

from __future__ import annotations

import pytest

from agraph_static import LintConfig, lint_source


def found(text: str, code: str) -> list[tuple[int, str]]:
    """Lines and confidences of a rule's findings, also of those that are only reported on demand."""
    config = LintConfig(select=(code,), min_confidence="possible")
    return [(one.span.line, one.confidence) for one in lint_source(text, "a.py", config)]


def sure(text: str, code: str) -> list[str]:
    return [confidence for _, confidence in found(text, code)]


ITSELF = "import asyncio\n\nasync def stop(exclude_me, logger, other_loop):\n"

WAITS_FOR_ITSELF = {
    "a comprehension": "    await asyncio.gather(*[t for t in asyncio.all_tasks()])\n",
    "a display": "    tasks = {*asyncio.all_tasks()}\n    done, pending = await asyncio.wait(tasks)\n",
    "a list": "    tasks = list(asyncio.all_tasks())\n    for t in tasks: t.cancel()\n    await asyncio.gather(*tasks)\n",
    "a loop": "    for t in asyncio.all_tasks(): await t\n",
    "a loop over a variable": "    tasks = asyncio.all_tasks()\n    for t in tasks:\n        await t\n",
    "a loop that minds cancellation": "    for t in asyncio.all_tasks():\n        t.cancel()\n        try:\n            await t\n"
    "        except asyncio.CancelledError:\n            pass\n",
    "logged and counted": "    tasks = asyncio.all_tasks()\n    logger.info('%s', tasks)\n    if len(tasks) > 1:\n"
    "        await asyncio.wait(tasks)\n",
    "all of them": "    await asyncio.wait(asyncio.all_tasks(), timeout=None, return_when=asyncio.ALL_COMPLETED)\n",
    "the task, shown around": "    me = asyncio.current_task()\n    exclude_me(me)\n    await asyncio.shield(me)\n",
}

WAITS_FOR_OTHERS = {
    "taken out by an operator": "    tasks = asyncio.all_tasks()\n    tasks -= {asyncio.current_task()}\n    await asyncio.wait(tasks)\n",
    "taken out by a method": "    tasks = asyncio.all_tasks()\n    tasks.symmetric_difference_update({asyncio.current_task()})\n"
    "    await asyncio.wait(tasks)\n",
    "taken out by a helper": "    tasks = asyncio.all_tasks()\n    exclude_me(tasks)\n    await asyncio.gather(*tasks)\n",
    "taken out by another name": "    tasks = asyncio.all_tasks()\n    same = tasks\n    same.discard(asyncio.current_task())\n"
    "    await asyncio.gather(*tasks)\n",
    "until the first": "    await asyncio.wait(asyncio.all_tasks(), return_when=asyncio.FIRST_COMPLETED)\n",
    "for a while": "    await asyncio.wait(asyncio.all_tasks(), timeout=1)\n",
    "of another loop": "    await asyncio.wait(asyncio.all_tasks(other_loop))\n",
    "a loop that skips": "    me = asyncio.current_task()\n    for t in asyncio.all_tasks():\n        if t is me: continue\n        await t\n",
    "a loop that takes the error": "    for t in asyncio.all_tasks():\n        try:\n            await t\n        except Exception:\n            pass\n",
    "a comprehension that skips": "    await asyncio.gather(*[t for t in asyncio.all_tasks() if t is not asyncio.current_task()])\n",
    "somebody's own wait": "    await logger.wait(asyncio.all_tasks())\n",
}


@pytest.mark.parametrize("body", WAITS_FOR_ITSELF.values(), ids=WAITS_FOR_ITSELF)
def test_a_task_that_waits_for_itself(body: str):
    assert sure(ITSELF + body, "AG207") == ["certain"]


@pytest.mark.parametrize("body", WAITS_FOR_OTHERS.values(), ids=WAITS_FOR_OTHERS)
def test_a_task_that_waits_for_others_or_may_do_so(body: str):
    assert sure(ITSELF + body, "AG207") in ([], ["possible"])
