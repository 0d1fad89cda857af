"""docs/reference/cli.md shows the help pages as they are, and every exit code."""

import os
import re
from pathlib import Path

from agraph_cli import ExitCode
from agraph_cli.app import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
BLOCK = re.compile(r"<!-- help: agraph( [a-z]+)? -->\n(.*?)<!-- end -->", flags=re.DOTALL)


def test_help_pages(agraph):
    text = PAGE.read_text(encoding="utf-8")
    shown = BLOCK.sub(lambda match: block(match[1] or "", agraph(f"{match[1] or ''} --help").out), text)
    if os.environ.get("AGRAPH_UPDATE_GOLDEN") == "1":
        PAGE.write_text(shown, encoding="utf-8")
    assert shown == text


def block(command, page):
    return f"<!-- help: agraph{command} -->\n```text\n{page.rstrip()}\n```\n<!-- end -->"


def test_every_command_is_documented():
    text = PAGE.read_text(encoding="utf-8")
    documented = {match[1].strip() for match in BLOCK.finditer(text) if match[1]}
    assert documented == {command.name or command.callback.__name__ for command in app.registered_commands}


def test_every_exit_code_is_documented():
    table = PAGE.read_text(encoding="utf-8").split("## Exit codes")[1].split("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)] == sorted(ExitCode)
