"""agraph_static: find untracked futures and waits that can deadlock in asyncio code.

    from agraph_static import lint_source

    for finding in lint_source(text, "app.py"):
        print(finding.path, finding.span.line, finding.code, finding.message)

Importing this package is cheap: libcst is imported when the first file needs it.
"""

from agraph_static._internal.config import LintConfig, load_config
from agraph_static._internal.discover import Discovery, discover
from agraph_static._internal.engine import lint_source
from agraph_static._internal.errors import ConfigError
from agraph_static._internal.fixes import apply_fixes
from agraph_static._internal.model import (
    Confidence,
    Edit,
    FileError,
    Finding,
    Fix,
    FixKind,
    LintResult,
    Related,
    Span,
)
from agraph_static._internal.registry import all_rules
from agraph_static._internal.run import lint_paths
from agraph_static._internal.version import __version__
from agraph_static.rules._base import Rule

__all__ = [
    "Confidence",
    "ConfigError",
    "Discovery",
    "Edit",
    "FileError",
    "Finding",
    "Fix",
    "FixKind",
    "LintConfig",
    "LintResult",
    "Related",
    "Rule",
    "Span",
    "__version__",
    "all_rules",
    "apply_fixes",
    "discover",
    "lint_paths",
    "lint_source",
    "load_config",
]
