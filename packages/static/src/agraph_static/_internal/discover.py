"""Which files to lint: folders are walked, .gitignore counts at each level, named files are always taken."""

# Plain paths: a walk over 30,000 files should not make objects of them.
# ruff: noqa: PTH110, PTH112, PTH113, PTH118, PTH123
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from agraph_static._internal.config import DEFAULT_EXCLUDE, LintConfig
from agraph_static._internal.model import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pathspec import GitIgnoreSpec

SUFFIXES = (".py", ".pyi", ".pyw")


@dataclass(frozen=True, slots=True)
class Discovery:
    """The files to lint, in a fixed order, and what could not be used.

    Attributes:
        files: Paths as given, or as found below a folder that was given; each once.
        skipped: Number of named files that were left out.
        errors: Paths that do not exist or cannot be listed.
        notes: Sentences about what was left out.
    """

    files: tuple[str, ...]
    skipped: int = 0
    errors: tuple[FileError, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Ignore:
    """The patterns of one file, and the real folder they are relative to."""

    base: str
    spec: GitIgnoreSpec

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """True: left out; False: taken back in by a `!` pattern; None: not mentioned."""
        if not path.startswith(self.base):
            return None
        relative = path[len(self.base) :].replace(os.sep, "/") + ("/" if folder else "")
        return self.spec.check_file(relative).include


class _Walker:
    def __init__(self, config: LintConfig) -> None:
        self.config = config
        self.files: dict[str, str] = {}  # real path -> path as given
        self.errors: list[FileError] = []
        self.notes: list[str] = []
        self.skipped = 0
        self.left_out = 0
        self.excluded_names = frozenset(DEFAULT_EXCLUDE)
        root = os.path.realpath(config.root or ".")
        self.base = _with_separator(root)
        self.exclude = [_Ignore(self.base, _patterns(config.exclude))] if config.exclude else []

    def add(self, given: str) -> None:
        """Take one path of the command line."""
        path = os.path.realpath(given)
        if os.path.isdir(path):
            before, left_out = len(self.files), self.left_out
            self._walk(given, path)
            if len(self.files) == before and self.left_out > left_out:
                self.notes.append(f"{given}: all that is in it is left out by .gitignore or `exclude`")
        elif not os.path.exists(path):
            self.errors.append(FileError(given, "no such file or folder", _near_names(given)))
        elif not os.path.isfile(path):
            self.errors.append(FileError(given, "not a regular file"))
        elif given.endswith(".ipynb"):
            self._skip(f"{given} is a notebook: skipped, agraph lints Python source files")
        elif self.config.force_exclude and self._excluded_anywhere(path):
            self._skip("")
        else:
            self.files.setdefault(path, given)

    def _skip(self, note: str) -> None:
        self.skipped += 1
        if note:
            self.notes.append(note)

    def _excluded_anywhere(self, path: str) -> bool:
        """Whether the path, or a folder on the way from the root to it, is left out."""
        base = self.base
        below = path.removeprefix(base)
        if self.excluded_names.intersection(PurePath(below).parts[:-1]):
            return True
        ignores = list(self.exclude)
        if self.config.respect_gitignore and os.path.exists(os.path.join(base, ".git")):
            ignores.extend(_repository_excludes(base))
        folder = base
        for part in (*PurePath(below).parts[:-1], ""):
            if self.config.respect_gitignore and path.startswith(base):
                ignores.extend(_gitignore(folder))
            if _left_out(ignores, path, folder=False):
                return True
            folder = os.path.join(folder, part)
            if part and _left_out(ignores, folder, folder=True):
                return True
        return False

    def _walk(self, given: str, real: str) -> None:
        ignores = [*self.exclude, *(self._parent_ignores(real) if self.config.respect_gitignore else ())]
        seen: set[str] = set()
        stack = [(given, real, tuple(ignores))]
        while stack:
            shown, folder, ignores_here = stack.pop()
            if folder in seen:  # a symlink that leads back
                continue
            seen.add(folder)
            if self.config.respect_gitignore:
                ignores_here += tuple(_gitignore(folder))
            stack.extend(reversed(list(self._list(shown, folder, ignores_here))))

    def _list(
        self, shown: str, folder: str, ignores: tuple[_Ignore, ...]
    ) -> Iterator[tuple[str, str, tuple[_Ignore, ...]]]:
        """Take the files of one folder; yield the folders below it."""
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.errors.append(FileError(shown, f"cannot list the folder: {error.strerror or error}"))
            return
        for entry in listed:
            if entry.name in self.excluded_names:
                continue
            below = entry.name if shown == "." else os.path.join(shown, entry.name)
            try:
                is_folder = entry.is_dir()
            except OSError:  # a symlink to itself
                continue
            wanted = is_folder or entry.name.endswith(SUFFIXES)
            if not wanted:
                continue
            if _left_out(ignores, os.path.join(folder, entry.name), folder=is_folder):
                self.left_out += 1
                continue
            real = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(folder, entry.name)
            if is_folder:
                yield below, real, ignores
            elif entry.is_symlink() and not os.path.isfile(real):  # as Emacs makes them: `.#app.py`
                self._skip(f"skipped {below}: the link leads to no file")
            elif entry.is_file():  # and no pipe or socket, which reading would wait for
                self.files.setdefault(real, below)

    def _parent_ignores(self, folder: str) -> list[_Ignore]:
        """The .gitignore files above a folder, up to the repository's root, and what only this clone ignores.

        None outside a repository.
        """
        found: list[_Ignore] = []
        parents = [Path(folder), *Path(folder).parents]
        for index, parent in enumerate(parents):
            if (parent / ".git").exists():
                found.extend(_repository_excludes(str(parent)))
                for above in reversed(parents[1 : index + 1]):
                    found.extend(_gitignore(str(above)))
                return found
        return []


def _patterns(lines: Iterable[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 40 ms, and only where something is ignored

    return GitIgnoreSpec.from_lines(lines)


def _with_separator(folder: str) -> str:
    return folder if folder.endswith(os.sep) else folder + os.sep


def _gitignore(folder: str) -> Iterator[_Ignore]:
    return _ignore_file(os.path.join(folder, ".gitignore"), folder)


def _repository_excludes(root: str) -> Iterator[_Ignore]:
    """`.git/info/exclude`, which .gitignore files overrule; in a worktree the file `.git` says where."""
    git = os.path.join(root, ".git")
    try:
        if os.path.isfile(git):
            git = os.path.join(root, _first_line(git).removeprefix("gitdir:").strip())
            git = os.path.join(git, _first_line(os.path.join(git, "commondir")))
    except OSError:
        return iter(())
    return _ignore_file(os.path.join(git, "info", "exclude"), root)


def _first_line(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readline().strip()


def _ignore_file(path: str, folder: str) -> Iterator[_Ignore]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
    except OSError:
        return
    if any(
        line.strip() and not line.startswith("#") for line in lines
    ):  # the file that git makes has comments
        yield _Ignore(_with_separator(folder), _patterns(lines))


def _left_out(ignores: Iterable[_Ignore], path: str, *, folder: bool) -> bool:
    """The last file that mentions the path decides, as git does it."""
    out = False
    for ignore in ignores:
        verdict = ignore.verdict(path, folder=folder)
        if verdict is not None:
            out = verdict
    return out


def _near_names(given: str) -> str:
    import difflib  # noqa: PLC0415 - imported when first needed

    path = Path(given)
    try:
        names = [entry.name for entry in path.absolute().parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean `{path.parent / near[0]}`?" if near else ""


def discover(paths: Iterable[str | os.PathLike[str]], config: LintConfig | None = None) -> Discovery:
    """Find the files to lint.

    Args:
        paths: Files and folders. Named files are always taken, unless `config.force_exclude` is set and they
            are excluded. Folders are walked; symlinks are followed, each real file and folder once.
        config: Exclude patterns and whether .gitignore files count.

    Returns:
        The files in a fixed order, and the paths that could not be used.
    """
    walker = _Walker(config or LintConfig())
    for path in paths:
        walker.add(os.fspath(path))
    return Discovery(tuple(walker.files.values()), walker.skipped, tuple(walker.errors), tuple(walker.notes))
