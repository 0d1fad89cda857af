"""From a snapshot to verdicts: which nodes can ever proceed, and what keeps the others.

    judgement = judge(snapshot)
    print(judgement.verdict, judgement.deadlocks)

`judge` is made of the other functions: `build` and `levels` decide, `cores` names the nodes to blame,
`blocked_behind` the tasks that are stuck because of them, and `Hops` the waits between them. `went_on` says
which tasks a later snapshot shows to have moved, and `free` lets these proceed in the earlier one. What the
verdicts mean is written in docs/explanation/verdicts.md. Nothing is printed or read here, and `import agraph`
does not import this module.

`of_kind`, `spans_of`, `column`, `cells`, `cells_at`, `rows_at`, `set_in`, `values_in`, `edges_of_kind` and
`positions_of` look into the columns of a snapshot that was read, where going through its nodes would make an
object for each. One that was read from a short file `is_put_away`: its columns are at hand for a moment only,
and so is what `at_hand` and `later` give. `carry` and `carried` take analyses to another process.
"""

from agraph._internal.edge_rows import edges_of_kind
from agraph._internal.merge import (
    How,
    Standing,
    can_be_found_again,
    comparable,
    free,
    same_process,
    wait_key,
    waits_of,
    went_on,
)
from agraph._internal.reduction.assumptions import assumptions, how_sure
from agraph._internal.reduction.carry import carried, carry
from agraph._internal.reduction.components import components, shortest_cycle
from agraph._internal.reduction.cores import Core, blocked_behind, cores, until_timeout
from agraph._internal.reduction.cycles import Hop, Hops, by_name
from agraph._internal.reduction.graph import WaitGraph, build, edges_of
from agraph._internal.reduction.judge import Judgement, Stuck, is_deadlock, judge, verdicts
from agraph._internal.reduction.later import at_hand, is_put_away, later
from agraph._internal.reduction.names import (
    Labels,
    is_machinery,
    kind_word,
    listed,
    locals_of,
    plural,
    site_of_stack,
    user_site,
)
from agraph._internal.reduction.picked import kinds_of, only, pick
from agraph._internal.reduction.reduce import Levels, Reduction, levels
from agraph._internal.reduction.residue import Residue, residue
from agraph._internal.reduction.verdict import EXPLAINED, MORE, VERDICTS, Verdict, certainty, rank
from agraph._internal.rows import (
    cells,
    cells_at,
    column,
    of_kind,
    positions_of,
    rows_at,
    set_in,
    spans_of,
    values_in,
)

__all__ = [
    "EXPLAINED",
    "MORE",
    "VERDICTS",
    "Core",
    "Hop",
    "Hops",
    "How",
    "Judgement",
    "Labels",
    "Levels",
    "Reduction",
    "Residue",
    "Standing",
    "Stuck",
    "Verdict",
    "WaitGraph",
    "assumptions",
    "at_hand",
    "blocked_behind",
    "build",
    "by_name",
    "can_be_found_again",
    "carried",
    "carry",
    "cells",
    "cells_at",
    "certainty",
    "column",
    "comparable",
    "components",
    "cores",
    "edges_of",
    "edges_of_kind",
    "free",
    "how_sure",
    "is_deadlock",
    "is_machinery",
    "is_put_away",
    "judge",
    "kind_word",
    "kinds_of",
    "later",
    "levels",
    "listed",
    "locals_of",
    "of_kind",
    "only",
    "pick",
    "plural",
    "positions_of",
    "rank",
    "residue",
    "rows_at",
    "same_process",
    "set_in",
    "shortest_cycle",
    "site_of_stack",
    "spans_of",
    "until_timeout",
    "user_site",
    "values_in",
    "verdicts",
    "wait_key",
    "waits_of",
    "went_on",
]
