"""Milestone 6's check and the audit's question seven, each saying no to what does not hold."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from reader_repository import MARKER, Reader, serve
from reviewed_home import APP, FALLBACK, Reviewed, at, changed, now, registered, report

from local_s3 import LocalS3, local_s3
from tracking_server import tracking_server
from tutorial.checks import CHECKS, Item, Probe
from tutorial.checks import pull_requests as check
from tutorial.deployed import Platform
from tutorial.errors import TutorialError
from tutorial.github.conversation import add_comment, add_review
from tutorial.github.people import JOBS, person
from tutorial.github.pulls import comments_of
from tutorial.github.repository import Repository
from tutorial.home import PROJECT
from tutorial.tracking.api import ALIAS, NAME

COMMENT, APPROVED, SAME, STOPPED, STRANGER, BACK = CHECKS[6]
Made = tuple[Reader, dict[str, Any], MlflowClient, int]


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Made]:
    (folder / "mlflow").mkdir()
    with tracking_server(folder / "mlflow") as url, serve(folder) as reader:
        found = changed(reader)
        client = MlflowClient(url)
        registered(client, str(found["more"]["merge_sha"]))
        yield reader, found, client, int(url.rpartition(":")[2])


@pytest.fixture
def six(made: Made, tmp_path: Path) -> Iterator[Reviewed]:
    """A home of the test's own: break what is on its GitHub, and mend what is in MLflow."""
    reader, found, client, port = made
    reviewed = at(reader, tmp_path / "home", found, client, port)
    yield reviewed
    reviewed.store.close()


def says_no(item: Item, probe: Probe, words: str) -> None:
    with pytest.raises(TutorialError, match=words):
        item.probe(probe)


def test_what_milestone_6_leaves_holds(six: Reviewed, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [item.probe(six.probe(monkeypatch)) for item in CHECKS[6]]
    head = six.more["head_sha"][:12]
    assert (
        seen[0]
        == f"model-reports[bot] compares commit {head} with the champion on pull request #1, once"
    )
    assert seen[1] == "version 2 is live; maintainer approved pull request #1"
    assert seen[2] == "input 111111111111, in pull request #1 and in version 2"
    assert f"pull request #3: its model was trained, run {six.runs['attack']} said no" in seen[3]
    # The user's name is a word of the repository's files; the App's key is a secret, too.
    assert seen[4].startswith(
        "runs of forks' pull requests: 1, whose tokens could read alone; of 4 "
    )
    assert "(MLFLOW_TRACKING_USERNAME: in the repository's files, so no secret)" in seen[4]
    assert seen[5].startswith("reader took version 1 back, 20")


def test_the_words_by_which_a_report_is_known_are_those_of_the_scripts() -> None:
    for name in ("post_report", "report"):
        assert repr(MARKER)[1:-1] in (PROJECT / "scripts" / f"{name}.py").read_text("utf-8")
    assert check.MARKER == MARKER
    assert f'"{check.COMPARES}"' in (PROJECT / "scripts" / "report.py").read_text("utf-8")
    train = (PROJECT / check.TRAIN).read_text("utf-8")
    assert f"\n  {check.JUDGES}:\n" in train
    assert f"name: {check.ARTIFACT}\n" in train


def test_without_a_local_github_every_item_but_the_last_says_so(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = six.probe(monkeypatch)
    (six.store.state / "runs.sqlite").unlink()
    for item in CHECKS[6][:-1]:
        says_no(item, probe, "There is no local GitHub here")


# --- one comment


def test_a_report_that_is_not_there_once_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, (comment,) = six.probe(monkeypatch), comments_of(six.store, 1)
    add_comment(six.store, 1, comment["body"], APP)
    says_no(COMMENT, probe, "has 2 comments with a report on pull request #1")
    six.store.delete("comments", pull=1)
    says_no(COMMENT, probe, "has 0 comments with a report")
    add_comment(six.store, 1, "A kind word.", APP)
    says_no(COMMENT, probe, "has 0 comments with a report")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"author": JOBS}, r"github-actions\[bot\] reports on .* not model-reports\[bot\]"),
        ({"body": report({"head_sha": "0" * 40}, "success")}, "not on its last commit"),
    ],
    ids=["by a job", "on another commit"],
)
def test_a_report_by_another_or_of_another_commit_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    six.store.update("comments", comments_of(six.store, 1)[0]["id"], **change)
    says_no(COMMENT, six.probe(monkeypatch), words)


def test_a_report_that_compares_nothing_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    (comment,) = comments_of(six.store, 1)
    six.store.update("comments", comment["id"], body=comment["body"].replace(check.COMPARES, ""))
    says_no(COMMENT, six.probe(monkeypatch), "compares no champion and challenger")


def test_without_an_app_or_a_merged_pull_request_nobody_reports(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = six.probe(monkeypatch)
    six.store.update("pulls", 1, merged=None)
    says_no(COMMENT, probe, "No pull request that trained a model was merged")
    six.store.delete("apps", slug="model-reports")
    says_no(COMMENT, probe, "APP_CLIENT_ID names no App")


# --- approved


UNREVIEWED = [
    ({"promoted_by": ""}, "Nobody wrote down who promoted version 2"),
    ({"promoted_why": "I liked it"}, r"by hand, by maintainer \(I liked it\): no review"),
    ({"promoted_why": "pull request #99"}, "has no pull request #99"),
    ({"promoted_why": "pull request #2"}, "#2 was not merged"),
    ({"promoted_by": "reader"}, "reader, who is named, did not approve the last commit"),
    ({"promoted_by": "maintainer, ada"}, "ada, who is named, did not approve"),
    ({"git_commit": "f" * 40}, "was trained from ffffffffffff, and pull request #1 brought"),
]
NAMES = ["nobody", "by hand", "no such", "not merged", "another", "one more", "another commit"]


@pytest.mark.parametrize(("tags", "words"), UNREVIEWED, ids=NAMES)
def test_a_version_that_tells_what_github_does_not_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str], words: str
) -> None:
    with six.tagged(**tags):
        says_no(APPROVED, six.probe(monkeypatch), words)
        said = six.audited()
    assert said.answer is None
    assert words.replace("\\", "") in said.evidence


@pytest.mark.parametrize(
    "change",
    [{"state": "DISMISSED"}, {"sha": "0" * 40}, {"may_write": 0}, {"author": "ada"}],
    ids=["dismissed", "of another commit", "by one who may not", "by another"],
)
def test_an_approval_that_does_not_count_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    (review,) = six.store.rows("SELECT id FROM reviews WHERE pull = 1")
    six.store.update("reviews", review["id"], **change)
    says_no(APPROVED, six.probe(monkeypatch), "maintainer, who is named, did not approve")
    assert six.audited().answer is None


def test_the_last_word_of_a_reviewer_counts(six: Reviewed, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = six.probe(monkeypatch)
    add_review(six.store, 1, "COMMENT", "And thank you.", person("maintainer"))
    assert APPROVED.probe(probe)
    *_, last = six.store.rows("SELECT id FROM reviews WHERE pull = 1 ORDER BY id")
    six.store.update("reviews", last["id"], state="CHANGES_REQUESTED")
    says_no(APPROVED, probe, "did not approve")


def test_a_merge_that_is_not_on_main_any_more_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository(six.store.state).git("update-ref", "refs/heads/main", six.more["base_sha"])
    says_no(APPROVED, six.probe(monkeypatch), "#1 was not merged")


@pytest.mark.parametrize(
    "change", [{"version": "1"}, {"digest": "0" * 64}, {"fallback": True}], ids=str
)
def test_an_app_that_serves_something_else_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    says_no(APPROVED, six.probe(monkeypatch, **change), "and version 2 is champion")


# --- what was reviewed


def test_an_input_that_nobody_reviewed_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, run = six.probe(monkeypatch), six.runs["more"]
    six.upload(run, "model", **{"record.json": json.dumps({"input_digest": "2" * 64})})
    says_no(SAME, probe, "from input 111111111111; 222222222222 was reviewed in pull request #1")
    for content in (b"no JSON", b"[]", b"[" * 100_000, b"{}"):
        six.upload(run, "model", **{"record.json": content})
        says_no(SAME, probe, f"The artifact model of run {run} has no record")
    six.upload(run, "model", other="file")
    says_no(SAME, probe, "has no record")
    six.store.delete("artifacts", run=run)
    says_no(SAME, probe, f"Run {run} has no artifact model")
    six.store.update("runs", run, conclusion="failure")
    says_no(SAME, probe, f"Run {run}, its last training, ended as failure")
    six.store.update("runs", run, event="push")
    says_no(SAME, probe, "Nothing was trained for pull request #1")


# --- the gate


def test_a_refused_pull_request_that_came_to_main_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = six.probe(monkeypatch)
    six.store.update("pulls", 2, merged=time.time())
    says_no(STOPPED, probe, f"Run {six.runs['luck']} refused pull request #2: merged")
    six.store.update("pulls", 2, merged=None)
    assert STOPPED.probe(probe)
    Repository(six.store.state).git("update-ref", "refs/heads/main", six.luck["head_sha"])
    says_no(STOPPED, probe, f"Run {six.runs['luck']} refused pull request #2: merged")


def test_a_gate_that_never_said_no_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that failed is no refusal, nor is a gate that did not judge what was made of it."""
    probe = six.probe(monkeypatch)
    six.store.update("runs", six.runs["attack"], conclusion="success")
    assert "pull request #2" in STOPPED.probe(probe)
    train, gate = six.store.jobs(six.runs["luck"])
    six.store.update("jobs", train["id"], conclusion="failure")
    says_no(STOPPED, probe, "The gate has refused nothing yet")
    six.store.update("jobs", train["id"], conclusion="success")
    six.store.update("jobs", gate["id"], conclusion="cancelled")
    says_no(STOPPED, probe, "The gate has refused nothing yet")


# --- going back


@pytest.fixture(scope="module")
def s3(folder: Path) -> Iterator[LocalS3]:
    (folder / "s3").mkdir()
    with local_s3(folder / "s3") as server:
        server.bucket("reviews-and-models")
        yield server


@pytest.fixture
def bucket(s3: LocalS3, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bucket that the champion is copied to."""
    monkeypatch.setattr(check, "seen_by", lambda probe, profile: s3.client())
    config = {"MODEL_FALLBACK_URI": FALLBACK}
    monkeypatch.setattr(Platform, "config", lambda platform: config)
    monkeypatch.setattr(Platform, "__init__", lambda platform, home: None)
    return s3.client()


def test_who_never_went_back_or_forth_again_is_noticed(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = six.probe(monkeypatch)
    with six.tagged("1", rolled_back_by=""):
        says_no(BACK, probe, "No version was ever taken back")
    six.client.set_registered_model_alias(NAME, ALIAS, "1")
    try:
        says_no(BACK, probe, "Version 1 was taken back, and is champion again")
    finally:
        six.client.set_registered_model_alias(NAME, ALIAS, "2")
    with six.tagged("1", rolled_back_at="yesterday"):
        says_no(BACK, probe, "'yesterday' is no time")


def test_an_app_that_was_started_again_is_no_proof_and_the_bucket_is(
    six: Reviewed, monkeypatch: pytest.MonkeyPatch, bucket: Any
) -> None:
    restarted = six.probe(monkeypatch, since="2100-01-01T00:00:00+00:00")
    name, _, key = FALLBACK.removeprefix("s3://").partition("/")
    with six.tagged("1", rolled_back_at=now()):
        says_no(BACK, restarted, "Nothing tells how long going back from version 1 took")
        bucket.put_object(Bucket=name, Key=f"{key}.other", Body=b"another")
        says_no(BACK, restarted, "Nothing tells how long")
        bucket.put_object(Bucket=name, Key=key, Body=b"the champion's")
        assert f"its copy {FALLBACK} was in its place, " in BACK.probe(restarted)
    with six.tagged("1", rolled_back_at="2026-01-01T00:00:00+00:00"):
        says_no(BACK, restarted, r"Going back from version 1 took \d+ s")
    nobody = LocalS3("http://127.0.0.1:1", six.home.root).client()
    monkeypatch.setattr(check, "seen_by", lambda probe, profile: nobody)
    says_no(BACK, restarted, r"cannot be had \(EndpointConnectionError\)")


# --- the audit


def test_the_audit_tells_who_reviewed_the_change(six: Reviewed) -> None:
    said = six.audited()
    assert said.answer == "maintainer approved pull request #1, 'Try more'"
    assert said.evidence == (
        "MLflow, version 2: promoted_by, promoted_why; GitHub, pull request #1: reviews of its last commit"
    )


def test_the_audit_tells_why_nobody_can_say(six: Reviewed) -> None:
    run = six.client.get_model_version(NAME, "1").run_id
    said = six.audited(version="1", run=run)
    assert (said.answer, said.evidence) == (
        None,
        "Version 1 was promoted by hand, by reader (I liked it): no review.",
    )
    said = six.audited(version="1")
    assert said.answer is None
    assert said.evidence.startswith("MLflow knows no version 1 of run ")
    assert six.audited(run=None).evidence == "no review took place"
    (six.store.state / "runs.sqlite").unlink()
    assert six.audited().evidence == "There is no local GitHub here, and no other is asked."
    six.home.forget("tracking")
    assert six.audited().evidence == "There is no tracking server here."
