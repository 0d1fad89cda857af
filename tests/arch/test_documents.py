"""What the documents promise works: their examples run, and the README starts with what matters."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import agraph_static

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
# Rules show code that hangs, and have tests of their own.
DOCUMENTS = [
    str(path.relative_to(ROOT))
    for path in [
        ROOT / "README.md",
        *sorted(ROOT.glob("packages/*/README.md")),
        *sorted(ROOT.glob("docs/**/*.md")),
    ]
    if "rules" not in path.parts and BLOCK.search(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_examples_of_a_document_run(name, tmp_path):
    if "SIGUSR1" in (ROOT / name).read_text(encoding="utf-8") and sys.platform == "win32":
        pytest.skip("no such signal on Windows")
    for source in BLOCK.findall((ROOT / name).read_text(encoding="utf-8")):
        # In order and in one folder: a later example may read what an earlier one wrote.
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (result.returncode, result.stderr) == (0, ""), source


def test_the_configurations_of_the_documents_are_understood(root, tmp_path):
    text = (root / "docs/how-to/lint-in-ci.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "pyproject.toml").write_text(block, encoding="utf-8")
        assert agraph_static.load_config(tmp_path).root == tmp_path


def test_the_documents_have_examples():
    assert {"README.md", "docs/how-to/capture.md"} <= set(DOCUMENTS)


REPORT = re.compile(
    r"(?<=^```text\n)Deadlock.*?(?=^```$)|(?<=^```text\n)(?=```$)", flags=re.MULTILINE | re.DOTALL
)


def comparable(report):
    """The report without what differs from run to run: the numbers of things without a name, what moved."""
    report = re.sub(r"#\d+ *", "# ", report)
    return re.sub(
        r"takes the \d+ it saw move meanwhile for able to go on", "saw nothing move meanwhile", report
    )


def test_the_report_in_the_readme_is_what_the_demonstration_prints(root, run_python):
    """AGRAPH_UPDATE_GOLDEN=1 writes it anew."""
    printed = run_python("-X", "utf8", "-m", "agraph_cli", "demo").stdout
    report = re.search(r"^Deadlock.*?^  help: .*?(?=^$)", printed, flags=re.MULTILINE | re.DOTALL).group()
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    if os.environ.get("AGRAPH_UPDATE_GOLDEN"):
        text = REPORT.sub(lambda _: report, text, count=1)
        path.write_text(text, encoding="utf-8")
    assert comparable(REPORT.search(text).group()) == comparable(report)


def test_the_readme_gives_two_commands_on_its_first_screen(root):
    screen = (root / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    commands = re.findall(r"^pip install .*$", screen, flags=re.MULTILINE)
    assert commands == [
        "pip install uv && uv run agraph demo",
        "pip install uv && uv run --group test pytest -n 2",
    ]
    assert len(screen.splitlines()) <= 60
