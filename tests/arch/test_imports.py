"""Who imports whom."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

# Where a library from outside may be imported: import name -> path prefixes below the package's folder.
ALLOWED = {
    "agraph": {"pytest": ["pytest_plugin.py"], "_pytest": ["pytest_plugin.py"]},
    "agraph_static": {"libcst": [""], "pathspec": [""]},
    "agraph_cli": {
        "agraph": [""],
        "agraph_static": [""],
        "typer": ["app.py", "commands/"],
        "click": ["app.py", "commands/"],
        "rich": ["terminal.py"],
        "networkx": ["analysis/"],
        "_remote_debugging": ["attach/"],  # of the standard library, since Python 3.14
        "msgspec": [""],
        "pathspec": [""],
    },
}


def imported(tree):
    """The top-level names of what a module imports, anywhere in it, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"relative import in line {node.lineno}"
            yield node.module.split(".")[0], node.lineno


def test_the_contracts_hold(root, tmp_path):
    scripts = Path(sysconfig.get_path("scripts"))
    command = shutil.which("lint-imports", path=str(scripts))
    assert command, "import-linter is in the group `test`"
    arguments = [command, "--no-cache", "--config", str(root / "pyproject.toml")]
    result = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


def test_each_library_is_imported_where_it_belongs(root, sources):
    wrong = []
    for path, tree in sources.items():
        package, *inside = path.relative_to(root / "packages").parts[2:]
        place = "/".join(inside)
        for name, line in imported(tree):
            if name == package or name in sys.stdlib_module_names:
                continue
            if not any(place.startswith(prefix) for prefix in ALLOWED[package].get(name, ())):
                wrong.append(f"{path.relative_to(root)}:{line} imports {name}")
    assert not wrong


# Imports every module of the package, without site-packages (-S), and says what came from outside the standard library.
# The plugin for pytest is imported by pytest alone.
PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import importlib, os, pkgutil
import agraph
for module in pkgutil.walk_packages(agraph.__path__, "agraph."):
    if not module.name.endswith(("__main__", ".pytest_plugin")):
        importlib.import_module(module.name)
ours = os.path.dirname(agraph.__file__) + os.sep
stdlib = os.path.dirname(os.__file__) + os.sep
for name, module in sorted(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and not file.startswith((ours, stdlib)):
        print(name, file)
"""


def test_core_needs_nothing_but_the_standard_library(run_python):
    folder = str(Path(importlib.util.find_spec("agraph").origin).parent.parent)
    assert run_python("-I", "-S", "-c", PROGRAM.format(folder=folder)).stdout == ""


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("agraph", {"libcst", "networkx", "typer", "rich", "msgspec", "uvloop", "anyio"}),
        ("agraph_static", {"libcst", "agraph", "agraph_cli", "networkx", "rich"}),
        ("agraph_cli", {"libcst", "networkx", "rich"}),
    ],
)
def test_import_stays_light(run_python, module, unwanted):
    program = (
        f"import sys, json, {module}; print(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    )
    assert unwanted.intersection(json.loads(run_python("-I", "-c", program).stdout)) == set()
