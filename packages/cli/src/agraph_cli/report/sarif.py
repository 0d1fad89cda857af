"""`agraph analyze --format sarif`: SARIF 2.1.0, a result for each deadlock."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from agraph.reduction import EXPLAINED, MORE
from agraph_cli import __version__
from agraph_cli.analysis.names import user_site
from agraph_cli.report.lint.places import uri
from agraph_cli.report.sentences import Sentences
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Node, Site
    from agraph.reduction import Hop, Verdict
    from agraph_cli.analysis.model import Analysis, Deadlock, SnapshotAnalysis
    from agraph_cli.report.style import Style

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_LEVELS: dict[Verdict, str] = {"certain": "error", "possible": "warning", "stalled": "note"}
# A ring of a million tasks is shown by its beginning.
_MOST_HOPS = 100


def lines(analysis: Analysis, style: Style, errors: Sequence[dict[str, str]] = ()) -> Iterator[str]:
    """An analysis as one SARIF log.

    Args:
        analysis: The analysis of one or more snapshots.
        style: Its `root` is what the addresses of files are relative to, its `limit` the number of results.
        errors: What could not be read: `path`, `message`, `help`.

    Yields:
        The log, as one text.
    """
    found = analysis.deadlocks
    rules = [word for word in _LEVELS if any(deadlock.certainty == word for _, deadlock in found)]
    says = {id(one): Sentences(one, style) for one, _ in found[: style.limit]}
    run = {
        "tool": {
            "driver": {"name": "agraph", "version": __version__, "rules": [_rule(word) for word in rules]}
        },
        "originalUriBaseIds": {_ROOT: {"description": _text("The folder that agraph analyze was run in.")}},
        "invocations": [
            {
                "executionSuccessful": not errors,
                "toolExecutionNotifications": [_notification(error, style) for error in errors],
            }
        ],
        "results": [
            _Result(one, deadlock, says[id(one)]).row(rules.index(deadlock.certainty))
            for one, deadlock in found[: style.limit]
        ],
    }
    yield json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False)


class _Result:
    """One deadlock."""

    def __init__(self, one: SnapshotAnalysis, deadlock: Deadlock, say: Sentences) -> None:
        self.one = one
        self.deadlock = deadlock
        self.say = say
        self.root = say.style.root
        self.hops = deadlock.cycle[:_MOST_HOPS]

    def row(self, rule: int) -> dict[str, Any]:
        deadlock = self.deadlock
        flows = self.thread_flows()
        first = next((flow["locations"][-1]["location"] for flow in flows), None)
        row: dict[str, Any] = {
            "ruleId": f"deadlock/{deadlock.certainty}",
            "ruleIndex": rule,
            "level": _LEVELS[deadlock.certainty],
            "message": _text(f"{self.say.headline(deadlock)}\n{clean(deadlock.help)}"),
            "locations": [{"physicalLocation": first["physicalLocation"]}] if first else [],
            "partialFingerprints": {"agraphCycle/v1": self.fingerprint()},
            "properties": {
                "certainty": deadlock.certainty,
                "process": clean(self.one.process),
                "snapshot": clean(self.one.path),
                "blockedBehind": len(deadlock.behind),
                "assumptions": [clean(sentence) for sentence in deadlock.assumptions],
            },
        }
        if flows:
            row["codeFlows"] = [{"message": _text("Who waits for whom."), "threadFlows": flows}]
        return row

    def thread_flows(self) -> list[dict[str, Any]]:
        """For each waiter of the cycle: where it took what the others want, then where it waits."""
        taken: dict[int, list[dict[str, Any]]] = {}
        flows: dict[int, list[dict[str, Any]]] = {}
        for hop in self.hops:
            edge = hop.edge
            if edge is not None and edge.kind == "held_by":
                site = None if edge.site is None else self.one.snapshot.sites[edge.site]
                text = f"{self.say.label(hop.awaited)} takes {self.say.label(hop.waiter)}"
                taken.setdefault(hop.awaited.id, []).extend(self.step(text, site))
            else:
                site = user_site(self.one.snapshot, hop.waiter)
                flows.setdefault(hop.waiter.id, []).extend(self.step(self.waits(hop), site))
        names = {hop.waiter.id: hop.waiter for hop in self.hops}
        return [
            {"id": self.name(names[number]), "locations": taken.get(number, []) + steps}
            for number, steps in flows.items()
            if steps
        ]

    def waits(self, hop: Hop) -> str:
        ((sentence, _), *_) = self.say.hops([hop])
        return sentence.strip()

    def name(self, node: Node) -> str:
        return f"{node.kind} {node.id}: {self.say.label(node)}"

    def step(self, text: str, site: Site | None) -> list[dict[str, Any]]:
        """One location of a flow; none where there is no file to point at."""
        if site is None or not site.file or site.file.startswith("<"):
            return []
        place: dict[str, Any] = {"artifactLocation": _artifact(site.file, self.root)}
        if site.line > 0:
            place["region"] = {"startLine": site.line}
        location: dict[str, Any] = {"physicalLocation": place, "message": _text(text)}
        if site.function:
            location["logicalLocations"] = [{"fullyQualifiedName": clean(site.function), "kind": "function"}]
        return [{"location": location}]

    def fingerprint(self) -> str:
        """The same for the same cycle through the same code, whatever the tasks are called this time."""
        steps = sorted(self._mark(hop) for hop in self.hops)
        content = "\0".join([self.deadlock.certainty, *steps])
        return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest()

    def _mark(self, hop: Hop) -> str:
        site = user_site(self.one.snapshot, hop.waiter)
        place = f"{self.say.style.file(site.file)} {site.function}" if site else ""
        return f"{hop.waiter.kind} {hop.edge.kind if hop.edge else 'loop'} {hop.awaited.kind} {place}"


def _rule(word: Verdict) -> dict[str, Any]:
    return {
        "id": f"deadlock/{word}",
        "name": f"{word.capitalize()}Deadlock",
        "shortDescription": _text(EXPLAINED[word]),
        "help": _text(MORE[word]),
        "defaultConfiguration": {"level": _LEVELS[word]},
    }


def _notification(error: dict[str, str], style: Style) -> dict[str, Any]:
    row: dict[str, Any] = {"level": "error", "message": _text(clean(error["message"]))}
    if error["path"] != "-":
        place = {"artifactLocation": _artifact(error["path"], style.root)}
        row["locations"] = [{"physicalLocation": place}]
    return row


def _artifact(path: str, root: str) -> dict[str, str]:
    # A path of a snapshot can hold surrogates that stand for no byte, which an address cannot.
    address, relative = uri(path.encode("utf-8", "replace").decode("utf-8"), root)
    return {"uri": address, "uriBaseId": _ROOT} if relative else {"uri": address}


def _text(text: str) -> dict[str, str]:
    return {"text": text}
