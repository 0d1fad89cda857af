"""Everything that is written goes through here: colour, encoding, broken pipes, files whole or not at all."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from agraph_cli.errors import CommandError
from agraph_cli.report.style import Style, clean, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agraph_cli.report.style import Role

Color = Literal["auto", "always", "never"]

_BOX = "└─…⋮"
_STYLES: dict[Role, str] = {
    "bad": "bold red",
    "warn": "yellow",
    "good": "green",
    "accent": "cyan",
    "strong": "bold",
}


def style_for(color: Color, output: str | None = None, *, everything: bool = False) -> Style:
    """How a report to standard output, or to a file, looks.

    Args:
        color: What the user asked for.
        output: The file it goes to; None or `-` for standard output.
        everything: Whether lists are shown whole.

    Returns:
        The style.
    """
    to_file = output not in {None, "-"}
    wanted = color == "always" or (color == "auto" and not to_file and _wants_color(sys.stdout))
    encoding = "utf-8" if to_file else getattr(sys.stdout, "encoding", None) or "ascii"
    return Style(
        paint=_painter() if wanted else plain,
        ascii=not _can_show(encoding),
        limit=None if everything else 10,
        root=_here(),
    )


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal; one that is closed is none."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _wants_color(stream: TextIO) -> bool:
    # no-color.org and force-color.org: any value but the empty one counts.
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in {"", "0"} or os.environ.get("CLICOLOR_FORCE", "0") not in {
        "",
        "0",
    }:
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def _painter() -> Callable[[str, Role], str]:
    # rich costs as much start-up time as the rest of the command: only who sees colours pays for it.
    from rich.color import ColorSystem
    from rich.style import Style as RichStyle

    styles = {role: RichStyle.parse(definition) for role, definition in _STYLES.items()}
    return lambda text, role: styles[role].render(text, color_system=ColorSystem.STANDARD)


def _can_show(encoding: str) -> bool:
    try:
        _BOX.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def write(lines: Iterable[str], output: str | None = None) -> None:
    """Write lines to standard output or to a file.

    A reader that went away (`| head`) is no error. A file appears whole or not at all; a link stays one, and
    what it points to is written. What is no file, such as a pipe, is written to.

    Args:
        lines: Lines without line ends.
        output: The file; None or `-` for standard output.

    Raises:
        CommandError: The file cannot be written.
    """
    if output is None or output == "-":
        _print(lines, sys.stdout)
    else:
        _save("".join(f"{line}\n" for line in lines), Path(output))


def write_raw(data: bytes) -> None:
    """Write bytes to standard output as they are.

    Args:
        data: The bytes.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _close_quietly(sys.stdout)


def say(line: str) -> None:
    """Write a line to standard error: what is not data."""
    _print([line], sys.stderr)


def complain(message: str, hint: str = "") -> None:
    """Tell of an error on standard error.

    Args:
        message: What is wrong.
        hint: What to do; may be empty.
    """
    say(f"error: {_cleaned(message)}")
    if hint:
        say(f"hint: {_cleaned(hint)}")


def _cleaned(text: str) -> str:
    # Further lines are indented: text from a file cannot pass for a message of ours.
    return "\n  ".join(clean(line) for line in text.splitlines())


def _print(lines: Iterable[str], stream: TextIO) -> None:
    try:
        stream.writelines(_encodable(f"{line}\n", stream) for line in lines)
        stream.flush()
    except BrokenPipeError:
        _close_quietly(stream)


def _close_quietly(stream: TextIO) -> None:
    # Python flushes standard output once more at exit, which would fail again and print a complaint.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encodable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _save(text: str, target: Path) -> None:
    data = text.encode("utf-8", "backslashreplace")
    try:
        if _is_stream(target):
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_APPEND), "wb") as file:
                file.write(data)
        else:
            _replace(Path(os.path.realpath(target)), data)  # a link is not replaced, but what it names
    except OSError as error:
        raise CommandError(
            f"cannot write {target}: {error.strerror or error}", hint="name a file in a folder that exists"
        ) from None


def _is_stream(target: Path) -> bool:
    """Whether to write to what is there, a device or a pipe, instead of putting a file in its place.

    `/dev/stdout` is one even where standard output goes to a file: it may have been opened to append to.
    """
    if not target.exists():
        return False
    return not target.is_file() or os.path.abspath(target).startswith(("/dev/", "/proc/"))  # noqa: PTH100


def _replace(target: Path, data: bytes) -> None:
    import tempfile

    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes files private; a report is like any file the user writes.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
