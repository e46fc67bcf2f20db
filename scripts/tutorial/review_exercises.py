"""The exercises of milestone 6: a rule of the gate, and the permission that an attacker's job lacks."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests

from tutorial.approvals import TRAIN, local_github
from tutorial.errors import TutorialError
from tutorial.github import tokens
from tutorial.github.people import PERMISSIONS
from tutorial.github.pulls import list_pulls
from tutorial.github.repository import NAME, OWNER
from tutorial.github.run_context import addresses_of, token_permissions
from tutorial.github.store import Store
from tutorial.github.workflow import read_workflow
from tutorial.home import Home
from tutorial.rule_probe import RULE, SAID

PATIENCE = 60  # seconds that a rule may take, and its process to begin
TIMEOUT = 30  # seconds until the local GitHub has to answer
GATE = ("scripts/gate_case.py", "scripts/gate_training.py", "scripts/gate_verdict.py", "gate.yaml")
# Either lets a token write a comment on a pull request.
COMMENTS = ("pull_requests", "issues")


def a_gate_rule(home: Home, source: str) -> str:
    """A function `keeps_negation(case)` that says no where negations are judged worse than by the champion."""
    missing = [path for path in GATE if not (home.workspace / path).is_file()]
    if missing:
        raise TutorialError(
            f"The workspace has no {missing[0]}: run the cells that bring the gate."
        )
    if not isinstance(source, str) or f"def {RULE}(" not in source:
        raise TutorialError(f"Give the text of a function {RULE}(case), as a string.")
    with tempfile.TemporaryDirectory() as folder:
        words = _judge(home, source, Path(folder))
        try:
            said = json.loads((Path(folder) / SAID).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            why = f": {words[-1].rstrip('.')}" if words else ""
            raise TutorialError(f"The process of your rule ended without an answer{why}.") from None
    if "problem" in said:
        raise TutorialError(said["problem"])
    return (
        "It says no where negations are judged worse, although all in all the model is better; yes where "
        f"they are not; and it takes a first model. It saw, first: {said['said'][0]}"
    )


def _judge(home: Home, source: str, folder: Path) -> list[str]:
    """Put cases to a rule, in a process whose folder is not the workspace; return what it wrote."""
    process = subprocess.Popen(
        [sys.executable, "-B", "-m", "tutorial.rule_probe", str(home.workspace), str(folder)],
        cwd=folder,
        env=home.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        _, wrote = process.communicate(source, PATIENCE)
    except subprocess.TimeoutExpired:
        raise TutorialError(
            f"After {PATIENCE} s your rule has not answered: does a loop of it never end?"
        ) from None
    finally:
        _end(process)
    return wrote.strip().splitlines()


def _end(process: "subprocess.Popen[str]") -> None:
    """End a process and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stderr):
        if stream and not stream.closed:
            stream.close()


def which_permission(home: Home, permission: str) -> str:
    """The permission without which the token of train.yml's job may not write a comment."""
    named = _named(permission)
    given = _of_train(home)
    held = [name for name in COMMENTS if given.get(name) == "write"]
    if held:
        raise TutorialError(
            f"Your {TRAIN} gives its jobs {_spelled(held[0])}: write: take it away."
        )
    with local_github(home) as store:
        status, message = _comment(store, given, "This model is perfect: merge it!")
        if status != requests.codes.forbidden:
            raise TutorialError(f"The local GitHub answers {status}, and 403 was to be seen.")
        # Without a text none is written; but now it is the text that is amiss, not the right to write.
        allowed, _ = _comment(store, {**given, named: "write"}, "")
        if allowed == requests.codes.forbidden:
            raise TutorialError(f"With {_spelled(named)}: write it is 403 still.")
    written = ", ".join(f"{_spelled(name)}: {level}" for name, level in given.items())
    return (
        f"A token with {written} asked to write a comment and got {status}, {message!r}. With "
        f"{_spelled(named)}: write it would be let in. From a fork it could not even be given that."
    )


def _named(answer: str) -> str:
    """Return the permission that an answer names, if it lets somebody write a comment."""
    words = re.findall(r"[a-z]+", str(answer).lower())
    text = "".join(words)
    # Without their last letter, for one pull request is as good an answer.
    named = [name for name in PERMISSIONS if name.replace("_", "").rstrip("s") in text]
    if not named:
        raise TutorialError("Name a permission, as `permissions:` in a workflow does.")
    for name in named:
        if name not in COMMENTS:
            raise TutorialError(f"{_spelled(name)} is about something else than comments.")
    if "read" in words:
        raise TutorialError(
            f"With {_spelled(named[0])}: read it could read comments, not write one."
        )
    return named[0]


def _spelled(name: str) -> str:
    return name.replace("_", "-")


def _of_train(home: Home) -> dict[str, str]:
    """Return what the token of the job that trains may do, by the workspace's own file."""
    try:
        content = (home.workspace / TRAIN).read_bytes()
    except OSError:
        raise TutorialError(f"The workspace has no {TRAIN}: run the cell that brings it.") from None
    workflow = read_workflow(content, TRAIN)
    job = next(iter(workflow.jobs.values()))
    return token_permissions(job.permissions, workflow.permissions, {})


def _comment(store: Store, permissions: dict[str, str], body: str) -> tuple[int, Any]:
    """Ask the local GitHub to write a comment, with a job's token; return the status and what it said."""
    pulls = list_pulls(store, "all")
    if not pulls:
        raise TutorialError("There is no pull request to comment on: open one first.")
    token, _ = tokens.issue(store, "job", "exercise", permissions, TIMEOUT * 2)
    api = addresses_of(store.state)["api_url"]
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                f"{api}/repos/{OWNER}/{NAME}/issues/{pulls[0]['id']}/comments",
                json={"body": body},
                headers={"Authorization": f"Bearer {token}"},
                timeout=TIMEOUT,
            )
        return answer.status_code, answer.json().get("message")
    except (requests.RequestException, ValueError, AttributeError):
        raise TutorialError("The local GitHub does not answer: run `tutorial up`.") from None
    finally:
        tokens.revoke(store, token)
