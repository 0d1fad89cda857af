"""The lines of a source text, as Python's tokenizer counts them: they end in LF, CR or both."""

from __future__ import annotations

import itertools
import re

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")


def lines_of(text: str) -> list[str]:
    """The lines of a source text, with their ends."""
    return _LINE.findall(text)


def line_starts(text: str) -> list[int]:
    """Offset of the first character of each line, that of an empty one at the end included."""
    if "\r" not in text:
        lengths = map(len, text.split("\n"))
        return list(itertools.accumulate(map((1).__add__, lengths), initial=0))[:-1]
    starts = [0, *itertools.accumulate(map(len, lines_of(text)))]
    return starts if text.endswith(("\n", "\r")) else starts[:-1]
