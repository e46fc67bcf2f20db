"""The tokens of jobs and of Apps within a run: what they may do, when they end, that no log shows them."""

import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from proposals import Proposals
from rehearsal import CACHE, DOWNLOAD, UPLOAD, Rehearsal, log, only_job, workflow
from rest_client import REPO, Client, serving
from waiting import until

from tutorial.github import tokens
from tutorial.github.apps import register
from tutorial.github.artifacts import artifacts_of, keep
from tutorial.github.run_context import token_permissions

APP_ACTION = "actions/create-github-app-token@1b10c78c7865c340bc4f6099eb2f838309f1e8c3"
FORK = {"pull_request": {"head": {"repo": {"fork": True}}}}
# Hands its token to the test, and waits until it may end.
HANDS_OVER = """
- run: echo "$TOKEN" > "$STATE/token.part"; mv "$STATE/token.part" "$STATE/token"; echo "it is $TOKEN"; while test ! -e "$STATE/go"; do sleep 0.05; done
  env: {TOKEN: '${{ github.token }}'}
"""


@pytest.fixture
def url(rehearsal: Rehearsal) -> Iterator[str]:
    with serving(rehearsal.state) as address:
        yield address


@pytest.mark.parametrize(
    ("job", "whole", "payload", "may"),
    [
        (None, None, {}, {"contents": "read", "packages": "read"}),
        (None, {"pull-requests": "write"}, {}, {"pull_requests": "write"}),
        ({}, {"contents": "write"}, {}, {}),
        ({"issues": "read"}, {"contents": "write"}, {}, {"issues": "read"}),
        (None, {"contents": "write", "issues": "none"}, FORK, {"contents": "read"}),
    ],
)
def test_a_token_may_what_is_written_nearest(
    job: dict[str, str] | None,
    whole: dict[str, str] | None,
    payload: dict[str, Any],
    may: dict[str, str],
) -> None:
    assert token_permissions(job, whole, payload) == {"metadata": "read", **may}


def in_a_thread(rehearsal: Rehearsal, run: int) -> Callable[[], dict[str, Any]]:
    """Execute a run meanwhile; call what is returned for its details, once it may end."""
    found: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: found.update(rehearsal.execute(run)))
    thread.start()

    def end() -> dict[str, Any]:
        thread.join(30)
        return found

    return end


@pytest.mark.parametrize("owner", ["reader", "stranger"])
def test_a_jobs_token_ends_with_the_job_and_of_a_fork_reads_alone(
    rehearsal: Rehearsal, url: str, tmp_path: Path, owner: str
) -> None:
    text = workflow(
        HANDS_OVER,
        "Hands over",
        f"env: {{STATE: '{tmp_path}'}}",
        job="permissions: {pull-requests: write}",
    ).replace("on: push", "on: pull_request")
    proposals = Proposals(rehearsal)
    _, queued = proposals.propose("topic", {"hands.yml": text}, owner)
    end = in_a_thread(rehearsal, queued.runs[0])
    try:
        until((tmp_path / "token").exists, "the job has its token", 30)
        token = (tmp_path / "token").read_text().strip()
        client = Client(url, token)
        assert client.get(f"{REPO}/pulls/1")["number"] == 1
        assert client.ask("GET", f"{REPO}/git/ref/heads/main").status == 403
        written = client.ask("POST", f"{REPO}/issues/1/comments", {"body": "From a job"})
        assert written.status == (201 if owner == "reader" else 403)
        if owner == "reader":
            assert written.body["user"]["login"] == "github-actions[bot]"
    finally:
        (tmp_path / "go").touch()
        details = end()
    assert log(details)[0] == "it is ***"
    assert client.ask("GET", f"{REPO}/pulls/1").body["message"] == "Bad credentials"
    assert token.encode() not in b"".join(
        path.read_bytes() for path in rehearsal.state.rglob("*") if path.is_file()
    )


def test_a_job_knows_where_github_answers(rehearsal: Rehearsal, url: str) -> None:
    details = rehearsal.run_steps("- run: echo $GITHUB_API_URL ${{ github.server_url }}")
    assert log(details) == [f"{url}/api/v3 {url}"]


def test_a_killed_jobs_token_ends_when_the_runner_is_back(rehearsal: Rehearsal) -> None:
    token, _ = tokens.issue(rehearsal.store, "job", "1", {})
    other, _ = tokens.issue(rehearsal.store, "app", "reports", {})
    rehearsal.start_runner()
    assert tokens.actor_of(rehearsal.store, token) is None
    assert tokens.actor_of(rehearsal.store, other) is not None


def asks(more: str = "") -> str:
    """Steps that ask for an App's token and hand it to a later one."""
    return f"""
        - uses: {APP_ACTION}
          id: app
          with:
            client-id: ${{{{ vars.APP_CLIENT_ID }}}}
            private-key: ${{{{ secrets.APP_PRIVATE_KEY }}}}
            {more}
        - run: |
            echo "${{{{ steps.app.outputs.app-slug }}}} $TOKEN"
            rev <<< "$TOKEN" || printf %s "$TOKEN" | fold -w1 | tac | tr -d '\\n'
          env: {{TOKEN: '${{{{ steps.app.outputs.token }}}}'}}
    """


def test_an_app_has_a_token_until_the_job_ends(rehearsal: Rehearsal) -> None:
    app = register(rehearsal.store, "Reports", {"pull_requests": "write", "contents": "read"})
    rehearsal.vault.set_variable("APP_CLIENT_ID", app.client_id)
    rehearsal.vault.set_secret("APP_PRIVATE_KEY", app.private_key)
    details = rehearsal.run_steps(asks("permission-pull-requests: write"))
    assert details["conclusion"] == "success"
    said, backwards = log(details, 2)
    assert said == "reports ***"
    token = backwards[::-1]
    assert token.startswith("ghs_")
    assert log(details, 1)[-1].endswith("It may: metadata: read, pull_requests: write.")
    assert tokens.actor_of(rehearsal.store, token) is None
    step = only_job(details)["steps"][-1]
    assert (step["name"], step["log"]) == (
        f"Post Run {APP_ACTION[:-41]}",
        "The token is revoked.\n",
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("permission-contents: write", "permissions requested are not granted"),
        ("repositories: elsewhere", "does not exist or is not accessible"),
        ("owner: somebody", "not installed for somebody"),
        ("permission-nothing: write", "has no input `permission-nothing`"),
    ],
)
def test_a_token_that_is_not_to_be_had_fails_the_step(
    rehearsal: Rehearsal, more: str, words: str
) -> None:
    app = register(rehearsal.store, "Reports", {"pull_requests": "write", "contents": "read"})
    rehearsal.vault.set_variable("APP_CLIENT_ID", app.client_id)
    rehearsal.vault.set_secret("APP_PRIVATE_KEY", app.private_key)
    details = rehearsal.run_steps(asks(more))
    assert details["conclusion"] == "failure"
    told = log(details)[-1] if details["jobs"] else details["problem"]
    assert words in told
    assert "PRIVATE" not in told


def test_another_apps_key_is_no_proof(rehearsal: Rehearsal) -> None:
    app = register(rehearsal.store, "Reports", {"pull_requests": "write"})
    other = register(rehearsal.store, "Other", {"contents": "write"})
    rehearsal.vault.set_variable("APP_CLIENT_ID", app.client_id)
    for key, words in (
        (other.private_key, "could not be decoded"),
        ("not a key", "no RSA key in PEM"),
    ):
        rehearsal.vault.set_secret("APP_PRIVATE_KEY", key)
        details = rehearsal.run_steps(asks())
        assert words in log(details)[-1]
    assert rehearsal.store.rows("SELECT * FROM tokens") == []


FETCH = f"""
- uses: {DOWNLOAD}
  with: {{name: report, run-id: RUN, github-token: '${{{{ github.token }}}}', path: got}}
- run: cat got/score
"""


def test_another_runs_artifact_takes_a_token_that_may_read_actions(rehearsal: Rehearsal) -> None:
    steps = f"- run: echo 0.9 > score\n- uses: {UPLOAD}\n  with: {{name: report, path: score}}"
    first = rehearsal.run_steps(steps)["id"]
    fetch = FETCH.replace("RUN", str(first))
    details = rehearsal.run_steps(fetch, extra="permissions: {actions: read}")
    assert log(details, 2) == ["0.9"]
    details = rehearsal.run_steps(fetch, extra="permissions: {contents: read}")
    assert "needs `actions: read`" in log(details)[-1]
    details = rehearsal.run_steps(f"- uses: {DOWNLOAD}\n  with: {{name: report, run-id: {first}}}")
    assert "are to be had with a `github-token`" in log(details)[-1]


@pytest.mark.parametrize(
    ("name", "content"), [("../../../evil", b"x"), ("/evil", b"x"), ("a/../../../../evil", b"x")]
)
def test_a_hostile_artifact_is_not_unpacked(
    rehearsal: Rehearsal, tmp_path: Path, name: str, content: bytes
) -> None:
    first = rehearsal.run_steps("- run: echo")["id"]
    with zipfile.ZipFile(tmp_path / "planted.zip", "w") as archive:
        archive.writestr("score", "0.9")
        archive.writestr(name, content)
    keep(rehearsal.store, first, "report", tmp_path / "planted.zip")
    assert [one["name"] for one in artifacts_of(rehearsal.store, first)] == ["report"]
    details = rehearsal.run_steps(
        FETCH.replace("RUN", str(first)), extra="permissions: {actions: read}"
    )
    assert "Malicious entry" in log(details)[-1]
    # Whatever else goes on there: a job's folder is removed beside it.
    assert "evil" not in [file for _, _, files in os.walk(rehearsal.state) for file in files]


def test_main_sees_nothing_of_what_a_pull_request_keeps(rehearsal: Rehearsal) -> None:
    steps = f"""
        - uses: {CACHE}
          with: {{path: kept, key: k, restore-keys: k}}
        - run: cat kept/who || echo nobody; mkdir -p kept; echo $GITHUB_REF > kept/who
    """
    text = workflow(steps, "Caches").replace("on: push", "on: [push, pull_request]")
    proposals = Proposals(rehearsal)

    def ran(run: int) -> str:
        return log(rehearsal.execute(run), 2)[-1]

    _, queued = proposals.propose("topic", {"caches.yml": text})
    assert ran(queued.runs[0]) == "nobody"
    rehearsal.git("checkout", "--quiet", "--detach", proposals.main())
    rehearsal.commit({"caches.yml": text})
    run = next(
        run for run in rehearsal.receive().runs if rehearsal.store.run(run)["workflow"] == "Caches"
    )
    assert ran(run) == "nobody"  # not refs/pull/1/merge
    _, queued = proposals.propose("other", {"x": "y"})
    assert ran(queued.runs[0]) == "refs/heads/main"
