"""`tutorial pr`: a change proposed, looked at, approved and merged at the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from proposals import PROMOTE, TRAIN
from rehearsal import Rehearsal

from tutorial import cli
from tutorial.github.forks import fork
from tutorial.github.people import person
from tutorial.github.protection import protect
from tutorial.home import Home


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


Pr = Callable[..., Said]


@pytest.fixture
def pr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Pr:
    """Run `tutorial pr` with some arguments, in this process."""

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["tutorial", "pr", *arguments])
        monkeypatch.setenv("COLUMNS", "120")
        capfd.readouterr()
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        written = capfd.readouterr()
        return Said(status, written.out, written.err)

    return run


@pytest.fixture
def workspace(rehearsal: Rehearsal) -> Path:
    """The reader's workspace, its main pushed, with a branch `topic` that is not."""
    home = Home.current()
    home.workspace.parent.mkdir(parents=True, exist_ok=True)
    rehearsal.reader.rename(home.workspace)
    rehearsal.reader = home.workspace
    rehearsal.commit({"train.yml": TRAIN, "promote.yml": PROMOTE, "params.yaml": "C: 1\n"})
    rehearsal.receive()
    rehearsal.git("checkout", "--quiet", "-b", "topic")
    rehearsal.commit({"params.yaml": "C: 2\n"}, "Try 2")
    return home.workspace


def fails(said: Said, words: str) -> None:
    assert said.status == 1
    assert words in said.err
    assert "Traceback" not in said.err


def test_a_pull_request_from_its_opening_to_main(
    rehearsal: Rehearsal, workspace: Path, pr: Pr
) -> None:
    said = pr("open", "--head", "topic", "--title", "Try 2", "--body", "More *weight*")
    assert said.status == 0, said.err
    assert "A push to topic starts none of this commit's 2 workflows." in said.out
    assert "Pull request 1 is open: Try 2\nRun 2 of Train is queued.\n" in said.out
    rehearsal.execute(2)
    assert "Try 2" in pr("list").out
    shown = pr("show", "1").out
    assert "reader wants to merge topic into main." in shown
    assert "Train (pull_request, run 2) one: success" in shown
    protect(
        rehearsal.store,
        "main",
        {
            "required_status_checks": None,
            "enforce_admins": True,
            "required_pull_request_reviews": {},
            "restrictions": None,
        },
        person("reader"),
    )
    fails(pr("merge", "1"), "At least 1 approving review is required")
    fails(pr("approve", "1", "--as", "reader"), "Can not approve your own pull request")
    assert "maintainer has approved" in pr("approve", "1", "--body", "Good").out
    assert "has the labels same-quality." in pr("label", "1", "same-quality").out
    said = pr("merge", "1")
    assert "Pull request 1 is merged as" in said.out
    assert "Run 3 of Promote is queued." in said.out
    found = json.loads(pr("show", "1", "--json").out)
    assert (found["state"], found["merged"]) == ("closed", True)
    assert [one["state"] for one in found["reviews"]] == ["APPROVED"]
    assert [one["name"] for one in found["labels"]] == ["same-quality"]
    assert json.loads(pr("list", "--json").out) == []
    assert len(json.loads(pr("list", "--state", "all", "--json").out)) == 1


def test_a_pull_request_from_a_fork(rehearsal: Rehearsal, workspace: Path, pr: Pr) -> None:
    said = pr("open", "--head", "topic", "--title", "Mine", "--fork", "stranger", "--json")
    assert said.status == 0, said.err
    found = json.loads(said.out)
    assert found["head"]["label"] == "stranger:topic"
    assert found["user"]["login"] == "stranger"
    assert not rehearsal.repository.has_branch("topic")
    # A push to the fork is one to the pull request.
    rehearsal.commit({"params.yaml": "C: 3\n"})
    rehearsal.start_runner()
    place = fork(rehearsal.state, "stranger").url
    push = subprocess.run(
        ["git", "push", place, "topic"], cwd=workspace, capture_output=True, text=True
    )
    assert "A push to a fork runs no workflow there." in push.stderr
    assert "Run 3 of Train: success" in push.stderr
    assert rehearsal.store.run(3)["head_sha"] == rehearsal.git("rev-parse", "topic")
    assert "stranger:topic" in pr("list").out
    assert "Pull request 1 is closed." in pr("close", "1", "--as", "stranger").out
    fails(pr("close", "1"), "Pull request 1 is closed already.")


def test_what_cannot_be_done_is_one_sentence(workspace: Path, pr: Pr) -> None:
    fails(pr("show", "1"), "There is no pull request 1: `tutorial pr list --state all`")
    fails(pr("list", "--state", "odd"), "There is no state odd")
    fails(pr("open", "--head", "nowhere", "--title", "x"), "There is no branch nowhere")
    fails(pr("open", "--head", "main", "--title", "x"), "No commits between main and main")
    fails(pr("open", "--head", "topic", "--title", " "), "The title is empty")
    fails(pr("open", "--head", "topic", "--title", "x", "--fork", "a b"), "cannot have a fork")
    assert pr("open", "--head", "topic", "--title", "x").status == 0
    fails(pr("merge", "1", "--as", "stranger"), "it takes a maintainer")
    fails(pr("label", "1", "x" * 51), "A label has 1 to 50 characters")
    fails(pr("approve", "1", "--as", "a b"), "is no name of an account")
    assert pr("list", "--state", "closed").out == "There is no pull request that is closed.\n"


def test_a_branch_that_was_made_anew_brings_its_pull_request_up_to_date(
    rehearsal: Rehearsal, workspace: Path, pr: Pr
) -> None:
    assert pr("open", "--head", "topic", "--title", "x").status == 0
    rehearsal.git("commit", "--quiet", "--amend", "--message", "Another topic")
    anew = rehearsal.git("rev-parse", "topic").strip()
    fails(pr("open", "--head", "topic", "--title", "x"), "The branch topic cannot be pushed")
    said = pr("open", "--head", "topic", "--title", "x", "--force")
    assert "Pull request 1 of topic is open already, and up to date now." in said.out
    shown = json.loads(pr("list", "--json").out)
    assert [(one["number"], one["head"]["sha"]) for one in shown] == [(1, anew)]
