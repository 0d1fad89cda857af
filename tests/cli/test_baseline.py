"""`agraph lint --baseline`: what is known is not reported, what is new is."""

import json
import subprocess
from pathlib import Path

import pytest

HEAD = "import asyncio\n"
BAD = """

async def {name}(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
"""
TWICE = """

async def {name}(task: asyncio.Task):
    waiter = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: waiter.set_result(None))
    await waiter
    second = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: second.set_result(None))
    await second
"""
FILE = "known.jsonl"
HEADER = '{"schema": "agraph.baseline/1"}\n'


def write(path, *names, body=BAD):
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(HEAD + "".join(body.format(name=name) for name in names))


def entries(file=FILE):
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


@pytest.fixture
def known(agraph):
    """A project with two findings, both in the baseline."""
    write("src/a.py", "one")
    write("src/b.py", "two")
    assert agraph(f"lint src --baseline {FILE} --update-baseline").code == 0
    assert (agraph.out, agraph.err) == ("", f"Wrote 2 known problems to {FILE}.\n")
    return agraph


def test_what_is_written(known):
    assert entries() == [
        {"schema": "agraph.baseline/1"},
        {"path": "src/a.py", "code": "AG101", "function": "one", "count": 1},
        {"path": "src/b.py", "code": "AG101", "function": "two", "count": 1},
    ]


def test_what_is_known_is_not_reported(known):
    assert known(f"lint src --baseline {FILE}").code == 0
    assert (known.out, known.err) == ("", "No problems in 2 files, beside 2 in the baseline.\n")
    assert json.loads(known(f"lint src --baseline {FILE} --format json").out)["findings"] == []


def test_moving_code_changes_nothing(known):
    write("src/a.py", "one")
    Path("src/a.py").write_text("# more\n\n" + Path("src/a.py").read_text())
    assert known(f"lint src --baseline {FILE}").code == 0


def test_what_is_new_is_reported(known):
    write("src/a.py", "one", "three")
    assert known(f"lint src --baseline {FILE}").code == 1
    assert known.out.count("\n") == 1
    assert known.out.startswith("src/a.py:12:5: AG101 ")
    assert known.err == "Found 1 problem in 1 of 2 files, beside 2 in the baseline.\n"


def test_more_of_the_same_kind_in_one_function_are_all_reported(known):
    write("src/a.py", "one", body=TWICE)
    assert known(f"lint src --baseline {FILE}").code == 1
    assert known.out.count("AG101") == 2
    assert f"note: in 1 function there are more problems of one kind than {FILE} allows" in known.err


def test_what_is_gone_is_noted_and_taken_out_on_request(known):
    write("src/a.py")
    assert known(f"lint src --baseline {FILE}").code == 0
    assert f"note: {FILE} allows 1 problem no longer there; " in known.err
    assert known(f"lint src --baseline {FILE} --update-baseline").code == 0
    assert [row["path"] for row in entries()[1:]] == ["src/b.py"]


def test_files_that_are_not_linted_stay_in_it(known):
    assert known(f"lint src/a.py --baseline {FILE}").code == 0
    assert "note" not in known.err
    write("src/a.py")
    assert known(f"lint src/a.py --baseline {FILE} --update-baseline").code == 0
    assert [row["path"] for row in entries()[1:]] == ["src/b.py"]


def test_paths_do_not_depend_on_where_it_is_run(known, monkeypatch):
    monkeypatch.chdir("src")
    assert known(f"lint . --baseline ../{FILE}").code == 0
    assert known(f"lint {Path.cwd()} --baseline ../{FILE}").code == 0
    assert known(f"lint .. --baseline ../{FILE}").code == 0


def test_standard_input(known):
    text = Path("src/a.py").read_bytes()
    assert known(f"lint - --stdin-filename src/a.py --baseline {FILE}", stdin=text).code == 0
    assert known(f"lint - --stdin-filename src/c.py --baseline {FILE}", stdin=text).code == 1


def test_two_branches_merge(known):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, timeout=60
        )

    def change(branch, file, name):
        git("checkout", "-q", "-b", branch, "main")
        write(file, name)
        assert known(f"lint src --baseline {FILE} --update-baseline").code == 0
        git("add", "src", FILE)
        git("commit", "-q", "-m", branch)

    git("init", "-q", "-b", "main")
    git("add", "src", FILE)
    git("commit", "-q", "-m", "start")
    change("left", "src/0.py", "zero")
    change("right", "src/z.py", "last")
    git("merge", "-q", "--no-edit", "left")
    assert [row["path"] for row in entries()[1:]] == ["src/0.py", "src/a.py", "src/b.py", "src/z.py"]
    assert known(f"lint src --baseline {FILE}").code == 0


def test_two_lines_of_one_key_count_once(known):
    with Path(FILE).open("a") as file:
        file.write(json.dumps({"path": "src/a.py", "code": "AG101", "function": "one", "count": 2}) + "\n")
    write("src/a.py", "one", body=TWICE)
    assert known(f"lint src --baseline {FILE}").code == 0


def test_sarif_tells_known_findings_as_suppressed(known):
    write("src/a.py", "one", "three")
    assert known(f"lint src --baseline {FILE} --format sarif").code == 1
    rows = json.loads(known.out)["runs"][0]["results"]
    assert [(row["baselineState"], len(row["suppressions"])) for row in rows] == [
        ("new", 0),
        ("unchanged", 1),
        ("unchanged", 1),
    ]
    assert len({row["partialFingerprints"]["agraphPlace/v1"] for row in rows}) == 3
    assert known("lint src --format sarif").code == 1
    assert "baselineState" not in known.out


@pytest.mark.parametrize(
    ("name", "line", "content"),
    [
        ("missing", "lint src --baseline nope.jsonl", None),
        ("no_file", "lint src --update-baseline", None),
        ("with_diff", "lint src --update-baseline --diff --baseline b.jsonl", None),
        ("conflict", "lint src --baseline b.jsonl", HEADER + "<<<<<<< ours\n"),
        ("no_baseline", "lint src --baseline b.jsonl", "[]\n"),
        (
            "bad_count",
            "lint src --baseline b.jsonl",
            HEADER + '{"path": "a", "code": "b", "function": "c", "count": 0}\n',
        ),
    ],
)
def test_errors(agraph, name, line, content):
    write("src/a.py", "one")
    if content is not None:
        Path("b.jsonl").write_text(content)
    assert agraph(line).code == 2
    agraph.is_golden(f"lint/error_baseline_{name}")
    assert Path("b.jsonl").exists() == (content is not None)


def test_it_is_not_written_when_something_could_not_be_read(known):
    before = Path(FILE).read_text()
    assert known(f"lint src missing.py --baseline {FILE} --update-baseline").code == 2
    assert Path(FILE).read_text() == before
    assert f"error: {FILE} was not written: not everything could be read\n" in known.err
