"""What to install: from arguments, then from the environment."""

from __future__ import annotations

import math
import os
import re
import signal as signals
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agraph._internal.errors import AgraphError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_SIGNAL = "USR2"
MAX_FILES = 50
MIN_STALL_AFTER = 0.1

_OFF = frozenset({"", "0", "off", "no", "false"})
_ON = frozenset({"1", "on", "yes", "true"})
# Taking these would change what the program does: how it ends, stops, goes on, or learns of its children.
_REFUSED = frozenset(
    [
        "KILL",
        "STOP",
        "INT",
        "TERM",
        "CHLD",
        "CLD",
        "PIPE",
        "SEGV",
        "BUS",
        "FPE",
        "ILL",
        "ABRT",
        "IOT",
        "TRAP",
        "SYS",
        "TSTP",
        "CONT",
        "TTIN",
        "TTOU",
    ]
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is installed.

    Attributes:
        signal: The number of the signal; None for no signal.
        socket: The path of the socket, empty for the usual place; None for no socket.
        stall_after: After how many seconds without progress the watchdog looks closer; None for no watchdog.
        directory: Where snapshots go; empty for a place of this user, where the current directory is gone.
        max_files: How many of them are kept there.
        demanded: Whether code has asked for the signal, and not the environment or nobody.
    """

    signal: int | None
    socket: str | None
    stall_after: float | None
    directory: str
    max_files: int
    demanded: bool = False


def read_settings(
    arguments: Mapping[str, object], environment: Mapping[str, str]
) -> tuple[Settings, list[AgraphError]]:
    """Put the settings together.

    Args:
        arguments: By name; None for what is not given.
        environment: Such as `os.environ`; each setting is `AGRAPH_` and its name in capitals there.

    Returns:
        The settings, and what is wrong with environment or machine: such a setting counts as not given.

    Raises:
        AgraphError: An argument is wrong.
    """
    chosen: dict[str, Any] = {}
    wrong: list[AgraphError] = []
    for name, read in _READERS.items():
        variable = f"AGRAPH_{name.upper()}"
        if arguments.get(name) is not None:
            try:
                chosen[name] = read(arguments[name], f"`{name}`")
            except _UnresolvedError as error:
                wrong.append(error)
        elif variable in environment:
            try:
                chosen[name] = read(environment[variable], f"the environment variable {variable}")
            except AgraphError as error:
                wrong.append(error)
    if all(chosen.get(name) in (None, _IS_OFF) for name in ("signal", "socket", "stall_after")):
        chosen.setdefault("signal", _signal(DEFAULT_SIGNAL, "") if hasattr(signals, "SIGUSR2") else _IS_OFF)
        chosen.setdefault("socket", "")
    given = {name: None if value is _IS_OFF else value for name, value in chosen.items()}
    settings = Settings(
        signal=given.get("signal"),
        socket=given.get("socket"),
        stall_after=given.get("stall_after"),
        directory=given.get("directory") or _current_directory(),
        max_files=given.get("max_files") or MAX_FILES,
        demanded=arguments.get("signal") is not None,
    )
    return settings, wrong


class _UnresolvedError(AgraphError):
    """A path that is right, but this machine does not say now where it leads."""


def _absolute(word: str, value: object, name: str) -> str:
    try:
        return str(Path(word).expanduser().absolute())
    except RuntimeError:
        raise _UnresolvedError(
            f"{name} is {value!r}: this user has no home directory", help="give an absolute path"
        ) from None
    except OSError as error:
        raise _UnresolvedError(
            f"{name} is {value!r}: the current directory is gone ({error.strerror})",
            help="give an absolute path",
        ) from None


def _current_directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed, or moved to where we may not look
        return ""


class _IsOff:
    """The value of a trigger that is switched off."""


_IS_OFF = _IsOff()


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value).strip()


def _signal(value: object, name: str) -> object:
    word = _word(value)
    if word.lower() in _OFF:
        return _IS_OFF
    if word.lower() in _ON - {"1"}:
        word = DEFAULT_SIGNAL
    number = _number_of(word.upper().removeprefix("SIG"))
    if number is None:
        raise AgraphError(
            f"{name} is {value!r}: no signal is called that here", help="use USR1, USR2, RTMIN+1 or a number"
        )
    known = number in {int(one) for one in signals.Signals}
    called = signals.Signals(number).name.removeprefix("SIG") if known else ""
    if called in _REFUSED:
        raise AgraphError(
            f"{name} is {value!r}: the program needs SIG{called} for something else",
            help="use a signal that is free, such as USR1 or USR2",
        )
    return number


def _number_of(word: str) -> int | None:
    if re.fullmatch(r"[0-9]{1,3}", word):
        number = int(word)
        return number if number in {int(one) for one in signals.valid_signals()} else None
    realtime = re.fullmatch(r"RTMIN\+([0-9]{1,2})", word)
    if realtime and hasattr(signals, "SIGRTMIN"):
        number = int(signals.SIGRTMIN) + int(realtime[1])
        return number if number <= int(signals.SIGRTMAX) else None
    found = getattr(signals, f"SIG{word}", None)
    return int(found) if isinstance(found, signals.Signals) else None


def _socket(value: object, name: str) -> object:
    word = _word(value)
    if word.lower() in _OFF:
        return _IS_OFF
    return "" if word.lower() in _ON else _absolute(word, value, name)


def _stall_after(value: object, name: str) -> object:
    word = _word(value)
    if word.lower() in _OFF:
        return _IS_OFF
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not MIN_STALL_AFTER <= seconds < math.inf:
        raise AgraphError(
            f"{name} is {value!r}: expected seconds, at least {MIN_STALL_AFTER}", help="5 is a good start"
        )
    return seconds


def _directory(value: object, name: str) -> object:
    word = _word(value)
    if not word:
        raise AgraphError(f"{name} is empty", help="give a directory, or nothing for the current one")
    return _absolute(word, value, name)


def _max_files(value: object, name: str) -> object:
    word = _word(value)
    if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) < 1:
        raise AgraphError(f"{name} is {value!r}: expected a whole number, at least 1")
    return int(word)


_READERS: dict[str, Callable[[object, str], object]] = {
    "signal": _signal,
    "socket": _socket,
    "stall_after": _stall_after,
    "directory": _directory,
    "max_files": _max_files,
}
VARIABLES = tuple(f"AGRAPH_{name.upper()}" for name in _READERS)
