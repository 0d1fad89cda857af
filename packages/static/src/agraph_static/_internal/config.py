"""The lint configuration: `[tool.agraph.lint]` of the nearest pyproject.toml that has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from agraph_static._internal.errors import ConfigError
from agraph_static._internal.model import CONFIDENCES, Confidence

if TYPE_CHECKING:
    from collections.abc import Iterable

FixStyle = Literal["auto", "inline-shim", "agraph-core", "stdlib-3.14"]
WrapperRole = Literal["task", "future", "chain", "resolve", "callback"]

DEFAULT_EXCLUDE = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "__pypackages__",
    "__pycache__",
    "_build",
    "buck-out",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)


@dataclass(frozen=True, slots=True)
class LintConfig:
    """What to lint and how. Rule codes may be prefixes (`AG1`) or `ALL`.

    Attributes:
        select: Rules to run; None stands for the rules that are on by default.
        ignore: Rules not to run.
        extend_select: Rules to run beside `select`.
        per_file_ignores: Pairs of a gitignore-style pattern and the rules not to report in matching files.
        exclude: gitignore-style patterns of files and folders to leave out, beside the default ones.
        extra_wrappers: Pairs of a dotted function name and its role: `task` (makes a task of its first
            argument),
            `future` (makes a future), `chain` (copies the first argument's result to the second),
            `resolve` (resolves its first argument), `callback` (adds its second argument to the first as
            done-callback).
        fix_style: How fixes name the 3.14 functions: `auto` chooses from `requires-python`.
        min_confidence: Findings below it are not reported.
        requires_python: The project's `requires-python`, as written; empty when unknown.
        force_exclude: Leave out excluded files even when they are named.
        respect_gitignore: Leave out what .gitignore files name.
        root: The directory that patterns are relative to; None stands for the current directory.
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    extra_wrappers: tuple[tuple[str, WrapperRole], ...] = ()
    fix_style: FixStyle = "auto"
    min_confidence: Confidence = "likely"
    requires_python: str = ""
    force_exclude: bool = False
    respect_gitignore: bool = True
    root: Path | None = field(default=None)


def load_config(start: Path | str = ".") -> LintConfig:
    """Read the configuration that holds for a file or folder.

    Args:
        start: Where to look first; then its parents. A `pyproject.toml` file itself is also understood, and
            must then be readable.

    Returns:
        The configuration of the nearest pyproject.toml that has `[tool.agraph.lint]`; the defaults when
        none has.

    Raises:
        ConfigError: The file is not TOML, or a key or value in the table is not known.
    """
    start = Path(start)
    if start.suffix == ".toml":
        return _from_document(start, _read_toml(start))
    folder = start.absolute()
    nearest = None
    for candidate in (folder, *folder.parents):
        file = candidate / "pyproject.toml"
        if not file.is_file():
            continue
        document = _read_toml(file)
        if "lint" in _tool_table(file, document):
            return _from_document(file, document)
        nearest = nearest or (file, document)
    return LintConfig() if nearest is None else _from_document(*nearest)


def _near(word: str, known: Iterable[str], n: int = 1) -> list[str]:
    import difflib  # noqa: PLC0415 - only for a message

    return difflib.get_close_matches(word, known, n=n)


def _tool_table(file: Path, document: dict[str, Any]) -> dict[str, Any]:
    tools = document.get("tool", {})
    table = tools.get("agraph", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: `tool.agraph` must be a table, not {_type_name(table)}")
    for key in table:
        if key != "lint":
            near = _near(key, ["lint"])
            hint = "did you mean `lint`?" if near else "the settings are in `[tool.agraph.lint]`"
            raise ConfigError(f"{file}: unknown key `{key}` in `[tool.agraph]`", help=hint)
    return table


def _read_toml(file: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - only where there is a file to read

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error


def _from_document(file: Path, document: dict[str, Any]) -> LintConfig:
    table = _tool_table(file, document).get("lint", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: `tool.agraph.lint` must be a table, not {_type_name(table)}")
    values: dict[str, Any] = {}
    for key, value in table.items():
        reader = _READERS.get(key)
        if reader is None:
            raise _unknown_key(file, key)
        values[key.replace("-", "_")] = reader(file, key, value)
    project = document.get("project")
    requires = project.get("requires-python", "") if isinstance(project, dict) else ""
    return LintConfig(
        **values, requires_python=requires if isinstance(requires, str) else "", root=file.parent
    )


def _unknown_key(file: Path, key: str) -> ConfigError:
    near = _near(key.replace("_", "-"), _READERS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(sorted(_READERS))}"
    return ConfigError(f"{file}: unknown key `{key}` in `[tool.agraph.lint]`", help=hint)


def _wrong(file: Path, key: str, expected: str, value: object) -> ConfigError:
    return ConfigError(f"{file}: `tool.agraph.lint.{key}` must be {expected}, not {_type_name(value)}")


def _type_name(value: object) -> str:
    names = {"str": "a string", "int": "a number", "bool": "a boolean", "list": "a list", "dict": "a table"}
    return names.get(type(value).__name__, type(value).__name__)


def _strings(file: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(file, key, "a list of strings", value)
    return tuple(value)


def _codes(file: Path, key: str, value: object) -> tuple[str, ...]:
    codes = _strings(file, key, value)
    check_codes(codes, where=f"{file}: `tool.agraph.lint.{key}`")
    return codes


def check_codes(codes: tuple[str, ...], *, where: str) -> None:
    """Refuse codes that match no rule.

    Args:
        codes: Codes, prefixes of codes, or `ALL`.
        where: What the message starts with, such as the option's name.

    Raises:
        ConfigError: A code matches no rule; the help names the nearest one.
    """
    from agraph_static._internal.registry import all_rules  # noqa: PLC0415 - imported when first needed

    known = [rule.code for rule in all_rules()]
    for code in codes:
        if code == "ALL" or (code and any(one.startswith(code) for one in known)):
            continue
        near = _near(code.upper(), known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known rules: {', '.join(known)}"
        raise ConfigError(f"{where}: no rule is called `{code}`", help=hint)


def _per_file(file: Path, key: str, value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise _wrong(file, key, "a table of pattern = list of codes", value)
    return tuple((pattern, _codes(file, f"{key}.{pattern}", codes)) for pattern, codes in value.items())


def _wrappers(file: Path, key: str, value: object) -> tuple[tuple[str, WrapperRole], ...]:
    if not isinstance(value, dict):
        raise _wrong(file, key, "a table of function = role", value)
    return tuple(
        (name, _choice(file, f"{key}.{name}", role, get_args(WrapperRole))) for name, role in value.items()
    )


def _choice(file: Path, key: str, value: object, choices: tuple[str, ...]) -> Any:  # noqa: ANN401 - one of the choices
    if value in choices:
        return value
    near = _near(str(value), choices, n=1)
    hint = f"did you mean `{near[0]}`?" if near else ""
    listed = ", ".join(f"`{choice}`" for choice in choices)
    raise ConfigError(f"{file}: `tool.agraph.lint.{key}` must be one of {listed}, not `{value}`", help=hint)


def _fix_style(file: Path, key: str, value: object) -> FixStyle:
    style: FixStyle = _choice(file, key, value, get_args(FixStyle))
    return style


def _min_confidence(file: Path, key: str, value: object) -> Confidence:
    confidence: Confidence = _choice(file, key, value, CONFIDENCES)
    return confidence


_READERS = {
    "select": _codes,
    "ignore": _codes,
    "extend-select": _codes,
    "per-file-ignores": _per_file,
    "exclude": _strings,
    "extra-wrappers": _wrappers,
    "fix-style": _fix_style,
    "min-confidence": _min_confidence,
}
