"""The public names are those of `public_names.txt`, each in one place."""

import importlib
import inspect
import pkgutil

import pytest

LIBRARIES = ("agraph", "agraph_static", "agraph_cli")
# Public modules whose names are not taken into their package.
MODULES = ("agraph.reduction",)


@pytest.fixture(scope="module")
def listed(root):
    lines = (root / "tests/arch/public_names.txt").read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    assert names == sorted(set(names))
    found = {library: set() for library in (*LIBRARIES, *MODULES)}
    for name in names:
        module, _, own = name.rpartition(".")
        found[module].add(own)
    return found


@pytest.mark.parametrize("library", [*LIBRARIES, *MODULES])
def test_the_public_names_are_the_written_ones(library, listed):
    assert set(importlib.import_module(library).__all__) == listed[library]


@pytest.mark.parametrize("library", [*LIBRARIES, *MODULES])
def test_every_public_name_can_be_had(library, listed):
    module = importlib.import_module(library)
    assert len(module.__all__) == len(set(module.__all__))
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("library", [*LIBRARIES, *MODULES])
def test_nothing_else_looks_public(library, listed):
    namespace = vars(importlib.import_module(library))
    extra = {
        name for name, thing in namespace.items() if not name.startswith("_") and not inspect.ismodule(thing)
    }
    assert extra - {"TYPE_CHECKING"} <= listed[library]


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_public_name_has_one_place(library, listed):
    package = importlib.import_module(library)
    twice = []
    for info in pkgutil.walk_packages(package.__path__, f"{library}."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        module = importlib.import_module(info.name)
        twice += [f"{info.name}.{name}" for name in getattr(module, "__all__", ()) if name in listed[library]]
    assert twice == []
