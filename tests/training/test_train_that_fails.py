"""Whatever ends a training: a sentence, a run that is marked failed, nothing registered or spoilt."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import mlflow
import psutil
import pytest
from artifact_way import ArtifactWay
from mlflow.entities import Run
from plain import is_one_sentence
from training_workspace import Said, Workspace, ended

from app import tracking
from tracking_server import free_port

PASSWORD = "wrong-horse-battery"  # noqa: S105
SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """A training's end: what it said, what it left beside the former one, and its run if it has one."""

    said: Said
    workspace: Workspace
    former: dict[str, bytes]
    run: Run | None

    @property
    def is_harmless(self) -> bool:
        """Tell whether what was there before still is, and nothing half done beside it."""
        parts = list(self.workspace.folder.glob(".training-*"))
        return self.workspace.left("training") == self.former and not parts


class Failing:
    """Trainings that fail, each against the server, in a workspace and under a name of its own."""

    def __init__(self, fresh: Workspace, here: Path, client: mlflow.MlflowClient) -> None:
        self.fresh, self.here, self.client = fresh, here, client

    @contextmanager
    def begun(self, name: str, uri: str, *arguments: str) -> Iterator[Any]:
        workspace = self.fresh.copy(self.here / name, MLFLOW_TRACKING_URI=uri)
        with workspace.train(*arguments) as process:
            yield workspace, workspace.former(), process

    def run(self, uri: str, name: str, *arguments: str) -> Outcome:
        """Train until it fails by itself."""
        with self.begun(name, uri, *arguments) as (workspace, former, process):
            return Outcome(ended(process), workspace, former, self.run_of(arguments))

    def hit(self, name: str, C: int, blow: Callable[[Any, int, ArtifactWay], None]) -> Outcome:  # noqa: N803
        """Train, and strike while a file of the run is on its way: at the process, or at its kernel."""
        way = ArtifactWay(self.client.tracking_uri)
        way.open()
        try:
            arguments = ("-p", f"C={C}")
            with self.begun(name, way.url, *arguments) as (workspace, former, process):
                assert way.held.wait(SECONDS), "no file was sent"
                run = self.run_of(arguments)
                assert run is not None
                assert run.info.status == "RUNNING"
                kernel = int(run.data.tags["process"].partition(" ")[0])
                blow(process, kernel, way)
                said = ended(process)
                psutil.wait_procs([psutil.Process(kernel)] if psutil.pid_exists(kernel) else [])
            return Outcome(said, workspace, former, self.run_of(arguments))
        finally:
            way.cut()

    def refused(self, name: str, C: int, word: str) -> Outcome:  # noqa: N803
        """Train with a store that takes no file whose name has a word in it."""
        way = ArtifactWay(self.client.tracking_uri, word, refuse=True)
        way.open()
        try:
            return self.run(way.url, name, "-p", f"C={C}")
        finally:
            way.cut()

    def run_of(self, arguments: tuple[str, ...]) -> Run | None:
        """Return the run that is named as what was set."""
        named = f"attributes.run_name = '{arguments[-1]}'" if arguments else "params.C = '0'"
        found = self.client.get_experiment_by_name("sentiment")
        runs = self.client.search_runs([found.experiment_id], named) if found else []
        return runs[0] if runs else None


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """A tracking server that knows no user; its address without a scheme."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def outcomes(
    fresh: Workspace, here: Path, client: mlflow.MlflowClient, stranger: str
) -> Iterator[Callable[[str], Outcome]]:
    """All trainings that fail, some at a time, for most of their time they wait."""
    failing = Failing(fresh, here, client)
    server, away = client.tracking_uri, f"http://127.0.0.1:{free_port()}"
    knowing = f"http://trainer:{PASSWORD}@{stranger}"

    def stop(process: Any, kernel: int, way: ArtifactWay) -> None:
        process.terminate()

    def kill(process: Any, kernel: int, way: ArtifactWay) -> None:
        process.kill()

    def kill_kernel(process: Any, kernel: int, way: ArtifactWay) -> None:
        os.kill(kernel, signal.SIGKILL)

    def cut(process: Any, kernel: int, way: ArtifactWay) -> None:
        way.cut()

    with ThreadPoolExecutor(4) as pool, ExitStack() as after:
        after.callback(pool.shutdown, cancel_futures=True)
        asked: dict[str, Future[Outcome]] = {
            "cut": pool.submit(failing.hit, "cut", 11, cut),
            "killed": pool.submit(failing.hit, "killed", 12, kill),
            "stopped": pool.submit(failing.hit, "stopped", 13, stop),
            "kernel": pool.submit(failing.hit, "kernel", 14, kill_kernel),
            "full": pool.submit(failing.refused, "full", 15, ""),
            "notebook": pool.submit(failing.refused, "notebook", 16, "train.ipynb"),
            "away": pool.submit(failing.run, away, "away"),
            "stranger": pool.submit(failing.run, knowing, "stranger"),
            "misspelt": pool.submit(failing.run, server, "misspelt", "-p", "c=2"),
            "mistyped": pool.submit(failing.run, server, "mistyped", "-p", "ngrams=many"),
        }
        yield lambda name: asked[name].result()


@pytest.fixture
def outcome(request: pytest.FixtureRequest, outcomes: Callable[[str], Outcome]) -> Outcome:
    return outcomes(request.param)


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("outcome", [name], indirect=True)


def versions_of(client: mlflow.MlflowClient, outcome: Outcome) -> list[Any]:
    assert outcome.run is not None
    return list(client.search_model_versions(f"run_id = '{outcome.run.info.run_id}'"))


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ("misspelt", "'c' is not a parameter: choose from data, test, model, C, "),
        ("mistyped", "ngrams is 'many': it must be a whole number."),
    ],
    indirect=["outcome"],
)
def test_a_parameter_that_is_not_meant_trains_nothing(outcome: Outcome, sentence: str) -> None:
    """papermill itself only warns of it."""
    assert outcome.said.status == 1
    assert outcome.said.sentence.startswith(sentence)
    assert is_one_sentence(outcome.said.sentence)
    assert outcome.is_harmless
    assert outcome.run is None
    assert (outcome.workspace.folder / "failed_training.ipynb").exists()


@of("away")
def test_a_tracking_server_that_is_away_is_said_before_anything_is_trained(
    outcome: Outcome,
) -> None:
    uri = outcome.workspace.environment["MLFLOW_TRACKING_URI"]
    assert outcome.said.status == 1
    assert outcome.said.sentence == (
        f"Runs at {uri} cannot be kept: the tracking server, or the store behind it, does not "
        "answer: check the network, and MLFLOW_TRACKING_URI."
    )
    assert outcome.is_harmless
    assert (
        "Trained on 300 reviews"
        not in (outcome.workspace.folder / "failed_training.ipynb").read_text()
    )


@of("stranger")
def test_a_wrong_password_is_said_and_not_shown(outcome: Outcome) -> None:
    assert outcome.said.status == 1
    assert outcome.said.sentence.endswith(
        "the tracking server does not know this user: correct MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD."
    )
    assert is_one_sentence(outcome.said.sentence)
    assert outcome.is_harmless
    shown = outcome.said.out + outcome.said.err
    assert PASSWORD not in shown + (outcome.workspace.folder / "failed_training.ipynb").read_text()


@of("stopped")
def test_a_training_that_is_stopped_marks_its_run_and_tidies_up(
    client: mlflow.MlflowClient, outcome: Outcome
) -> None:
    assert outcome.said.status == 1
    assert outcome.said.sentence == (
        "Interrupted: nothing was registered, and what was there before still is."
    )
    assert outcome.is_harmless
    assert outcome.run is not None
    assert outcome.run.info.status == "FAILED"
    assert versions_of(client, outcome) == []


@of("kernel")
def test_a_kernel_that_is_killed_leaves_a_failed_run(
    client: mlflow.MlflowClient, outcome: Outcome
) -> None:
    assert outcome.said.status == 1
    assert "DeadKernelError" in outcome.said.sentence
    assert is_one_sentence(outcome.said.sentence)
    assert outcome.is_harmless
    assert outcome.run is not None
    assert outcome.run.info.status == "FAILED"
    assert versions_of(client, outcome) == []


@of("full")
def test_a_store_that_takes_no_files_fails_the_run(
    client: mlflow.MlflowClient, outcome: Outcome
) -> None:
    assert outcome.said.status == 1
    assert outcome.said.sentence == (
        "The run cannot be kept: the tracking server, or the store behind it, does not answer: "
        "check the network, and MLFLOW_TRACKING_URI."
    )
    assert outcome.is_harmless
    assert outcome.run is not None
    assert outcome.run.info.status == "FAILED"
    assert versions_of(client, outcome) == []


@of("notebook")
def test_what_was_registered_is_taken_back_where_the_end_fails(
    client: mlflow.MlflowClient, outcome: Outcome
) -> None:
    """Its run lacks the executed notebook: nobody could read what it did."""
    assert "is version" in (outcome.workspace.folder / "failed_training.ipynb").read_text()
    assert outcome.said.status == 1
    assert outcome.said.sentence.startswith("The run cannot be kept: ")
    assert is_one_sentence(outcome.said.sentence)
    assert outcome.is_harmless
    assert outcome.run is not None
    assert outcome.run.info.status == "FAILED"
    assert versions_of(client, outcome) == []


@pytest.mark.parametrize("outcome", ["killed", "cut"], indirect=True)
def test_a_run_that_nobody_could_end_is_marked_by_the_next_training(
    client: mlflow.MlflowClient, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome.run is not None
    former = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)
    try:
        tracking.begin()
    finally:
        mlflow.set_tracking_uri(former)

    assert client.get_run(outcome.run.info.run_id).info.status == "FAILED"
    assert versions_of(client, outcome) == []


@of("cut")
def test_a_tracking_server_that_goes_away_is_a_sentence(outcome: Outcome) -> None:
    assert outcome.said.status == 1
    assert outcome.said.sentence == (
        "The run cannot be kept: the tracking server, or the store behind it, does not answer: "
        "check the network, and MLFLOW_TRACKING_URI."
    )
    assert outcome.is_harmless


@of("killed")
def test_what_was_there_before_outlives_a_kill(outcome: Outcome) -> None:
    assert outcome.said.status == -signal.SIGKILL
    assert outcome.workspace.left("training") == outcome.former
