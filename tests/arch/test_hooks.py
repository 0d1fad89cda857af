"""The pre-commit hook, the action and the workflow name what exists."""

import re
import tomllib

import pytest
import yaml


@pytest.fixture(scope="module")
def lint_help(run_python):
    return run_python("-m", "agraph_cli", "lint", "--help").stdout


@pytest.fixture(scope="module")
def hooks(root):
    return yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def action(root):
    return yaml.safe_load((root / "action.yml").read_text(encoding="utf-8"))


def options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def test_the_hooks_run_commands_with_options_that_exist(hooks, lint_help):
    for hook in hooks:
        assert hook["entry"].startswith("agraph lint ")
        assert options(hook["entry"]) <= options(lint_help)
        assert hook["require_serial"]


def test_the_hooks_install_the_three_packages(root, hooks):
    for hook in hooks:
        assert {(root / path).resolve() for path in hook["additional_dependencies"]} == {
            path.parent for path in root.glob("packages/*/pyproject.toml")
        }


def test_the_action_runs_the_lint_with_options_that_exist(action, lint_help):
    script = action["runs"]["steps"][-1]["run"]
    assert "/bin/agraph" in script
    assert options(script) <= options(lint_help)
    assert action["inputs"]["format"]["default"] in lint_help


def test_the_action_installs_the_three_packages_at_its_own_commit(root, action):
    script = action["runs"]["steps"][0]["run"]
    named = re.findall(r"\$GITHUB_ACTION_PATH/(\S+?)\"", script)
    assert {root / path for path in named} == {path.parent for path in root.glob("packages/*/pyproject.toml")}


def test_no_input_of_the_action_becomes_text_of_a_script(action):
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_the_documented_inputs_of_the_action_are_all_of_them(root, action):
    text = (root / "docs/how-to/lint-in-ci.md").read_text(encoding="utf-8")
    sentence = re.search(r"Inputs: (.*?)\.", text, flags=re.DOTALL).group(1)
    assert set(re.findall(r"`([a-z-]+)`", sentence)) == set(action["inputs"])


def test_the_workflow_runs_jobs_that_exist(root):
    workflow = yaml.safe_load((root / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    jobs = {command.split()[2] for command in commands}
    script = (root / ".ci/run").read_text(encoding="utf-8")
    assert jobs == set(re.findall(r"^#   bash \.ci/run (\w+)", script, flags=re.MULTILINE))


def test_the_build_of_the_workspace_ships_nothing(root):
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert document["tool"]["hatch"]["build"]["targets"]["wheel"] == {"bypass-selection": True}
