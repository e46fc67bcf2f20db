"""What counts as a review: of the very commit that was merged, by somebody whose word counts."""

import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from reader_repository import Reader, serve

from tutorial.github.artifacts import keep
from tutorial.github.conversation import add_labels, add_review
from tutorial.github.movement import merge_pull
from tutorial.github.people import person

NAMES = itertools.count(1)
FILES = {"record.json": json.dumps({"input_digest": "1"}), "predictions.csv": "review,positive\n"}


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[Reader]:
    with serve(folder) as made:
        yield made


class Proposed:
    """A pull request that is trained, reviewed and merged in steps."""

    def __init__(self, reader: Reader, owner: str = "reader") -> None:
        self.reader, self.owner, self.branch = reader, owner, f"topic-{next(NAMES)}"
        given = {"params.yaml": f"{self.branch}\n"}
        self.pull, queued = reader.proposals.propose(self.branch, given, owner)
        self.number = int(self.pull["id"])
        (self.run,) = queued.runs

    def trained(self, conclusion: str = "success", name: str = "model", **files: str) -> "Proposed":
        self.reader.proposals.finish(self.run, "gate", conclusion)
        path = self.reader.folder / "artifact.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file, content in {**FILES, **files}.items():
                archive.writestr(file, content)
        keep(self.reader.store, self.run, name, path)
        return self

    def review(self, event: str = "APPROVE", who: str = "maintainer") -> "Proposed":
        add_review(
            self.reader.store, self.number, event, "" if event == "APPROVE" else "Hm.", person(who)
        )
        return self

    def again(self) -> "Proposed":
        self.reader.proposals.branch(self.branch, {"params.yaml": "again\n"}, self.owner)
        (queued,) = self.reader.proposals.queued
        (self.run,) = queued.runs
        return self

    def relabelled(self) -> "Proposed":
        add_labels(self.reader.store, self.number, ["same-quality"], person("maintainer"))
        self.run = self.reader.store.rows("SELECT MAX(id) AS id FROM runs")[0]["id"]
        return self

    def found(self, method: str = "merge") -> str:
        """Merge it, and return what the script says, after its exit status."""
        merged, _ = merge_pull(self.reader.store, self.number, person("reader"), method)
        return found(self.reader, str(merged["merge_sha"]))


def found(reader: Reader, commit: str) -> str:
    done = reader.script("reviewed", "reviewed", GITHUB_SHA=commit)
    assert "Traceback" not in done.stderr
    return f"{done.returncode}: {done.stdout or done.stderr}"


@pytest.mark.parametrize("method", ["merge", "squash"])
@pytest.mark.parametrize("owner", ["reader", "stranger"])
def test_what_was_approved_and_let_pass_is_found(reader: Reader, owner: str, method: str) -> None:
    proposed = Proposed(reader, owner).trained(**{"../elsewhere": "!"})
    proposed.review("COMMENT", "stranger2").review("REQUEST_CHANGES").review().review("COMMENT")
    assert proposed.found(method) == f"0: number={proposed.number}\napprover=maintainer\n"
    for name, content in FILES.items():
        assert (reader.folder / "reviewed" / name).read_text() == content
    assert not (reader.folder / "elsewhere").exists()


@pytest.mark.parametrize("case", ["nobody", "a stranger", "taken back", "of another commit"])
def test_without_an_approval_that_counts_nothing_is_found(reader: Reader, case: str) -> None:
    proposed = Proposed(reader).trained()
    if case != "nobody":
        proposed.review(who="stranger" if case == "a stranger" else "maintainer")
    if case == "taken back":
        proposed.review("REQUEST_CHANGES")
    if case == "of another commit":
        proposed.again().trained()
    assert proposed.found().startswith(
        f"1: Nobody approved the last commit of pull request {proposed.number}: nothing is promoted."
    )


@pytest.mark.parametrize(
    "case", ["refused", "running", "no artifact", "passed before", "label gone"]
)
def test_a_training_that_was_not_let_pass_is_not_what_was_reviewed(
    reader: Reader, case: str
) -> None:
    proposed = Proposed(reader)
    if case == "refused":
        proposed.trained("failure")
    elif case == "no artifact":
        proposed.trained(name="another")
    elif case == "label gone":
        proposed.trained().relabelled().trained("failure")
    elif case == "passed before":
        proposed.trained().again().trained("failure")
    said = proposed.review().found()
    assert said.startswith(
        f"1: The last training of pull request {proposed.number} was not let pass"
    )


def test_a_commit_that_no_pull_request_brought_is_not_reviewed(reader: Reader) -> None:
    proposed = Proposed(reader).trained().review()
    assert proposed.found().startswith("0: ")
    # Of what was merged, only the merge is what main became.
    assert "No pull request brought" in found(reader, str(proposed.pull["head_sha"]))
    reader.rehearsal.git("fetch", "--quiet", reader.rehearsal.repository.url, "main")
    reader.rehearsal.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    sha = reader.rehearsal.commit({"params.yaml": "direct\n"})
    reader.rehearsal.receive()
    assert (
        found(reader, sha)
        == f"1: No pull request brought {sha[:12]}: nobody reviewed it. Open one.\n"
    )


def test_an_artifact_without_its_files_is_told(reader: Reader) -> None:
    proposed = Proposed(reader).trained(**{"record.json": "0" * 1_000_001}).review()
    assert proposed.found() == "1: record.json in the artifact is larger than 1,000,000 bytes.\n"


def test_what_ran_after_the_merge_is_not_what_was_reviewed(reader: Reader) -> None:
    proposed = Proposed(reader).trained().review()
    merged, _ = merge_pull(reader.store, proposed.number, person("reader"), "merge")
    proposed.relabelled().trained("failure")
    # GitHub's times are whole seconds.
    reader.store.update("runs", proposed.run, created=merged["merged"] + 5)
    said = found(reader, str(merged["merge_sha"]))
    assert said == f"0: number={proposed.number}\napprover=maintainer\n"
