"""What a report's script posts, and what it refuses: the artifact may be anybody's, and anything."""

import itertools
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from reader_repository import MARKER, SLUG, Reader, serve

from tutorial.github.artifacts import keep
from tutorial.github.conversation import add_comment
from tutorial.github.people import Actor, person
from tutorial.github.pulls import change_pull, comments_of

APP = Actor(f"{SLUG}[bot]", {"pull_requests": "write"})
NAMES = itertools.count(1)
GOOD = f"{MARKER}\n\nThe report."


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[Reader]:
    with serve(folder) as made:
        yield made


class Trained:
    """A pull request whose training has ended, and the artifact that it left."""

    def __init__(self, reader: Reader, owner: str = "reader", **files: str) -> None:
        self.reader, self.owner, self.branch = reader, owner, f"topic-{next(NAMES)}"
        given = files or {"params.yaml": f"{self.branch}\n"}
        self.pull, queued = reader.proposals.propose(self.branch, given, owner)
        (self.run,) = queued.runs
        self.number = int(self.pull["id"])
        reader.proposals.finish(self.run, "gate", "success")

    def leave(
        self, report: str | bytes | None = GOOD, number: object = None, **more: bytes
    ) -> None:
        """Leave an artifact with these files."""
        path = self.reader.folder / "artifact.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("number", f"{self.number if number is None else number}\n")
            if report is not None:
                archive.writestr("report.md", report)
            for name, content in more.items():
                archive.writestr(name, content)
        keep(self.reader.store, self.run, "model", path)

    def comments(self) -> list[str]:
        return [str(one["body"]) for one in comments_of(self.reader.store, self.number)]

    def post(self, **changed: object) -> str:
        """Post the report of the run; return what was said in the end, after the exit status."""
        done = self.reader.post(self.run, **changed)
        assert "Traceback" not in done.stderr
        return f"{done.returncode}: {(done.stdout + done.stderr).strip()}"


def test_one_comment_is_made_and_brought_up_to_date(reader: Reader) -> None:
    trained = Trained(reader)
    trained.leave()
    # What others wrote stays, also where it looks like the App's; and the App's own is found behind it.
    add_comment(reader.store, trained.number, GOOD, person("stranger"))
    add_comment(reader.store, trained.number, "I am the App, and this is no report.", APP)
    for count in range(101):
        add_comment(reader.store, trained.number, f"Word {count}.", person("stranger"))
    before = trained.comments()
    assert trained.post() == f"0: Pull request {trained.number} has a comment now."
    trained.leave(f"{MARKER}\n\nBetter, @reader.")
    assert (
        trained.post() == f"0: The comment on pull request {trained.number} is brought up to date."
    )
    *others, comment = trained.comments()
    assert others == before
    assert comment.startswith(f"{MARKER}\n\n[Run ")
    assert trained.pull["head_sha"] in comment
    assert comment.endswith("\n\nBetter, \N{WORD JOINER}@\N{WORD JOINER}reader.")


@pytest.mark.parametrize(
    ("report", "number", "says"),
    [
        (GOOD, 99, "The artifact is not of pull request"),
        (GOOD, "", "The artifact is not of pull request"),
        (GOOD, "1" * 50, "number in the artifact is larger than 20 bytes."),
        ("No marker.", None, "report.md does not begin with"),
        (b"\xff\xfe", None, "report.md in the artifact is no text in UTF-8."),
        (b"0" * 100_000_000, None, "report.md in the artifact is larger than 240,000 bytes."),
    ],
)
def test_an_artifact_that_is_not_this_pull_requests_report_is_not_posted(
    reader: Reader, report: str | bytes, number: object, says: str
) -> None:
    trained = Trained(reader)
    trained.leave(report, number)
    said = trained.post()
    assert said.startswith("1: ")
    assert says in said
    assert trained.comments() == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a zip file", "The artifact is no zip file"),
        (os.urandom(20_000_001), "The artifact model is larger than 20,000,000 bytes"),
    ],
    ids=["no zip", "too large"],
)
def test_what_is_no_artifact_of_ours_is_not_read(reader: Reader, content: bytes, says: str) -> None:
    trained = Trained(reader)
    path = reader.folder / "artifact.zip"
    path.write_bytes(content)
    keep(reader.store, trained.run, "model", path)
    assert says in trained.post()
    assert trained.comments() == []


def test_a_damaged_file_in_it_is_told_in_a_sentence(reader: Reader) -> None:
    trained = Trained(reader)
    trained.leave(f"{MARKER}\n" + "A report. " * 50)
    (row,) = reader.store.rows("SELECT * FROM artifacts WHERE run = ?", trained.run)
    path = reader.store.state / "artifacts" / str(trained.run) / f"{row['digest']}.zip"
    content = bytearray(path.read_bytes())
    place = content.index(b"report.md") + len("report.md")
    content[place : place + 10] = bytes(10)
    path.write_bytes(content)
    assert trained.post() == "1: report.md in the artifact is damaged: train again."
    assert trained.comments() == []


def test_names_that_lead_elsewhere_lead_nowhere(reader: Reader) -> None:
    trained = Trained(reader)
    trained.leave(**{"../escaped": b"!", "/tmp/escaped-too": b"!", "../../report.md": b"!"})  # noqa: S108
    before = set(reader.folder.parent.rglob("*escaped*"))
    assert trained.post().startswith("0: ")
    assert set(reader.folder.parent.rglob("*escaped*")) == before == set()
    assert not Path("/tmp/escaped-too").exists()  # noqa: S108


def test_a_run_without_an_artifact_or_a_report_says_so(reader: Reader) -> None:
    trained = Trained(reader)
    assert trained.post(conclusion="failure").startswith("0: ")
    trained.leave(report=None)
    (comment,) = trained.comments()
    assert "**failure**" in comment
    assert comment.endswith("It left no model to report on: the run says why.")
    trained.post()
    (comment,) = trained.comments()
    assert comment.endswith("It left no report: the run says why.")


def test_what_is_closed_or_went_on_or_is_anothers_gets_nothing(reader: Reader) -> None:
    nothing = "0: No open pull request ends in this commit: nothing is posted."
    trained = Trained(reader, "stranger")
    trained.leave()
    someone_elses = (
        reader.rehearsal.repository.url
    )  # a branch of that name that is in the repository itself
    assert someone_elses
    ours = {"head_repository": {"owner": {"login": "reader"}, "full_name": "reader/workspace"}}
    assert trained.post(**ours) == nothing
    other = {"head_repository": {"owner": {"login": "stranger"}, "full_name": "stranger/other"}}
    assert trained.post(**other) == nothing
    assert trained.post(head_branch="main") == nothing
    assert trained.post(head_repository=None) == nothing  # the fork is gone
    reader.proposals.branch(trained.branch, {"params.yaml": "went on\n"}, "stranger")
    assert trained.post() == nothing
    closed = Trained(reader)
    closed.leave()
    change_pull(reader.store, closed.number, person("reader"), state="closed")
    assert closed.post() == nothing
    assert trained.comments() == closed.comments() == []


def test_a_run_cannot_speak_for_another_pull_request(reader: Reader) -> None:
    victim, attacker = Trained(reader), Trained(reader, "stranger")
    attacker.leave(number=victim.number)
    assert (
        attacker.post()
        == f"1: The artifact is not of pull request {attacker.number}: nothing is posted."
    )
    assert victim.comments() == attacker.comments() == []


def test_a_report_that_is_too_long_is_cut(reader: Reader) -> None:
    trained = Trained(reader)
    trained.leave(f"{MARKER}\n" + "<@>#1 " * 20_000)
    assert trained.post().startswith("0: ")
    (comment,) = trained.comments()
    assert len(comment) == 60_000
    assert comment.endswith("\n\nThe rest is in the run's artifact.")


@pytest.mark.parametrize(
    ("file", "told"), [(".github/workflows/train.yml", True), ("app/a.py", False)]
)
def test_a_pull_request_that_can_write_its_own_report_is_told_of(
    reader: Reader, file: str, told: bool
) -> None:
    text = (reader.rehearsal.reader / ".github/workflows/train.yml").read_text(encoding="utf-8")
    trained = Trained(reader, "stranger", **{file: f"{text}# changed\n", "params.yaml": "more\n"})
    trained.leave()
    trained.post()
    (comment,) = trained.comments()
    assert ("read that first" in comment.partition("The report.")[0]) == told


def test_what_the_script_needs_and_lacks_is_said(reader: Reader) -> None:
    trained = Trained(reader)
    trained.leave()
    trained.post()
    event = {"GITHUB_EVENT_PATH": str(reader.folder / "event.json")}
    for changed, says in (
        ({"APP_TOKEN": ""}, "APP_TOKEN is not set"),
        ({"APP_TOKEN": "ghs_revoked"}, "GitHub refuses GET /pulls with 401: Bad credentials"),
        ({"GITHUB_TOKEN": "ghs_revoked"}, "401: Bad credentials"),
        ({"GITHUB_API_URL": "http://127.0.0.1:9"}, "GitHub does not answer: run the job again."),
        ({"GITHUB_API_URL": f"{reader.url}/elsewhere"}, "404"),
    ):
        done = reader.script("post_report", **event, **changed)
        assert done.returncode == 1
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert "ghs_" not in done.stderr
