"""The committed uv.lock names versions and no addresses, and covers every dependency.

uv completes its working copy with addresses at each run, so these tests read what is committed and what is
about to be. `python scripts/lock.py` writes the file as it should be.
"""

import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECTS = (
    "pyproject.toml",
    "packages/core/pyproject.toml",
    "packages/static/pyproject.toml",
    "packages/cli/pyproject.toml",
)


@pytest.fixture
def script(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "scripts"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import lock

    return lock


def committed(root, revision):
    shown = subprocess.run(
        ["git", "show", f"{revision}:uv.lock"], cwd=root, capture_output=True, text=True, check=False
    )
    if shown.returncode:
        pytest.skip(f"git shows no {revision}:uv.lock: {shown.stderr.strip()}")
    return shown.stdout


@pytest.mark.parametrize("revision", ["HEAD", ""], ids=["committed", "about to be committed"])
def test_no_addresses_are_committed(root, script, revision):
    assert script.complaint(committed(root, revision)) is None


def test_the_script_strips_what_uv_writes(script):
    written = """version = 1
requires-python = ">=3.11"

[[package]]
name = "a"
version = "1.0"
source = { registry = "https://example.invalid/simple" }
dependencies = [
    { name = "b", version = "2.0", source = { registry = "https://example.invalid/simple" } },
]
sdist = { url = "https://example.invalid/a-1.0.tar.gz", hash = "sha256:00" }
wheels = [
    { url = "https://example.invalid/a-1.0-py3-none-any.whl", hash = "sha256:00" },
]

[[package]]
name = "c"
"""
    stripped = script.strip(written)
    assert script.complaint(written) == "uv.lock line 7 names an address"
    assert script.complaint(stripped) is None
    assert script.strip(stripped) == stripped
    packages = tomllib.loads(stripped)["package"]
    assert [package["name"] for package in packages] == ["a", "c"]
    assert packages[0]["dependencies"] == [{"name": "b", "version": "2.0", "source": {"registry": "."}}]


def test_an_unwidened_header_is_refused(script):
    assert "header" in script.complaint('requires-python = ">=3.11"\n')


def requirements(root):
    for name in PYPROJECTS:
        document = tomllib.loads((root / name).read_text(encoding="utf-8"))
        groups = document.get("dependency-groups", {}).values()
        lines = [*document["project"]["dependencies"], *(line for group in groups for line in group)]
        for line in lines:
            if isinstance(line, str):
                yield name, Requirement(line)


def test_every_dependency_is_locked_at_a_version_it_allows(root):
    try:
        text = committed(root, "HEAD")
    except pytest.skip.Exception:
        text = (root / "uv.lock").read_text(encoding="utf-8")
    locked = {}
    for package in tomllib.loads(text)["package"]:
        locked.setdefault(canonicalize_name(package["name"]), []).append(package["version"])
    missing = [
        f"{where}: {wanted}"
        for where, wanted in requirements(root)
        if not any(wanted.specifier.contains(one) for one in locked.get(canonicalize_name(wanted.name), ()))
    ]
    assert not missing, "not in uv.lock; run `python scripts/lock.py`"
