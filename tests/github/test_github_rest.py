"""The REST API: every answer as GitHub's own description has it, and no more than a token may."""

import io
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pytest
import requests
from proposals import Proposals
from rehearsal import UPLOAD, Rehearsal, workflow
from rest_client import REPO, Client, serving

from tutorial.github import tokens
from tutorial.github.apps import register
from tutorial.github.people import PERMISSIONS, person

RULE = {
    "required_status_checks": {"strict": True, "contexts": ["one"]},
    "enforce_admins": True,
    "required_pull_request_reviews": {"required_approving_review_count": 1},
    "restrictions": None,
}


@pytest.fixture(scope="module")
def proposals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proposals]:
    """A local GitHub with a pull request of a branch, whose run has ended, and one of a fork."""
    folder = tmp_path_factory.mktemp("rest")
    rehearsal = Rehearsal(folder / "state", folder / "reader")
    keep = workflow(
        f"- run: echo 0.9 > score\n- uses: {UPLOAD}\n  with: {{name: report, path: score}}", "Keep"
    ).replace("on: push", "on: pull_request")
    made = Proposals(rehearsal, keep=keep)
    _, queued = made.propose("topic", {"params.yaml": "C: 2\n", "new.txt": "a\nb\n"})
    for run in queued.runs:
        rehearsal.execute(run)
    made.propose("theirs", {"README.md": "Hi\n"}, "stranger")
    yield made
    rehearsal.close()


@pytest.fixture(scope="module")
def url(proposals: Proposals) -> Iterator[str]:
    with serving(proposals.store.state) as address:
        register(proposals.store, "Reports", {"pull_requests": "write"})
        yield address


@pytest.fixture(scope="module")
def reader(proposals: Proposals, url: str) -> Client:
    return Client(url, tokens.person_token(proposals.store, "reader"))


def with_permissions(proposals: Proposals, url: str, **permissions: str) -> Client:
    token, _ = tokens.issue(proposals.store, "app", "reports", permissions)
    return Client(url, token)


def test_what_is_read_is_as_github_describes_it(proposals: Proposals, reader: Client) -> None:
    sha = reader.get(f"{REPO}/pulls/1")["head"]["sha"]
    run = reader.get(f"{REPO}/actions/runs?event=pull_request")["workflow_runs"][-1]
    paths = [
        "",
        "/git/ref/heads/main",
        "/commits/main",
        f"/commits/{sha}",
        f"/commits/{sha}/pulls",
        f"/commits/{sha}/check-runs",
        f"/commits/{sha}/status",
        "/pulls",
        "/pulls?state=all",
        "/pulls/1",
        "/pulls/1/files",
        "/pulls/1/commits",
        "/pulls/1/reviews",
        "/issues/1/labels",
        "/issues/1/comments",
        "/actions/runs",
        f"/actions/runs/{run['id']}",
        f"/actions/runs/{run['id']}/jobs",
        f"/actions/runs/{run['id']}/artifacts",
    ]
    for path in paths:
        reader.get(REPO + path)
    for path in ("/pulls/99", "/pulls/x", "/actions/runs/99", "/git/ref/heads/main~0", "/nothing"):
        said = reader.ask("GET", REPO + path, hold=False)
        assert (said.status, said.body["message"]) == (404, "Not Found"), path
    assert reader.ask("GET", "/repos/reader/elsewhere").status == 404


def test_a_pull_request_is_counted_and_its_files_told(reader: Client) -> None:
    said = reader.get(f"{REPO}/pulls/1")
    assert (said["commits"], said["changed_files"]) == (1, 2)
    assert (said["additions"], said["deletions"]) == (3, 1)
    new, params = reader.get(f"{REPO}/pulls/1/files")
    assert (new["filename"], new["status"], new["additions"]) == ("new.txt", "added", 2)
    assert params["patch"] == "@@ -1 +1 @@\n-C: 1\n+C: 2"
    (commit,) = reader.get(f"{REPO}/pulls/1/commits")
    assert commit["sha"] == said["head"]["sha"]


def test_a_forks_pull_request_is_found_by_its_branch_and_not_by_its_commit(reader: Client) -> None:
    (found,) = reader.get(f"{REPO}/pulls?head=stranger:theirs&state=open")
    assert (found["number"], found["head"]["repo"]["fork"]) == (2, True)
    assert reader.get(f"{REPO}/commits/{found['head']['sha']}/pulls") == []
    (own,) = reader.get(f"{REPO}/pulls?head=reader:topic")
    (same,) = reader.get(f"{REPO}/commits/{own['head']['sha']}/pulls")
    assert same["number"] == own["number"] == 1


def test_comments_are_written_changed_and_removed(proposals: Proposals, url: str) -> None:
    client = with_permissions(proposals, url, pull_requests="write")
    made = client.ask("POST", f"{REPO}/issues/1/comments", {"body": "One\n<!-- report -->"})
    assert made.status == 201
    assert made.body["user"]["login"] == "reports[bot]"
    place = f"{REPO}/issues/comments/{made.body['id']}"
    changed = client.ask("PATCH", place, {"body": "Two"})
    assert (changed.status, changed.body["body"]) == (200, "Two")
    assert [one["id"] for one in client.get(f"{REPO}/issues/1/comments")] == [made.body["id"]]
    assert client.ask("DELETE", place).status == 204
    # One that a person has removed meanwhile
    assert client.ask("PATCH", place, {"body": "Three"}).status == 404
    assert client.get(f"{REPO}/issues/1/comments") == []
    for body in ("", "  ", "x" * 65_537):
        said = client.ask("POST", f"{REPO}/issues/1/comments", {"body": body})
        assert said.status == 422
    assert "too long (maximum is 65536 characters)" in said.body["errors"][0]["message"]
    assert client.ask("POST", f"{REPO}/issues/99/comments", {"body": "x"}).status == 404


def test_lists_come_in_pages(proposals: Proposals, url: str, reader: Client) -> None:
    for number in range(5):
        reader.ask("POST", f"{REPO}/issues/2/comments", {"body": str(number)})
    seen, path = [], f"{REPO}/issues/2/comments?per_page=2"
    while path:
        said = reader.ask("GET", path)
        seen += [one["body"] for one in said.body]
        links = requests.utils.parse_header_links(said.headers.get("Link", ""))
        following = {one["rel"]: one["url"] for one in links}
        path = following.get("next", "").removeprefix(f"{url}/api/v3")
    assert seen == ["0", "1", "2", "3", "4"]


def test_a_person_changes_their_own_comment_and_a_maintainer_any(
    proposals: Proposals, url: str, reader: Client
) -> None:
    made = reader.ask("POST", f"{REPO}/issues/2/comments", {"body": "The owner's"}).body
    place = f"{REPO}/issues/comments/{made['id']}"
    stranger = Client(url, tokens.person_token(proposals.store, "stranger"))
    assert stranger.ask("PATCH", place, {"body": "Mine now"}).status == 403
    assert stranger.ask("DELETE", place).status == 403
    maintainer = Client(url, tokens.person_token(proposals.store, "maintainer"))
    assert maintainer.ask("PATCH", place, {"body": "Tidied"}).status == 200
    assert stranger.ask("POST", f"{REPO}/issues/2/labels", {"labels": ["x"]}).status == 403
    assert stranger.ask("PUT", f"{REPO}/pulls/2/merge", {}).status == 403
    assert stranger.ask("PATCH", f"{REPO}/pulls/2", {"title": "Better"}).status == 200
    assert stranger.ask("PATCH", f"{REPO}/pulls/1", {"state": "closed"}).status == 403


READS = [
    ("/pulls", {"pull_requests"}),
    ("/pulls/1", {"pull_requests"}),
    ("/pulls/1/files", {"pull_requests"}),
    ("/issues/1/comments", {"issues", "pull_requests"}),
    ("/issues/1/labels", {"issues", "pull_requests"}),
    ("/git/ref/heads/main", {"contents"}),
    ("/commits/main/pulls", {"pull_requests"}),
    ("/commits/main/check-runs", {"checks"}),
    ("/commits/main/status", {"statuses"}),
    ("/actions/runs", {"actions"}),
    ("/actions/runs/1/artifacts", {"actions"}),
    ("/actions/artifacts/1/zip", {"actions"}),
    ("/branches/main/protection", {"administration"}),
]
WRITES = [
    ("POST", "/pulls", {"title": "x", "head": "nowhere", "base": "main"}, {"pull_requests"}),
    ("PATCH", "/pulls/99", {"state": "closed"}, {"pull_requests"}),
    ("PUT", "/pulls/99/merge", {}, {"contents"}),
    ("POST", "/pulls/1/reviews", {"event": "NONE"}, {"pull_requests"}),
    ("POST", "/issues/99/labels", {"labels": ["x"]}, {"issues", "pull_requests"}),
    ("POST", "/issues/99/comments", {"body": "x"}, {"issues", "pull_requests"}),
    ("POST", "/statuses/main", {"state": "none"}, {"statuses"}),
    ("PUT", "/branches/main/protection", {}, {"administration"}),
]


@pytest.mark.parametrize(("path", "enough"), READS, ids=[path for path, _ in READS])
def test_reading_takes_its_permission(
    proposals: Proposals, url: str, path: str, enough: set[str]
) -> None:
    lacking = {name: "write" for name in PERMISSIONS if name not in enough}
    said = with_permissions(proposals, url, **lacking).ask("GET", REPO + path, hold=False)
    assert (said.status, said.body["message"]) == (403, "Resource not accessible by integration")
    for one in enough:
        given = with_permissions(proposals, url, **{one: "read"})
        assert given.ask("GET", REPO + path, hold=False).status != 403


@pytest.mark.parametrize(
    ("method", "path", "body", "enough"), WRITES, ids=[f"{w[0]} {w[1]}" for w in WRITES]
)
def test_writing_takes_its_permission(
    proposals: Proposals, url: str, method: str, path: str, body: object, enough: set[str]
) -> None:
    lacking = dict.fromkeys(PERMISSIONS, "write") | dict.fromkeys(enough, "read")
    path = path.replace("99", "1")
    said = with_permissions(proposals, url, **lacking).ask(method, REPO + path, body, hold=False)
    assert (said.status, said.body["message"]) == (403, "Resource not accessible by integration")
    for one in enough:
        given = with_permissions(proposals, url, **{one: "write"})
        harmless = path if path != "/pulls/1/merge" and method != "PATCH" else "/pulls/99"
        assert given.ask(method, REPO + harmless, body, hold=False).status != 403


def test_an_artifact_is_fetched_by_an_address_that_needs_no_token(
    proposals: Proposals, url: str
) -> None:
    client = with_permissions(proposals, url, actions="read")
    runs = client.get(f"{REPO}/actions/runs?event=pull_request&status=success")["workflow_runs"]
    run = next(run for run in runs if run["name"] == "Keep")
    listed = client.get(f"{REPO}/actions/runs/{run['id']}/artifacts")
    (artifact,) = listed["artifacts"]
    assert (listed["total_count"], artifact["name"]) == (1, "report")
    assert client.get(f"{REPO}/actions/artifacts/{artifact['id']}") == artifact
    sent = client.ask("GET", f"{REPO}/actions/artifacts/{artifact['id']}/zip")
    assert sent.status == 302
    place = sent.headers["Location"]
    packed = requests.get(place, timeout=10).content
    assert len(packed) == artifact["size_in_bytes"]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("score") == b"0.9\n"
    assert requests.get(place.replace("signature=", "signature=0"), timeout=10).status_code == 404
    later = place.replace("until=", "until=9")
    assert requests.get(later, timeout=10).status_code == 404
    assert Client(url).ask("GET", f"{REPO}/actions/artifacts/1/zip", hold=False).status == 404


def test_a_pull_request_goes_its_way_by_rest_alone(
    proposals: Proposals, url: str, reader: Client
) -> None:
    proposals.branch("way", {"way.txt": "x\n"})
    made = reader.ask("POST", f"{REPO}/pulls", {"title": "Way", "head": "way", "base": "main"})
    assert (made.status, made.body["mergeable"]) == (201, True)
    place = f"{REPO}/pulls/{made.body['number']}"
    issue = place.replace("pulls", "issues")
    rule = f"{REPO}/branches/main/protection"
    assert reader.ask("GET", rule).status == 404
    assert reader.ask("PUT", rule, RULE).status == 200
    assert reader.get(rule)["required_status_checks"]["contexts"] == ["one"]
    assert reader.get(place)["mergeable_state"] == "blocked"
    refused = reader.ask("PUT", f"{place}/merge", {})
    assert refused.status == 405
    assert "At least 1 approving review is required" in refused.body["message"]
    maintainer = Client(url, tokens.person_token(proposals.store, "maintainer"))
    assert maintainer.ask("POST", f"{place}/reviews", {"event": "APPROVE"}).status == 200
    assert reader.get(f"{place}/reviews")[0]["state"] == "APPROVED"
    assert maintainer.ask("POST", f"{issue}/labels", {"labels": ["same-quality"]}).status == 200
    assert maintainer.ask("DELETE", f"{issue}/labels/same-quality").body == []
    status = {"state": "success", "context": "one", "description": "Fine"}
    sha = made.body["head"]["sha"]
    assert reader.ask("POST", f"{REPO}/statuses/{sha}", status).status == 201
    assert reader.get(f"{REPO}/commits/{sha}/status")["state"] == "success"
    # The run's job has the same name, and has not begun.
    refused = reader.ask("PUT", f"{place}/merge", {})
    assert refused.body["message"] == 'Required status check "one" is in progress.'
    for run in reader.get(f"{REPO}/actions/runs?head_sha={sha}")["workflow_runs"]:
        proposals.finish(run["id"], "one", "success")
    stale = reader.ask("PUT", f"{place}/merge", {"sha": "0" * 40})
    assert stale.status == 409
    merged = reader.ask("PUT", f"{place}/merge", {"sha": sha, "merge_method": "squash"})
    assert (merged.status, merged.body["merged"]) == (200, True)
    assert reader.get(f"{REPO}/git/ref/heads/main")["object"]["sha"] == merged.body["sha"]
    (found,) = reader.get(f"{REPO}/commits/{merged.body['sha']}/pulls")
    assert (found["number"], found["state"]) == (made.body["number"], "closed")
    assert reader.get(place)["merged_by"]["login"] == "reader"
    assert reader.ask("DELETE", rule).status == 204
    closed = reader.ask("PATCH", f"{REPO}/pulls/2", {"state": "closed"})
    assert closed.body["state"] == "closed"
    assert reader.ask("PATCH", f"{REPO}/pulls/2", {"state": "open"}).body["state"] == "open"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/issues/1/comments", [], 400),
        ("POST", "/issues/1/comments", {}, 422),
        ("POST", "/issues/1/comments", {"body": 5}, 422),
        ("POST", "/issues/1/labels", {"labels": [5]}, 422),
        ("POST", "/issues/1/labels", {}, 422),
        ("POST", "/pulls", {"title": "x"}, 422),
        ("POST", "/pulls/1/reviews", {"event": "LIKE"}, 422),
        ("PATCH", "/pulls/1", {"state": "gone"}, 422),
        ("PATCH", "/pulls/1", {"base": "other"}, 422),
        ("PUT", "/branches/main/protection", {"enforce_admins": True}, 422),
        ("PUT", "/branches/nowhere/protection", RULE, 404),
        ("GET", "/pulls?state=odd", None, 422),
        ("GET", "/commits/nothing/status", None, 422),
    ],
)
def test_a_wrong_request_is_told(
    reader: Client, method: str, path: str, body: object, status: int
) -> None:
    said = reader.ask(method, REPO + path, body, hold=False)
    assert said.status == status
    assert said.body["status"] == str(status)
    assert said.body["message"]


def test_what_was_answered_is_there_after_a_kill(proposals: Proposals, url: str) -> None:
    state = str(proposals.store.state)
    command = [sys.executable, "-m", "tutorial.github.rest", "--port", "0", "--state", state]
    token = tokens.person_token(proposals.store, "reader")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().split(" at ")[1].strip().removesuffix("/api/v3")
        made = Client(address, token).ask("POST", f"{REPO}/issues/1/comments", {"body": "Here"})
        process.send_signal(signal.SIGKILL)
    found = Client(url, token).get(f"{REPO}/issues/comments/{made.body['id']}")
    assert found["body"] == "Here"
    assert person("reader").login == found["user"]["login"]


def test_a_port_that_is_taken_is_a_sentence(proposals: Proposals, url: str) -> None:
    port = url.rpartition(":")[2]
    state = str(proposals.store.state)
    command = [sys.executable, "-m", "tutorial.github.rest", "--port", port, "--state", state]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 1
    assert said.stderr.startswith(f"Port {port} cannot be used")
    assert len(said.stderr.splitlines()) == 1
