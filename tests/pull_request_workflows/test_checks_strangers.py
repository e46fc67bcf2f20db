"""What milestone 6's check says of strangers' pull requests: each thing that they may get is noticed."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reader_repository import Reader, serve
from reviewed_home import APP, SECRETS, Reviewed, at, changed

from tutorial import traces
from tutorial.checks import CHECKS, Probe
from tutorial.errors import TutorialError
from tutorial.github import tokens
from tutorial.github.conversation import add_comment
from tutorial.github.people import JOBS, Actor, person
from tutorial.home import PROJECT
from tutorial.serving import RunningApp

sys.path.append(str(PROJECT / "scripts"))

from harmless import harmless

STRANGER = CHECKS[6][4]
PASSWORD = SECRETS["MLFLOW_TRACKING_PASSWORD"]
KEY = SECRETS["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[Reader]:
    with serve(folder) as made:
        yield made


@pytest.fixture(scope="module")
def found(reader: Reader) -> dict[str, Any]:
    return changed(reader)


@pytest.fixture
def six(reader: Reader, found: dict[str, Any], tmp_path: Path) -> Iterator[Reviewed]:
    """A home of the test's own, whose MLflow nobody asks."""
    reviewed = at(reader, tmp_path / "home", found, None, 1)
    yield reviewed
    reviewed.store.close()


@pytest.fixture
def probe(six: Reviewed) -> Probe:
    return Probe(six.home, RunningApp("http://127.0.0.1:1", six.home))


def says_no(probe: Probe, words: str) -> None:
    with pytest.raises(TutorialError, match=words):
        STRANGER.probe(probe)


ENCODED = {
    "as it is": PASSWORD,
    "base64": base64.b64encode(PASSWORD.encode()).decode(),
    "base64, behind two characters": base64.b64encode(f"x={PASSWORD}\n".encode()).decode(),
    "of base64, in lines": base64.encodebytes((f"{'x' * 50}{KEY}" * 3).encode()).decode(),
    "in JSON, in lines": json.dumps("\n".join([KEY[:20], KEY[20:]])),
}


@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_a_secret_in_a_log_is_noticed(six: Reviewed, probe: Probe, text: str) -> None:
    six.leave(six.runs["attack"], f"Collecting\n{text}\n", step=2)
    says_no(probe, "The secret .* stands in a log of run .* of Train")


def test_a_secret_in_what_a_run_kept_is_noticed(six: Reviewed, probe: Probe) -> None:
    run = six.runs["attack"]
    words = "MLFLOW_TRACKING_PASSWORD stands in the artifact more of run"
    six.upload(run, "more", **{"train.ipynb": json.dumps({"text": [f"got {PASSWORD}"]})})
    says_no(probe, words)
    six.upload(run, "more", **{PASSWORD: "in a name"})
    says_no(probe, words)
    six.upload(run, "more", picture=b"\x89PNG\0\xff" + PASSWORD.encode() + b"\xff")
    says_no(probe, words)
    six.upload(run, "more", **{"a": "nothing"})
    assert STRANGER.probe(probe)
    job = six.store.jobs(run)[0]["id"]
    six.store.update("jobs", job, outputs=json.dumps({"got": PASSWORD}))
    says_no(probe, "stands in the record of run")


def test_a_line_of_the_apps_key_is_noticed_and_its_frame_is_not(
    six: Reviewed, probe: Probe, reader: Reader
) -> None:
    run = six.runs["report"]
    first, line, *_ = reader.app.private_key.splitlines()
    six.leave(run, first)
    assert STRANGER.probe(probe)
    six.leave(run, line)
    says_no(probe, "The secret APP_PRIVATE_KEY stands in a log of run .* of Report")


def test_an_artifact_that_cannot_be_looked_through_proves_nothing(
    six: Reviewed, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = six.runs["attack"]
    monkeypatch.setattr(traces, "LARGEST", 100_000)
    six.upload(run, "more", zeros=b"\0" * 100_001)
    says_no(probe, "The artifact more of run .* is too large to look through")
    six.upload(run, "more", small=b"")
    (kept,) = six.store.rows("SELECT * FROM artifacts WHERE name = 'more'")
    (six.store.state / "artifacts" / str(run) / f"{kept['digest']}.zip").write_bytes(b"PK\3\4")
    says_no(probe, "The artifact more of run .* cannot be opened")


@pytest.mark.parametrize(
    ("where", "who"), [(1, "stranger"), (3, "model-reports[bot]")], ids=["on another", "by the App"]
)
def test_a_secret_in_a_comment_is_noticed(
    six: Reviewed, probe: Probe, where: int, who: str
) -> None:
    actor = person(who) if who == "stranger" else APP
    add_comment(six.store, where, f"I have it: {KEY}", actor)
    words = f"AWS_SECRET_ACCESS_KEY stands in a comment on pull request #{where}"
    says_no(probe, words)


def test_a_secret_that_was_made_harmless_is_noticed(six: Reviewed, probe: Probe) -> None:
    told = harmless(SECRETS["MLFLOW_TRACKING_URI"])
    assert told != SECRETS["MLFLOW_TRACKING_URI"]
    add_comment(six.store, 3, told, APP)
    says_no(probe, "MLFLOW_TRACKING_URI stands in a comment")


def test_a_comment_with_a_jobs_token_is_noticed(six: Reviewed, probe: Probe) -> None:
    add_comment(six.store, 1, "All is well.", Actor(JOBS, {"issues": "write"}))
    says_no(probe, "A job's own token has written a comment")


def test_a_token_that_may_write_is_noticed(six: Reviewed, probe: Probe) -> None:
    run = six.runs["attack"]
    source = six.store.run(run)["source"]
    write = source.replace(b"contents: read", b"contents: write")
    assert write != source
    # As on GitHub: whatever a fork's workflow asks for, it is to read.
    six.store.update("runs", run, source=write)
    assert STRANGER.probe(probe)
    owner = str(six.store.jobs(run)[0]["id"])
    token, _ = tokens.issue(six.store, "job", owner, {"issues": "write"}, -1)
    says_no(probe, f"A token of run {run} of a fork may write: issues")
    tokens.revoke(six.store, token)
    tokens.issue(six.store, "job", owner, {"contents": "read"})
    says_no(probe, f"The token of run {run}, which is over, is good still")


def test_a_run_of_a_fork_that_was_taken_for_one_of_ours_is_noticed(
    six: Reviewed, probe: Probe
) -> None:
    run = six.runs["attack"]
    event = json.loads(six.store.run(run)["payload"])
    event["pull_request"]["head"]["repo"]["fork"] = False
    six.store.update("runs", run, payload=json.dumps(event))
    says_no(probe, f"Run {run} of a fork was run as one that may have")


def test_where_nothing_could_get_out_nothing_is_proved(six: Reviewed, probe: Probe) -> None:
    run = six.runs["attack"]
    six.store.update("runs", run, status="in_progress")
    says_no(probe, f"Run {run} is not over")
    six.store.update("runs", run, status="completed")
    six.store.update("runs", six.runs["report"], status="queued")
    says_no(probe, f"Run {six.runs['report']} is not over")
    six.store.update("pulls", 3, head_owner="reader")
    says_no(probe, "No pull request from a fork has run anything yet")
    (six.store.state / "secrets.json").write_text("{}")
    says_no(probe, "The repository has no secret")


def test_nobody_claims_that_this_machine_keeps_a_job_from_its_files() -> None:
    assert "is not claimed: only GitHub's fresh machine" in STRANGER.hint
    assert "secret" in STRANGER.claim
    assert "read" in STRANGER.claim
