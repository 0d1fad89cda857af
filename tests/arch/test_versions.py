"""The three distributions have one version, and pin each other to it."""

import importlib
import importlib.metadata
import re
import tomllib

import pytest


def project(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"]


@pytest.fixture
def version(root):
    return project(root / "pyproject.toml")["version"]


@pytest.mark.parametrize("folder", ["core", "static", "cli"])
def test_every_pyproject_has_the_version(root, version, folder):
    assert project(root / "packages" / folder / "pyproject.toml")["version"] == version


@pytest.mark.parametrize("module", ["agraph", "agraph_static", "agraph_cli"])
def test_every_package_has_the_version(version, module):
    assert importlib.import_module(module).__version__ == version


@pytest.mark.parametrize("distribution", ["agraph-core", "agraph-static", "agraph-cli"])
def test_the_installed_metadata_has_the_version(version, distribution):
    assert importlib.metadata.version(distribution) == version


def test_the_command_line_pins_the_two_libraries(root, version):
    ours = [
        name for name in project(root / "packages/cli/pyproject.toml")["dependencies"] if "agraph" in name
    ]
    assert ours == [f"agraph-core=={version}", f"agraph-static=={version}"]


def test_the_workspace_pins_the_three(root, version):
    expected = [f"agraph-core=={version}", f"agraph-static=={version}", f"agraph-cli=={version}"]
    assert project(root / "pyproject.toml")["dependencies"] == expected


def test_the_libraries_depend_on_none_of_ours(root):
    for folder in ("core", "static"):
        assert not any(
            "agraph" in name for name in project(root / f"packages/{folder}/pyproject.toml")["dependencies"]
        )


def test_the_changelog_starts_with_the_version(root, version):
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[?([^\]\s]+)", text, flags=re.MULTILINE)
    assert headings[0] == version


def test_pythons_supported_are_the_same_everywhere(root):
    projects = [
        project(root / "packages" / folder / "pyproject.toml") for folder in ("core", "static", "cli")
    ]
    named = {tuple(name for name in one["classifiers"] if "Python :: 3." in name) for one in projects}
    assert len(named) == 1
    versions = [name.rsplit(" ", 1)[-1] for name in named.pop()]
    assert {one["requires-python"] for one in projects} == {f">={versions[0]}"}
    workflow = (root / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    script = (root / ".ci/run").read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert f"python: [{', '.join(repr(one) for one in versions)}]".replace("'", '"') in workflow
    assert f"VERSIONS=({' '.join(versions)})" in script
    assert all(one in readme for one in versions)
