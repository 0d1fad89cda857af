"""From a snapshot to verdicts: which nodes can ever proceed, and what keeps the others.

    graph = build(snapshot)
    found = levels(graph)
    verdicts = [certainty(snapshot, level) for level in found.level]

`cores` names the nodes to blame, `blocked_behind` the tasks that are stuck because of them, and `Hops` the
waits between them. What the verdicts mean is written in docs/explanation/verdicts.md. Nothing is printed or
read here, and `import agraph` does not import this module.
"""

from agraph._internal.reduction.components import components, shortest_cycle
from agraph._internal.reduction.cores import Core, Residue, blocked_behind, cores, residue
from agraph._internal.reduction.cycles import Hop, Hops
from agraph._internal.reduction.graph import WaitGraph, build, edges_of
from agraph._internal.reduction.names import Labels, is_machinery, kind_word, user_site
from agraph._internal.reduction.reduce import Levels, Reduction, levels
from agraph._internal.reduction.verdict import EXPLAINED, MORE, VERDICTS, Verdict, certainty, rank

__all__ = [
    "EXPLAINED",
    "MORE",
    "VERDICTS",
    "Core",
    "Hop",
    "Hops",
    "Labels",
    "Levels",
    "Reduction",
    "Residue",
    "Verdict",
    "WaitGraph",
    "blocked_behind",
    "build",
    "certainty",
    "components",
    "cores",
    "edges_of",
    "is_machinery",
    "kind_word",
    "levels",
    "rank",
    "residue",
    "shortest_cycle",
    "user_site",
]
