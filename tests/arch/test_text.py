"""What no tracked file may hold, and what documents promise."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

# Written in parts, so that this file does not hold what it looks for.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "anaconda" + ".org",
    "crates" + ".io",
    "proxy." + "golang.org",
    "deb." + "debian.org",
    "raw." + "githubusercontent.com",
    "codeload." + "github.com",
    "/releases/" + "download/",
    "unpkg" + ".com",
    "js" + "delivr.net",
    "cdn" + "js.",
    "hugging" + "face.co",
    "docker" + ".io",
    "ghcr" + ".io",
]
MACHINE = re.compile(
    r"(?<![\w.$}/~-])/(?:" + "work|root|tmp|home/[a-z]+|opt/python|Users/[A-Za-z]+" + r")(?=/)"
)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#+ +(.+?) *$", flags=re.MULTILINE)
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def texts(root, tracked):
    found = {}
    for path in tracked:
        try:
            # uv completes its working copy of the lock; test_lock.py reads the committed one
            if path.name != "uv.lock":
                found[str(path.relative_to(root))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    assert "pyproject.toml" in found
    return found


def hits(texts, pattern):
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts.items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_host(texts):
    assert hits(texts, re.compile("|".join(map(re.escape, HOSTS)), flags=re.IGNORECASE)) == []


def test_no_file_names_a_path_of_one_machine(texts):
    assert hits(texts, MACHINE) == []


def test_the_patterns_find_what_they_are_for():
    assert MACHINE.search('open("' + "/tmp" + '/x")')
    assert MACHINE.search("see " + "/work" + "/main")
    assert not MACHINE.search("https://host/tmp/x")
    assert not MACHINE.search("${RUNNER_TEMP}/tmp/x and ../work/x")


def anchors(text):
    """The anchors that a Markdown heading gets."""
    cleaned = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in cleaned}


def test_every_link_between_documents_leads_somewhere(root, texts):
    dead = []
    for name, text in texts.items():
        if not name.endswith(".md"):
            continue
        for target in LINK.findall(FENCE.sub("", text)):
            place, _, anchor = unquote(target).partition("#")
            if "://" in place or place.startswith("mailto:"):
                continue
            path = (root / name).parent / place if place else root / name
            if not path.exists():
                dead.append(f"{name} -> {target}")
            elif anchor and anchor not in anchors(path.read_text(encoding="utf-8")):
                dead.append(f"{name} -> {target}: no such heading")
    assert dead == []


def test_every_document_can_be_reached_from_the_readme(root, texts):
    documents = {name for name in texts if name.startswith("docs/") and name.endswith(".md")}
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        for target in LINK.findall(texts.get(name, "")):
            path = ((root / name).parent / unquote(target).partition("#")[0]).resolve()
            if path.is_relative_to(root) and path.suffix == ".md":
                found = str(Path(path).relative_to(root))
                if found not in reached:
                    reached.add(found)
                    waiting.append(found)
    # one page a rule: the index of the rules names them all, and a test of the lint holds it to that
    assert {name for name in documents if not name.startswith("docs/rules/")} <= reached
