"""Our own rules for workflows: what no linter knows, each broken rule told in one line."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tutorial.home import PROJECT

# The commit of each release, looked up when it was chosen. A new one is looked up again, and written here:
# whoever changes this table has seen that the commit is the release's.
RELEASES = {
    "actions/cache": ("v5.0.5", "27d5ce7f107fe9357f9df03efb73ab90386fccae"),
    "actions/checkout": ("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/create-github-app-token": ("v3.1.1", "1b10c78c7865c340bc4f6099eb2f838309f1e8c3"),
    "actions/deploy-pages": ("v5.0.0", "cd2ce8fcbc39b97be8ca5fce6e763baed58fa128"),
    "actions/download-artifact": ("v8.0.1", "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"),
    "actions/github-script": ("v8.0.0", "ed597411d8f924073f98dfc5c65a23a2325f34cd"),
    "actions/setup-python": ("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": ("v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    "actions/upload-pages-artifact": ("v5.0.0", "fc324d3547104276b827a68afc52ff2a11cc49c9"),
    "astral-sh/setup-uv": ("v10.0.1", "20cfd1bf945f4377ade1205e4dbc17946fc9a30d"),
    "aws-actions/configure-aws-credentials": (
        "v6.2.3",
        "e6de054238d6b7531b4efff3b6587d9aade6a06c",
    ),
}
# The jobs that may write, and what. A job that is not here reads, or has no right at all.
WRITERS = {
    ("book.yml", "publish"): {"pages", "id-token"},
    ("upgrade.yml", "propose"): {"contents", "pull-requests"},
}
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
SECRET = re.compile(r"\bsecrets\b|\bgithub\s*(\.\s*token\b|\[)", re.IGNORECASE)
USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(?P<action>[^@\s]+)@(?P<commit>\S+)(?P<comment>.*)$")


@dataclass(frozen=True)
class Workflow:
    """One workflow: its file's name and text, and what YAML makes of it (all scalars are text)."""

    name: str
    text: str
    content: dict[str, Any] = field(repr=False)

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """The jobs by name."""
        return dict(self.content["jobs"])

    def scripts(self) -> Iterator[str]:
        """Give the shell text of every step that has one."""
        for job in self.jobs.values():
            yield from (step["run"] for step in job["steps"] if "run" in step)


def read(path: Path) -> Workflow:
    """Read a workflow's file. YAML 1.1 takes the key `on` for true: here every scalar stays text."""
    text = path.read_text(encoding="utf-8")
    return Workflow(path.name, text, yaml.load(text, yaml.BaseLoader))  # noqa: S506 (no objects)


def each_job_says_what_it_may(workflow: Workflow) -> Iterator[str]:
    """`permissions` of the job, or else of the workflow; only those named above may write."""
    for name, job in workflow.jobs.items():
        granted = job.get("permissions", workflow.content.get("permissions"))
        if not isinstance(granted, dict):
            yield f"job {name} has no permissions that are named one by one"
            continue
        writes = {scope for scope, access in granted.items() if access not in ("read", "none")}
        if beyond := writes - WRITERS.get((workflow.name, name), set()):
            yield f"job {name} may write {', '.join(sorted(beyond))}"


def each_job_ends(workflow: Workflow) -> Iterator[str]:
    """`timeout-minutes` in every job: without it a job that hangs is stopped after six hours."""
    for name, job in workflow.jobs.items():
        if not str(job.get("timeout-minutes", "")).isdigit():
            yield f"job {name} has no timeout-minutes"


def each_action_is_a_commit(workflow: Workflow) -> Iterator[str]:
    """Every `uses:` is a full commit, its release stands beside it, and they belong together."""
    for number, line in enumerate(workflow.text.splitlines(), start=1):
        if not re.match(r"\s*(-\s+)?uses:", line):
            continue
        found = USES.match(line)
        if not found or not re.fullmatch(r"[0-9a-f]{40}", found["commit"]):
            yield f"line {number}: not a full commit"
        elif found["action"] not in RELEASES:
            yield f"line {number}: {found['action']} is not in the table of releases"
        else:
            release, commit = RELEASES[found["action"]]
            if found["commit"] != commit or found["comment"] != f" # {release}":
                yield f"line {number}: the table of releases says {commit} # {release}"


def no_stranger_gets_our_rights(workflow: Workflow) -> Iterator[str]:
    """`pull_request_target` runs with our secrets on what a stranger sends."""
    events = workflow.content["on"]
    if "pull_request_target" in ([events] if isinstance(events, str) else list(events)):
        yield "pull_request_target"


def only_a_step_sees_a_secret(workflow: Workflow) -> Iterator[str]:
    """Secrets, and the job's token, are in the `env` of the step that needs them, or its action's `with`."""
    for path, text in _leaves(workflow.content):
        expressions = [text] if path[-1] == "if" else EXPRESSION.findall(text)
        in_a_step = path[2:3] == ("steps",) and path[4:5] in (("env",), ("with",))
        if any(map(SECRET.search, expressions)) and not in_a_step:
            yield f"{'.'.join(path)}: a secret outside of a step"


def no_script_is_put_together(workflow: Workflow) -> Iterator[str]:
    """No `${{ }}` in a `run:`: whoever writes a branch's name or a title would write our script."""
    for script in workflow.scripts():
        if "${{" in script:
            yield f"`{script.strip().splitlines()[0]}`... has an expression in it"


def what_scripts_name_is_there(workflow: Workflow) -> Iterator[str]:
    """The make targets and the files of this project that a script calls."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for script in workflow.scripts():
        for target in re.findall(r"\bmake ([\w-]+)", script):
            if target not in targets:
                yield f"make {target}: there is no such target"
        for name in re.findall(
            r"(?:python|-r|--constraint|pytest) ((?:app|notebooks|scripts|tests)/\S+)", script
        ):
            if not (PROJECT / name).exists():
                yield f"{name}: there is no such file"


def each_script_is_bash(workflow: Workflow) -> Iterator[str]:
    """Bash can read every script."""
    for script in workflow.scripts():
        said = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        if said.returncode:
            yield said.stderr.strip()


RULES: tuple[Callable[[Workflow], Iterator[str]], ...] = (
    each_job_says_what_it_may,
    each_job_ends,
    each_action_is_a_commit,
    no_stranger_gets_our_rights,
    only_a_step_sees_a_secret,
    no_script_is_put_together,
    what_scripts_name_is_there,
    each_script_is_bash,
)


def _leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give each scalar with the keys and positions that lead to it."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(content, list):
        for position, value in enumerate(content):
            yield from _leaves(value, (*path, str(position)))
    else:
        yield path, str(content)
