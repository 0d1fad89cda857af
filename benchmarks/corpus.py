"""Fetch the packages of the lint corpus and unpack them outside the repository.

The packages land in `$XDG_CACHE_HOME/agraph-corpus/<name>==<version>/`, each as its wheel or sdist unpacks.
A name and version that is there already is not fetched again.

    python benchmarks/corpus.py labels        # the packages named by the labelled sites
    python benchmarks/corpus.py bench         # the 67 packages of the bench corpus
    python benchmarks/corpus.py full          # all 156 packages
    python benchmarks/corpus.py aiojobs==1.4.0
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_CORPUS = REPOSITORY.parent / "shared" / "corpus"
NOT_A_PACKAGE = {"cpython"}


def corpus_directory() -> Path:
    """Where unpacked packages are kept: a cache directory outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "agraph-corpus"


def requirements(which: str) -> list[str]:
    """The `name==version` list of a named set, or the requirement itself."""
    if which == "labels":
        rows = (SHARED_CORPUS / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]
        named = dict.fromkeys(row.split("\t")[0] for row in rows if row)
        return [one for one in named if one.split("==")[0] not in NOT_A_PACKAGE]
    if which in ("bench", "full"):
        name = "bench.txt" if which == "bench" else "packages.txt"
        return (SHARED_CORPUS / name).read_text(encoding="utf-8").split()
    return [which]


def find(requirement: str) -> Path | None:
    """The directory of an unpacked package, or None when it was not fetched yet."""
    directory = corpus_directory() / requirement
    if not directory.is_dir():
        return None
    inside = [entry for entry in directory.iterdir() if entry.is_dir()]
    if len(inside) == 1 and (inside[0] / "PKG-INFO").is_file():  # an sdist unpacks into a folder of its own
        return inside[0]
    return directory


def interpreter_library(version: str) -> Path | None:
    """The standard library of an installed interpreter of exactly this version, asked from it."""
    short = ".".join(version.split(".")[:2])
    homes = sorted(Path.home().glob(f".pyenv/versions/{version}/bin/python3"))
    for command in (f"python{short}", *map(str, homes)):
        question = (
            "import os, platform; print(platform.python_version()); print(os.path.dirname(os.__file__))"
        )
        try:
            done = subprocess.run([command, "-c", question], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        exact, library = done.stdout.split()
        if exact == version:
            return Path(library)
    return None


def fetch(requirement: str, *, sdist: bool = False) -> Path:
    """Download one package with pip and unpack it.

    Raises:
        RuntimeError: pip could not download it; the message ends with pip's own last line.
    """
    target = corpus_directory() / (requirement + ("-sdist" if sdist else ""))
    if target.is_dir():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        archive = _download(requirement, Path(scratch), sdist=sdist)
        unpacked = Path(scratch) / "unpacked"
        _unpack(archive, unpacked)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked, target)
    return target


def _download(requirement: str, directory: Path, *, sdist: bool) -> Path:
    name = requirement.partition("==")[0]
    kinds = [["--no-binary", name]] if sdist else [["--only-binary", ":all:"], []]
    done = None
    for extra in kinds:
        # The files are read, not run: whether this interpreter could run them does not matter.
        command = [*_pip(), "download", "--quiet", "--no-deps", "--ignore-requires-python"]
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "-d", str(directory), *extra, requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        archives = sorted(directory.iterdir())
        if done.returncode == 0 and archives:
            return archives[0]
    last = (done.stderr.strip().splitlines() or ["no output"])[-1] if done else ""
    raise RuntimeError(f"{requirement}: {last}")


def _pip() -> list[str]:
    """This interpreter's pip, or the one on the path."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    return [shutil.which("pip") or "pip"]


def _unpack(archive: Path, target: Path) -> None:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
        return
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")


def main(arguments: list[str]) -> int:
    """Fetch what is named; say what could not be had; 1 when something is missing."""
    missing = 0
    for requirement in [one for which in arguments or ["labels"] for one in requirements(which)]:
        try:
            print(fetch(requirement))
        except RuntimeError as error:
            missing += 1
            print(f"missing: {error}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
