"""The report on a hang: the full one where the command line is installed, or else the short one of core."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from agraph._internal.entry import capture
from agraph._internal.text import plain

if TYPE_CHECKING:
    from agraph._internal.model import Snapshot

_MAX_TASKS = 20
# A capture of 100,000 tasks takes a second or two; this only keeps a strange process from taking for ever.
_MAX_SECONDS = 20.0


def report_now() -> str:
    """Capture this process and report on it.

    Returns:
        Lines of text, the verdict first; if something goes wrong, what it was. Never raises an `Exception`.
    """
    try:
        return report_on(capture(max_seconds=_MAX_SECONDS))
    except Exception as error:  # noqa: BLE001 - a test that hangs must end even if it cannot be explained
        return f"agraph could not say why: {plain(repr(error))}"


def report_on(snapshot: Snapshot) -> str:
    """Report on a snapshot.

    Core does not depend on the command line. If `agraph_cli` can be imported, its `full_report` is used,
    which also says what to change; any failure of it leads to the short form.

    Args:
        snapshot: The snapshot.

    Returns:
        Lines of text, the verdict first.
    """
    try:
        text = import_module("agraph_cli").full_report([snapshot])
    except Exception:  # noqa: BLE001 - not installed, of another version, or broken: the short form is left
        text = snapshot.format(limit=_MAX_TASKS)
    return str(text).rstrip()
