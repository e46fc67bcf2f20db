"""What is refused before a training begins, or a run is rebuilt: in a sentence, with nothing touched."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from plain import is_one_sentence
from training_workspace import Workspace

import rebuild
import train
from app import tracking
from app.sources import registry_client

DIGESTS = {name: name[0] * 64 for name in rebuild.DIGESTS}


@pytest.fixture
def workspace(fresh: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace that the scripts take for theirs, and are run in."""
    copy = fresh.copy(tmp_path / "workspace")
    for script in (train, rebuild):
        monkeypatch.setattr(script, "ROOT", copy.folder)
    monkeypatch.chdir(copy.folder)
    return copy


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a script; give the sentence with which it ends."""

    def refused(script: Any, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["script", *arguments])
        with pytest.raises(SystemExit) as end:
            script.main()
        assert isinstance(end.value.code, str), "another exit status than 1"
        assert is_one_sentence(end.value.code), end.value.code
        return end.value.code

    return refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-p", "C"), "'C' is no NAME=VALUE: write, for example, -p C=2."),
        (("-p", "C=["), "'C=[' has a value that is no YAML: put it between quotes."),
        (("-p", "C=2020-13-45"), "'C=2020-13-45' has a value that is no YAML: put it between"),
        (("-p", "output=mine"), "output is no parameter here: write --output FOLDER."),
        (("--output", "app"), "app holds what no training left there: choose another folder."),
        (("--output", "."), ". holds what no training left there: choose another folder."),
        (("--output", ".."), ".. holds what no training left there: choose another folder."),
        (("--output", "params.yaml"), "params.yaml holds what no training left there: "),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_training_begins(
    workspace: Workspace, refused: Callable[..., str], arguments: tuple[str, ...], sentence: str
) -> None:
    workspace.former()  # so `.` holds a training, among others
    before = workspace.left(".")
    assert refused(train, *arguments).startswith(sentence)
    assert workspace.left(".") == before


@pytest.mark.parametrize("output", ["training", "new", "sweep/C=1", "empty", "sweep"])
def test_a_place_for_trainings_is_taken(workspace: Workspace, output: str) -> None:
    workspace.former()
    (workspace.folder / "empty").mkdir()
    (workspace.folder / "sweep" / "C=2").mkdir(parents=True)
    (workspace.folder / "sweep" / "C=2" / "record.json").write_text("{}", encoding="utf-8")
    assert train.place(output) == workspace.folder / output


def test_a_folder_takes_the_place_of_the_former_one_whole(workspace: Workspace) -> None:
    workspace.former()
    new = workspace.folder / ".training-new" / "training"
    new.mkdir(parents=True)
    (new / "record.json").write_bytes(b"new")
    train.put(new, workspace.folder / "training")
    assert workspace.left("training") == {"record.json": b"new"}


def test_a_file_in_the_folder_s_place_is_not_written_over(workspace: Workspace) -> None:
    new = workspace.folder / ".training-new" / "training"
    new.mkdir(parents=True)
    with pytest.raises(NotADirectoryError):
        train.put(new, workspace.folder / "params.yaml")
    assert (workspace.folder / "params.yaml").is_file()


@pytest.fixture
def run(
    server: str, client: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Make a run with tags; the settings lead to its server."""
    for name in list(os.environ):
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)
    for name, value in {**registry_client.SETTINGS, "MLFLOW_TRACKING_URI": server}.items():
        monkeypatch.setenv(name, value)
    registry_client.client.cache_clear()
    found = client.get_experiment_by_name(tracking.EXPERIMENT)
    there = found.experiment_id if found else client.create_experiment(tracking.EXPERIMENT)
    yield lambda **tags: str(client.create_run(there, tags=tags).info.run_id)
    registry_client.client.cache_clear()


@pytest.mark.parametrize(
    ("commit", "sentence"),
    [
        ("c" * 40 + "-dirty", "This run's code was never committed: nobody can have it again."),
        ("c" * 40, f"Commit {'c' * 12} is not in this repository: fetch it."),
        ("", "This run does not name its commit: nobody can have its code again."),
        ("--orphan", "This run does not name its commit: nobody can have its code again."),
    ],
)
def test_a_run_whose_code_nobody_has_is_not_rebuilt(
    workspace: Workspace,
    refused: Callable[..., str],
    run: Callable[..., str],
    commit: str,
    sentence: str,
) -> None:
    given = {"git_commit": commit} if commit else {}
    assert refused(rebuild, run(**given), "--by", "Ada") == sentence
    assert len(workspace.git("worktree", "list").splitlines()) == 1


def test_a_run_that_is_not_there_is_not_rebuilt(
    refused: Callable[..., str], run: Callable[..., str]
) -> None:
    sentence = refused(rebuild, "0" * 32, "--by", "Ada")
    assert sentence.startswith(f"Run {'0' * 32} cannot be had: ")


@pytest.mark.parametrize("name", rebuild.DIGESTS)
def test_a_run_that_gives_another_digest_says_which(
    refused: Callable[..., str],
    run: Callable[..., str],
    client: mlflow.MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """Its data changed, say, which was never in the commit."""
    asked = []

    def again(commit: str, parameters: dict[str, str]) -> dict[str, str]:
        asked.append(commit)
        return DIGESTS

    monkeypatch.setattr(rebuild, "trained_again", again)
    run_id = run(git_commit="c" * 40, **DIGESTS | {name: "f" * 64})

    assert refused(rebuild, run_id, "--by", "Ada") == f"The {name} of run {run_id} is {'f' * 16}."

    assert asked == ["c" * 40]
    assert f"NOT THE SAME {name}" in capsys.readouterr().out
    assert not [tag for tag in client.get_run(run_id).data.tags if tag.startswith("rebuilt")]


def test_a_training_that_fails_again_leaves_no_worktree(
    workspace: Workspace, refused: Callable[..., str], run: Callable[..., str]
) -> None:
    """The first thing that its script does is to end."""
    (workspace.folder / "scripts" / "train.py").write_text("raise SystemExit('I end.')\n")
    workspace.git("commit", "--quiet", "--all", "-m", "a script that ends")
    commit = workspace.git("rev-parse", "HEAD")
    sentence = refused(rebuild, run(git_commit=commit), "--by", "Ada")
    assert sentence == "It could not be trained again: what was said stands above."
    assert len(workspace.git("worktree", "list").splitlines()) == 1
    assert workspace.git("status", "--short") == ""
