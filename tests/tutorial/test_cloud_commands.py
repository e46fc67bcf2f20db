"""`tutorial up`, `down`, `status`, `logs` and `reset`: what they say, and their exit status."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloud_processes import all_run, end, processes

from tutorial import cloud as local_cloud
from tutorial.home import Home
from tutorial.workspace import Workspace

Command = Callable[..., Any]
NAMES = {"s3", "heroku", "github", "runner"}


@pytest.fixture(autouse=True)
def is_down_in_the_end(home: Home) -> Iterator[None]:
    """Take down what a test brought up."""
    yield
    end(home)


def is_one_sentence(said: str) -> bool:
    """Tell whether it is one line that ends a sentence, and no traceback."""
    lines = said.strip().splitlines()
    return len(lines) == 1 and lines[0].endswith(".") and "Traceback" not in said


def told(said: str) -> dict[str, str]:
    """Return the state of each service, from JSON; fail if it has other fields than it is to have."""
    document = json.loads(said)
    assert set(document) == {"services"}
    assert all(set(entry) == {"name", "state", "url"} for entry in document["services"])
    return {entry["name"]: entry["state"] for entry in document["services"]}


def test_where_it_never_was_up_all_commands_say_so_and_make_nothing(
    home: Home, tutorial: Command
) -> None:
    said = tutorial("status")
    assert (said.status, said.err) == (0, "")
    assert is_one_sentence(said.out)
    assert "`tutorial up` starts it" in said.out
    assert told(tutorial("status", "--json").out) == {}
    for arguments in (["logs"], ["logs", "s3"]):
        said = tutorial(*arguments)
        assert said.status == 1
        assert "never was up" in said.err
        assert is_one_sentence(said.err)
    said = tutorial("down")
    assert (said.status, said.err) == (0, "")
    assert is_one_sentence(said.out)
    assert not home.root.exists()


def test_a_cloud_goes_up_tells_of_itself_and_goes_down(home: Home, tutorial: Command) -> None:
    said = tutorial("up")
    assert said.status == 0
    urls = {state.name: state.url for state in local_cloud.status(home)}
    assert set(urls) == NAMES
    # A table for people, which a terminal of 80 columns has room for
    for table in (said.out, tutorial("status").out):
        assert all(len(line) <= 80 for line in table.splitlines())
        for name, url in urls.items():
            (row,) = [line for line in table.splitlines() if f" {name} " in line]
            assert "✓" in row
            assert "running" in row
            assert url in row
    # JSON for machines
    said = tutorial("status", "--json")
    assert (said.status, said.err) == (0, "")
    assert told(said.out) == dict.fromkeys(NAMES, "running")
    # What services say, all of them or one
    said = tutorial("logs", "heroku", "--lines", "1")
    assert (said.status, said.err) == (0, "")
    assert said.out == f"heroku: The platform listens at {urls['heroku']}\n"
    said = tutorial("logs")
    assert said.status == 0
    assert {line.partition(":")[0] for line in said.out.splitlines()} == NAMES
    said = tutorial("logs", "dynamodb")
    assert (said.status, said.out) == (1, "")
    assert "There is no service dynamodb: choose from s3, heroku" in said.err
    assert is_one_sentence(said.err)
    # And down, as often as one likes
    for _ in range(2):
        said = tutorial("down")
        assert (said.status, said.err) == (0, "")
        assert is_one_sentence(said.out)
    assert processes(home) == {}
    said = tutorial("status")
    assert said.status == 0
    assert said.out.count("stopped") == len(NAMES)
    assert told(tutorial("status", "--json").out) == dict.fromkeys(NAMES, "stopped")
    assert tutorial("logs", "heroku").status == 0


def test_a_service_that_cannot_start_is_one_sentence_and_status_says_which(
    home: Home, tutorial: Command
) -> None:
    (home.root / "cloud" / "s3").mkdir(parents=True)
    (home.root / "cloud" / "s3" / "objects").touch()
    said = tutorial("up")
    assert (said.status, said.out) == (1, "")
    last = said.err.strip().splitlines()[-1]
    assert last.startswith("The service s3 does not answer: The folder of S3 and IAM cannot be")
    assert last.endswith(".")
    assert "Traceback" not in said.err
    assert told(tutorial("status", "--json").out)["s3"] in ("starting", "failed")
    assert tutorial("down").status == 0
    assert processes(home) == {}


def test_reset_to_a_milestone_leaves_the_cloud_and_reset_removes_it(
    home: Home, tutorial: Command
) -> None:
    workspace = Workspace(home.workspace)
    workspace.prepare()
    workspace.commit(0, "Zero Ops")
    tutorial("up")
    running = processes(home)
    said = tutorial("reset", "--to", "0")
    assert (said.status, said.err) == (0, "")
    assert processes(home) == running
    assert all_run(home)
    said = tutorial("reset")
    assert (said.status, said.err) == (0, "")
    assert processes(home) == {}
    assert not (home.root / "cloud").exists()
    assert told(tutorial("status", "--json").out) == {}


def test_reset_removes_a_cloud_without_a_workspace(home: Home, tutorial: Command) -> None:
    tutorial("up")
    said = tutorial("reset")
    assert (said.status, said.err) == (0, "")
    assert "the local cloud is removed" in said.out
    assert processes(home) == {}
    assert not (home.root / "cloud").exists()
