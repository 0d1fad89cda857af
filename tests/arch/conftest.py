"""What the tests of the house share."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {"agraph": "core", "agraph_static": "static", "agraph_cli": "cli"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[Path]:
    """Every file that git tracks and the work tree has."""
    if not (root / ".git").exists():
        pytest.skip("no git repository: an unpacked archive")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    paths = [root / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="session")
def sources(root: Path) -> dict[Path, ast.Module]:
    """The source files of the three packages, parsed."""
    found = {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for name, folder in PACKAGES.items()
        for path in sorted((root / "packages" / folder / "src" / name).rglob("*.py"))
    }
    assert len(found) > 20
    return found


@pytest.fixture(scope="session")
def run_python() -> object:
    """Run this interpreter with some arguments; returns what it wrote, fails where it failed."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, encoding="utf-8", check=True, timeout=60
        )

    return run
