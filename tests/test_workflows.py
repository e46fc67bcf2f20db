"""Would GitHub take our workflows, and are they as safe as we say? Linters, GitHub's schema, our own rules."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tutorial.home import PROJECT
from workflow_rules import RULES, Workflow, read

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
DEPENDABOT = PROJECT / ".github" / "dependabot.yml"
DEPLOY = PROJECT / ".github" / "workflows" / "deploy_app.yml"
UPGRADE = PROJECT / ".github" / "workflows" / "upgrade.yml"
ACTIONLINT = PROJECT / ".tools" / "actionlint" / "node_modules" / "@tktco" / "node-actionlint"
LOCKED = (
    "uv.lock",
    "app/requirements.txt",
    "tests/app/requirements.txt",
    "notebooks/requirements.txt",
    "infra/mlflow-requirements.txt",
)


def command(name: str) -> str:
    """A command of this environment; the test fails by name where it is missing."""
    path = Path(sys.executable).with_name(name)
    return str(path) if path.exists() else pytest.fail(f"{name} is missing: run `make test`.")


def zizmor(*files: Path) -> list[str]:
    """What zizmor, which looks for holes, finds; also where it is only a smell."""
    options = ["--offline", "--quiet", "--pedantic", "--strict-collection", "--format=json-v1"]
    said = subprocess.run(
        [command("zizmor"), *options, *map(str, files)], capture_output=True, text=True
    )
    if not said.stdout:
        return [said.stderr]
    return [f"{found['ident']}: {found['desc']}" for found in json.loads(said.stdout)]


def actionlint(*files: Path) -> list[str]:
    """What actionlint finds, which knows GitHub's keys, events, labels and expressions."""
    node = shutil.which("node")
    if node is None or not ACTIONLINT.is_dir():
        pytest.fail("actionlint, or the node that runs it, is missing: run `make test`.")
    script = Path(__file__).with_name("actionlint.cjs")
    said = subprocess.run([node, script, ACTIONLINT, *files], capture_output=True, text=True)
    if said.returncode:
        return [said.stderr]
    return [
        f"{one['kind']}: line {one['line']}: {one['message']}" for one in json.loads(said.stdout)
    ]


def schema(*files: Path, name: str = "github-workflows") -> list[str]:
    """Where files differ from GitHub's schema, which check-jsonschema brings along."""
    options = ["--builtin-schema", f"vendor.{name}", "--output-format", "json"]
    said = subprocess.run(
        [command("check-jsonschema"), *options, *map(str, files)], capture_output=True, text=True
    )
    answer = json.loads(said.stdout)
    return [str(one) for one in [*answer.get("errors", []), *answer.get("parse_errors", [])]]


def own_rules(*files: Path) -> list[str]:
    """Which of our own rules the workflows break."""
    workflows = [read(file) for file in files]
    return [f"{w.name}: {said}" for w in workflows for rule in RULES for said in rule(w)]


Tool = Callable[..., list[str]]
TOOLS: tuple[Tool, ...] = (zizmor, actionlint, schema, own_rules)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_no_tool_finds_anything(tool: Tool) -> None:
    theirs = {"deploy_app.yml", "train.yml", "report.yml", "promote.yml"}
    assert theirs | {"book.yml", "ci.yml", "host.yml", "upgrade.yml"} <= {w.name for w in WORKFLOWS}
    assert tool(*WORKFLOWS) == []


def test_dependabot_is_told_what_it_understands() -> None:
    assert schema(DEPENDABOT, name="dependabot") == []
    assert zizmor(DEPENDABOT) == []


@dataclass(frozen=True)
class Broken:
    """A change of deploy_app.yml, the tool that must mind, and a word of what it says."""

    tool: Tool
    was: str
    becomes: str
    says: str


CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
NO_CREDENTIALS = "\n        with:\n          persist-credentials: false"
TESTS = "run: python -m pytest --numprocesses auto tests/app"
TITLE = "run: echo ${{ github.event.head_commit.message }}"
PERMISSIONS = "permissions:\n  contents: read\n"
KEY_OF_THE_JOB = "environment: production\n    env:\n      KEY: ${{ secrets.HEROKU_API_KEY }}"
BROKEN = [
    Broken(zizmor, CHECKOUT, "actions/checkout@v7", "unpinned-uses"),
    Broken(zizmor, NO_CREDENTIALS, "", "artipacked"),
    Broken(zizmor, PERMISSIONS, "permissions: write-all\n", "excessive-permissions"),
    Broken(zizmor, PERMISSIONS, "", "excessive-permissions"),
    Broken(zizmor, TESTS, TITLE, "template-injection"),
    Broken(zizmor, "  push:", "  pull_request_target:\n  push:", "dangerous-triggers"),
    Broken(actionlint, "needs: test", "needs: tests", "job-needs"),
    Broken(actionlint, "ubuntu-latest", "ubuntu-last", "runner-label"),
    Broken(actionlint, "vars.", "var.", "undefined variable"),
    Broken(actionlint, "secrets.HEROKU_API_KEY }}", "secrets.HEROKU_API_KEY }", "expression"),
    Broken(actionlint, TESTS, TITLE, "untrusted"),
    Broken(actionlint, "jobs:", "jobs: [", "could not parse"),
    Broken(schema, "timeout-minutes: 10", "timeout-minutes: [10]", "timeout-minutes"),
    Broken(schema, "run: python -m pytest", "ran: python -m pytest", "steps[3]"),
    Broken(schema, "branches: [main]", "branches: main", "$.on.push.branches"),
    Broken(schema, "cancel-in-progress", "cancel", "$.concurrency"),
    Broken(own_rules, "    timeout-minutes: 10\n", "", "job test has no timeout-minutes"),
    Broken(own_rules, PERMISSIONS, "", "no permissions"),
    Broken(own_rules, "contents: read", "contents: write", "may write contents"),
    Broken(own_rules, "permissions:\n  contents: read", "permissions: write-all", "one by one"),
    Broken(own_rules, "@3d3c42e5", "@3d3c42e4", "the table of releases"),
    Broken(own_rules, "# v7.0.1", "# v7.0.2", "the table of releases"),
    Broken(own_rules, " # v7.0.1", "", "the table of releases"),
    Broken(own_rules, CHECKOUT, "actions/checkout@v7", "not a full commit"),
    Broken(own_rules, CHECKOUT, "./here", "not a full commit"),
    Broken(own_rules, "actions/checkout", "action/checkout", "not in the table"),
    Broken(own_rules, "  push:", "  pull_request_target:\n  push:", "pull_request_target"),
    Broken(own_rules, "environment: production", KEY_OF_THE_JOB, "jobs.deploy.env.KEY: a secret"),
    Broken(own_rules, "python scripts/deploy.py", "echo ${{ secrets.A }}", "a secret outside"),
    Broken(own_rules, "name: Test the app", "name: ${{ github['token'] }}", "a secret outside"),
    Broken(own_rules, TESTS, TITLE, "has an expression in it"),
    Broken(own_rules, TESTS, "run: make tests", "make tests: there is no such target"),
    Broken(
        own_rules, "scripts/deploy.py", "scripts/deploys.py", "deploys.py: there is no such file"
    ),
    Broken(own_rules, TESTS, 'run: echo "', "unexpected EOF"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: f"{b.tool.__name__}-{b.says}")
def test_a_workflow_that_is_broken_is_refused(broken: Broken, tmp_path: Path) -> None:
    text = DEPLOY.read_text(encoding="utf-8")
    assert broken.was in text
    # zizmor asks where a file is before it takes it for a workflow.
    copy = tmp_path / ".github" / "workflows" / DEPLOY.name
    copy.parent.mkdir(parents=True)
    copy.write_text(text.replace(broken.was, broken.becomes), encoding="utf-8")
    found = broken.tool(copy)
    assert any(broken.says in said for said in found), found


def deploy() -> Workflow:
    return read(DEPLOY)


def test_a_newcomer_can_read_the_readers_workflow() -> None:
    assert len(deploy().text.splitlines()) <= 80
    assert deploy().text.endswith("\n")
    assert not deploy().text.endswith("\n\n")


def test_a_push_to_main_deploys_what_passed_its_tests_and_is_never_cut() -> None:
    content = deploy().content
    assert content["on"] == {"push": {"branches": ["main"]}}
    assert content["concurrency"] == {"group": "production", "cancel-in-progress": "false"}
    assert deploy().jobs["deploy"]["needs"] == "test"
    assert deploy().jobs["deploy"]["environment"] == "production"
    assert "python -m pytest --numprocesses auto tests/app" in [
        s.get("run") for s in deploy().jobs["test"]["steps"]
    ]


def test_one_step_sees_the_secrets_and_it_is_the_last() -> None:
    *others, last = [step for job in deploy().jobs.values() for step in job["steps"]]
    assert not [step for step in others if "env" in step]
    assert last["run"] == "python scripts/deploy.py"
    assert last["env"] == {
        "HEROKU_API_KEY": "${{ secrets.HEROKU_API_KEY }}",
        "HEROKU_APP_NAME": "${{ secrets.HEROKU_APP_NAME }}",
        "HEROKU_API_URL": "${{ vars.HEROKU_API_URL }}",
    }


def test_every_workflow_calls_what_people_call() -> None:
    """What proves, builds and upgrades the project is a make target, or the `tutorial` command."""
    for name in ("ci.yml", "book.yml"):
        scripts = list(read(DEPLOY.with_name(name)).scripts())
        assert scripts
        assert not [s for s in scripts if not s.startswith(("make ", ".venv/bin/tutorial "))]
    assert {"make test", "make book"} < set(read(UPGRADE).scripts())


# --- The weekly upgrade: its scripts, run by bash as GitHub does


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a small repository that holds the locked versions, as the workflow's jobs have it."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "person").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    origin, work = tmp_path / "origin.git", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(tmp_path, "clone", "--quiet", str(origin), str(work))
    for name in LOCKED:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("old\n")
    git(work, "add", ".")
    git(work, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "First")
    git(work, "push", "--quiet", "origin", "HEAD:main")
    return work


def git(folder: Path, *arguments: str) -> str:
    said = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return said.stdout


def stand_in(clone: Path, name: str, script: str) -> None:
    """Put a command of that name on the PATH."""
    file = clone.parent / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def run_step(clone: Path, name: str, **environment: str) -> None:
    """Run the script of the step of that name as GitHub runs it."""
    steps = [step for job in read(UPGRADE).jobs.values() for step in job["steps"]]
    (script,) = [step["run"] for step in steps if step["name"] == name]
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    said = subprocess.run(
        bash, cwd=clone, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize(("does", "changed"), [("true", "false"), ("echo new > uv.lock", "true")])
def test_the_upgrade_says_whether_there_is_anything_new(
    clone: Path, does: str, changed: str
) -> None:
    stand_in(clone, "make", f'[ "$1" = upgrade ] && {does}')
    output = clone.parent / "output"
    run_step(clone, "Lock the newest versions", GITHUB_OUTPUT=str(output))
    assert output.read_text() == f"changed={changed}\n"


@pytest.mark.parametrize(("open_already", "created"), [("", True), ("7", False)])
def test_the_upgrade_proposes_the_locked_files_once(
    clone: Path, open_already: str, created: bool
) -> None:
    called, downloaded = clone.parent / "called", clone.parent / "downloaded" / "locked"
    stand_in(clone, "gh", f'echo "$@" >> {called}; [ "$2" != list ] || echo "{open_already}"')
    for name in (*LOCKED, "app/page.py"):
        (downloaded / name).parent.mkdir(parents=True, exist_ok=True)
        (downloaded / name).write_text("new\n")
    before = git(clone, "rev-parse", "HEAD").strip()
    run_step(
        clone,
        "Commit, push, open the pull request",
        GITHUB_REF_NAME="main",
        RUNNER_TEMP=str(downloaded.parent),
        RUN="https://example.org/run/1",
        GH_TOKEN="t0ken",
    )
    origin = clone.parent / "origin.git"
    changed = git(origin, "diff", "--name-only", before, "upgrade").split()
    assert sorted(changed) == sorted(LOCKED)
    assert git(origin, "rev-parse", "main").strip() == before
    said = called.read_text()
    assert ("pr create --head upgrade --base main" in said) == created
    assert "t0ken" not in said
