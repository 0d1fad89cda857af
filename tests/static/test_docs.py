"""docs/rules holds one page a rule, equal to what the rules say. AGRAPH_UPDATE_GOLDEN=1 rewrites them."""

from __future__ import annotations

import os
from pathlib import Path

from agraph_static import all_rules
from agraph_static._internal.pages import index, page

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "rules"


def wanted() -> dict[str, str]:
    rules = all_rules()
    return {"index.md": index(rules), **{f"{rule.code}.md": page(rule) for rule in rules}}


def test_pages_are_what_the_rules_say():
    if os.environ.get("AGRAPH_UPDATE_GOLDEN") == "1":
        DOCS.mkdir(parents=True, exist_ok=True)
        for stale in DOCS.glob("*.md"):
            stale.unlink()
        for name, text in wanted().items():
            (DOCS / name).write_text(text, encoding="utf-8")
    assert {file.name: file.read_text(encoding="utf-8") for file in DOCS.glob("*.md")} == wanted()
