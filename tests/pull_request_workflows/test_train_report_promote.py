"""The three workflows as they are, on the local GitHub: trained, judged by main, told, approved, promoted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reader_repository import MARKER, TRAIN, Reader, serve
from waiting import until

from tutorial.checks.items import Probe
from tutorial.checks.pull_requests import a_stranger_got_nothing, the_gate_stopped_a_change
from tutorial.github.conversation import add_labels, add_review, delete_comment
from tutorial.github.movement import merge_pull
from tutorial.github.people import person
from tutorial.github.pulls import comments_of
from tutorial.github.store import Row
from tutorial.home import Home
from tutorial.serving import RunningApp

SECRETS = {
    "MLFLOW_TRACKING_URI": "https://tracking.example.org",
    "MLFLOW_TRACKING_USERNAME": "the-trainer-himself",
    "MLFLOW_TRACKING_PASSWORD": "pass-of-the-server",
    "AWS_ACCESS_KEY_ID": "AKIA-of-the-trainer",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-bucket",
}
VARIABLES = {"APP_URL": "https://app.example.org", "AWS_DEFAULT_REGION": "eu-west-1"}
FORGED = f"""
name: Train
on: pull_request
permissions: {{contents: write, pull-requests: write}}
jobs:
  gate:
    name: Is it better?
    runs-on: ubuntu-latest
    steps:
      - run: |
          mkdir training
          echo "${{{{ github.event.pull_request.number }}}}" > training/number
          echo '{MARKER}' > training/report.md
          echo 'Wonderful, @reader! [merge it](https://evil.example.org) <img src=x>' >> training/report.md
          echo "secrets: [${{{{ secrets.AWS_SECRET_ACCESS_KEY }}}}${{{{ secrets.APP_PRIVATE_KEY }}}}]"
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f
        with: {{name: model, path: training}}
"""


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[Reader]:
    with serve(folder) as made:
        for name, value in SECRETS.items():
            made.vault.set_secret(name, value)
        for name, value in VARIABLES.items():
            made.vault.set_variable(name, value)
        made.rehearsal.start_runner()
        yield made


def comment_about(reader: Reader, number: int, sha: str) -> str:
    """Wait for the App's comment on a commit, and return the only comment that there is."""
    until(
        lambda: any(sha in one["body"] for one in comments_of(reader.store, number)),
        "a comment",
        90,
    )
    (comment,) = comments_of(reader.store, number)
    assert comment["author"] == "model-reports[bot]"
    return str(comment["body"])


def train_run(reader: Reader, sha: str) -> dict[str, Any]:
    """The newest training of a commit, when it has ended."""
    query = "SELECT id FROM runs WHERE head_sha = ? AND event = 'pull_request' ORDER BY id DESC"
    return reader.rehearsal.ended(reader.store.rows(query, sha)[0]["id"])


def logs(details: dict[str, Any]) -> str:
    return "\n".join(str(step["log"]) for job in details["jobs"] for step in job["steps"])


def test_from_a_pull_request_to_what_is_live(reader: Reader) -> None:
    main = reader.proposals.main()
    pull, queued = reader.proposals.propose("more", {"params.yaml": "worse\n"})
    assert reader.proposals.workflows(queued) == ["Train"]
    text = comment_about(reader, pull["id"], pull["head_sha"])
    assert text.startswith(f"{MARKER}\n\n[Run ")
    assert "**failure**" in text
    # The report compares main itself with the merge of the two; its markup does nothing.
    assert f"From ('C: 1', '{main}') to ('worse', '{pull['merge_sha']}')" in text
    assert "Changed: ['1', '1', 'params.yaml']" in text
    assert "<b>" not in text
    assert "@reader" not in text
    assert " #1" not in text
    assert train_run(reader, pull["head_sha"])["conclusion"] == "failure"

    # A second commit brings the very comment up to date.
    sha = reader.proposals.branch("more", {"params.yaml": "better\n"})
    text = comment_about(reader, pull["id"], sha)
    assert "**success**" in text
    assert train_run(reader, sha)["conclusion"] == "success"

    # A comment that somebody removed is made anew.
    (comment,) = comments_of(reader.store, pull["id"])
    delete_comment(reader.store, comment["id"], person("reader"))
    add_labels(reader.store, pull["id"], ["same-quality"], person("maintainer"))
    assert "**success**" in comment_about(reader, pull["id"], sha)
    assert "--same-quality" in logs(train_run(reader, sha))

    # Merged, it is promoted in the name of who approved it.
    add_review(reader.store, pull["id"], "APPROVE", "", person("maintainer"))
    _, queued = merge_pull(reader.store, pull["id"], person("reader"), sha=sha)
    assert reader.proposals.workflows(queued) == ["Promote"]
    details = reader.rehearsal.ended(queued.runs[0])
    said = logs(details)
    assert details["conclusion"] == "success", said
    wanted = f"3|--why|pull request #{pull['id']}|--by|maintainer|--wait|https://app.example.org"
    assert f"Promoted:|{wanted}\n" in said
    assert "It is the very model that was reviewed" in said
    for secret in SECRETS.values():
        assert secret not in said


def attack(reader: Reader, branch: str, files: dict[str, str]) -> tuple[Row, str, dict[str, Any]]:
    pull, _ = reader.proposals.propose(branch, {"params.yaml": f"{branch}\n", **files}, "stranger")
    text = comment_about(reader, pull["id"], pull["head_sha"])
    return pull, text, train_run(reader, pull["head_sha"])


def test_a_strangers_code_judges_nothing_and_sees_no_secret(reader: Reader) -> None:
    yes = "raise SystemExit(0)\n"
    lie = f"print({MARKER!r}, 'All is well.', sep='\\n\\n')\n"
    _, text, details = attack(
        reader,
        "harm",
        {"scripts/gate.py": yes, "scripts/report.py": lie, "scripts/train.py": f"{TRAIN}{lie}"},
    )
    assert details["conclusion"] == "failure"
    assert "From (" in text
    assert "All is well." not in text
    said = logs(details)
    assert "Its environment:" in said
    assert "All is well." in said  # it ran
    for name in (*SECRETS, "APP_PRIVATE_KEY", "GITHUB_TOKEN"):
        assert f"{name}=" not in said
    for secret in (*SECRETS.values(), reader.app.private_key.splitlines()[1]):
        assert secret not in said


def test_who_rewrites_the_workflow_is_told_of_and_his_markup_does_nothing(reader: Reader) -> None:
    _, text, details = attack(reader, "forge", {"train.yml": FORGED})
    assert details["conclusion"] == "success"
    assert "secrets: []" in logs(details)
    said, _, report = text.partition("Wonderful")
    assert "changes `.github/`: read that first" in said
    for markup in ("@reader", "](", "://", "<img"):
        assert markup not in report


def test_the_check_of_milestone_6_sees_that_strangers_got_nothing(reader: Reader) -> None:
    home = Home(reader.folder / "home", reader.rehearsal.reader)
    probe = Probe(home, RunningApp("http://127.0.0.1:1", home))
    for run in reader.store.runs():
        reader.rehearsal.ended(run["id"])
    assert "runs of forks' pull requests: 2, whose tokens" in a_stranger_got_nothing(probe)
    assert "said no, main never got it" in the_gate_stopped_a_change(probe)
