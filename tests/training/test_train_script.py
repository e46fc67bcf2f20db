"""Trainings that end well: what one leaves in MLflow and as files, alone, two at once, and rebuilt."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from threading import Thread

import mlflow
import nbformat
import pandas as pd
import pytest
from mlflow.entities import Run
from training_workspace import ROWS, Said, Workspace, ended

from app import registration
from app.data import data_digest, read_reviews
from app.evaluation import evaluate
from app.model import Params, predict
from app.model_file import load, model_digest
from app.registration import METRICS, TAGS

FILES = {
    *("model.skops", "predictions.csv", "record.json", "train.ipynb"),
    *("plots/confusion.png", "plots/reliability.png", "plots/words.png"),
}


# Without a tracking server.


@dataclass(frozen=True)
class Local:
    """Two trainings at once in one workspace: what they said, asked of a network, and logged."""

    workspace: Workspace
    said: list[Said]
    asked: list[str]
    client: mlflow.MlflowClient


@pytest.fixture(scope="module")
def local(fresh: Workspace, here: Path) -> Iterator[Local]:
    """Two trainings at once, from nothing, whose every way to a network is a proxy that writes down."""
    asked: list[str] = []
    with create_server(("127.0.0.1", 0)) as proxy:

        def note() -> None:
            with suppress(OSError):
                while True:
                    with proxy.accept()[0] as one:
                        asked.append(one.recv(200).decode("latin-1"))

        Thread(target=note, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        ways = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), address)
        workspace = fresh.copy(here / "local", **ways)
        said = all_ended(*(workspace.train("-p", f"C={C}") for C in (2, 3)))
        store = f"sqlite:///{workspace.folder}/mlflow.db"
        yield Local(workspace, said, asked, mlflow.MlflowClient(store, store))


def all_ended(*begun: "subprocess.Popen[str]") -> list[Said]:
    """Wait for the end of what was begun at once."""
    with ThreadPoolExecutor(len(begun)) as pool:
        return list(pool.map(ended, begun))


def test_without_a_tracking_server_it_is_said_first_and_both_end_well(local: Local) -> None:
    for said in local.said:
        assert said.status == 0, said.sentence
        assert said.out.splitlines() == [
            "MLFLOW_TRACKING_URI is not set: this run stays on this machine, in mlflow.db.",
            "training/ has the executed notebook, the model, its answers and its record.",
        ]


def test_without_a_tracking_server_nothing_is_asked_of_a_network(local: Local) -> None:
    assert local.asked == []


def test_two_at_once_from_nothing_leave_two_versions_and_one_whole_folder(local: Local) -> None:
    versions = {v.version: v for v in local.client.search_model_versions("name = 'sentiment'")}
    assert {str(number) for number in versions} == {"1", "2"}
    runs = {C: run_with(local.client, C) for C in ("2", "3")}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {v.run_id for v in versions.values()} == {run.info.run_id for run in runs.values()}
    whole(local.workspace, local.client)
    files = local.workspace.folder
    assert not list(files.glob(".training-*"))
    assert local.workspace.git("status", "--short") == ""


def whole(workspace: Workspace, client: mlflow.MlflowClient, name: str = "training") -> Run:
    """Assert that all files of a folder are of one training; return its run."""
    assert set(workspace.left(name)) == FILES
    record, folder = workspace.record(name), workspace.folder / name
    run = client.get_run(record["run_id"])
    content = (folder / "model.skops").read_bytes()
    assert record["file_sha256"] == hashlib.sha256(content).hexdigest()
    model = load(folder / "model.skops")
    assert record["model_digest"] == model_digest(model) == run.data.tags["model_digest"]
    answers = pd.read_csv(folder / "predictions.csv", dtype=str)
    said = [f"{each:.6f}" for each in predict(model, answers["review"].tolist())]
    assert answers["positive"].tolist() == said
    assert f"Run {record['run_id']} is version" in (folder / "train.ipynb").read_text("utf-8")
    return run


def run_with(client: mlflow.MlflowClient, C: str) -> Run:  # noqa: N803
    [experiment] = client.search_experiments(filter_string="name = 'sentiment'")
    [run] = client.search_runs([experiment.experiment_id], f"attributes.run_name = 'C={C}'")
    return run


# With one.


@dataclass(frozen=True)
class Trained:
    """A training by the script, and one at the same time by papermill's own command in another folder."""

    workspace: Workspace
    said: Said
    other: Workspace
    papermill: Said
    elsewhere: Path


@pytest.fixture(scope="module")
def trained(fresh: Workspace, here: Path, server: str) -> Trained:
    workspace = fresh.copy(here / "served", MLFLOW_TRACKING_URI=server)
    workspace.former()
    other = fresh.copy(here / "papermill", MLFLOW_TRACKING_URI=server)
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    notebook = str(other.folder / "notebooks" / "train.ipynb")
    words = ("-m", "papermill", notebook, "out.ipynb", "--cwd", str(other.folder), "-p", "C", "22")
    said = all_ended(workspace.train("-p", "C=21"), other.start(*words, cwd=elsewhere))
    return Trained(workspace, said[0], other, said[1], elsewhere)


@pytest.fixture(scope="module")
def run(trained: Trained, client: mlflow.MlflowClient) -> Run:
    """The script's run."""
    return whole(trained.workspace, client)


def test_two_at_once_leave_a_version_each(
    trained: Trained, run: Run, client: mlflow.MlflowClient
) -> None:
    assert (trained.said.status, trained.papermill.status) == (0, 0)
    assert run.info.run_id == run_with(client, "21").info.run_id
    for one in (run, run_with(client, "22")):
        [version] = client.search_model_versions(f"run_id = '{one.info.run_id}'")
        assert one.info.status == "FINISHED"
        assert version.name == "sentiment"
        assert {name: version.tags[name] for name in TAGS} == {n: one.data.tags[n] for n in TAGS}


def test_with_a_tracking_server_there_is_no_store_here(trained: Trained, run: Run) -> None:
    left = {path.name for path in trained.workspace.folder.iterdir()}
    assert left & {"mlflow.db", "mlruns", "failed_training.ipynb"} == set()
    assert not [name for name in left if name.startswith(".training-")]
    assert trained.said.out.count("\n") == 1
    assert trained.workspace.git("status", "--short") == ""


def test_a_run_has_all_that_somebody_will_ask_of_it(
    trained: Trained, run: Run, client: mlflow.MlflowClient
) -> None:
    record, workspace = trained.workspace.record(), trained.workspace
    assert run.data.params == {name: str(value) for name, value in record["parameters"].items()}
    assert record["parameters"]["bits"] == 12  # of params.yaml
    assert record["parameters"]["C"] == 21  # of the command line
    assert {"data", "test", *vars(Params())} == set(run.data.params)

    digests = ("data_digest", "test_digest", "input_digest", "lock_digest")
    for name in (*digests, "model_digest"):
        assert re.fullmatch("[0-9a-f]{64}", run.data.tags[name])
        assert run.data.tags[name] == record[name]
    assert run.data.tags["git_commit"] == workspace.git("rev-parse", "HEAD")
    assert (run.data.tags["data_rows"], run.data.tags["test_rows"]) == ("300", "200")
    for split, name in (("train", "data_digest"), ("test", "test_digest")):
        reviews = read_reviews(workspace.folder / "data" / f"{split}.csv")
        assert data_digest(reviews) == run.data.tags[name]
        assert len(reviews) == ROWS["train" if split == "train" else "test"]


def test_a_run_has_the_figures_of_its_model(trained: Trained, run: Run) -> None:
    folder = trained.workspace.folder
    figures = evaluate(
        load(folder / "training" / "model.skops"), read_reviews(folder / "data" / "test.csv")
    )
    metrics = run.data.metrics
    assert set(METRICS) <= set(metrics)
    assert metrics["test_accuracy"] == pytest.approx(figures.accuracy)
    assert metrics["test_log_loss"] == pytest.approx(figures.log_loss)
    assert (metrics["test_accuracy_low"], metrics["test_accuracy_high"]) == pytest.approx(
        figures.accuracy_interval
    )
    for kind, part in figures.slices.items():
        assert metrics[f"test_accuracy_{kind}"] == pytest.approx(part.accuracy)
    groups = trained.workspace.record()["behaviour"].items()
    assert groups
    for name, group in groups:
        assert metrics[f"behaviour_{name}"] == pytest.approx(group["passed"] / group["cases"])


def test_a_run_names_both_sets_of_reviews(run: Run) -> None:
    inputs = {each.tags[0].value: each.dataset for each in run.inputs.dataset_inputs}
    assert set(inputs) == {"training", "testing"}
    assert inputs["training"].digest == run.data.tags["data_digest"][:12]
    assert inputs["testing"].digest == run.data.tags["test_digest"][:12]


def test_a_run_has_the_plots_and_the_executed_notebook(
    trained: Trained, run: Run, client: mlflow.MlflowClient, tmp_path: Path
) -> None:
    client.download_artifacts(run.info.run_id, "plots", str(tmp_path))
    left = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert set(left) == set(trained.workspace.record()["plots"])
    assert all(content.startswith(b"\x89PNG") for content in left.values())
    kept = client.download_artifacts(run.info.run_id, "train.ipynb", str(tmp_path))
    folder = trained.workspace.folder / "training"
    assert Path(kept).read_bytes() == (folder / "train.ipynb").read_bytes()
    cells = nbformat.read(kept, as_version=4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code")


def test_a_version_is_loaded_by_mlflow_with_signature_and_example(
    trained: Trained, run: Run, client: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = trained.workspace.record()["version"]
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    former = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        model = mlflow.pyfunc.load_model(f"models:/{registration.NAME}/{version}")
        example = model.input_example
    finally:
        mlflow.set_tracking_uri(former)
    assert model.metadata.signature.inputs.input_names() == ["review"]
    chance = predict(
        load(trained.workspace.folder / "training" / "model.skops"), example["review"].tolist()
    )
    assert list(model.predict(example)) == ["positive" if chance[0] >= 0.5 else "negative"]


def test_papermill_s_own_command_trains_from_another_folder(
    trained: Trained, client: mlflow.MlflowClient
) -> None:
    run_id = run_with(client, "22").info.run_id
    assert trained.other.record()["run_id"] == run_id
    assert set(trained.other.left("training")) == {*FILES - {"train.ipynb"}, "run_id"}
    assert f"Run {run_id} is version" in (trained.elsewhere / "out.ipynb").read_text("utf-8")
    assert [path.name for path in trained.elsewhere.iterdir()] == ["out.ipynb"]


def test_a_rebuilt_run_says_by_whom_and_that_its_digests_agree(
    trained: Trained, run: Run, client: mlflow.MlflowClient
) -> None:
    words = ("scripts/rebuild.py", run.info.run_id, "--by", "Ada")
    said = ended(trained.workspace.start(*words))

    assert said.status == 0, said.err
    lines = [line.split() for line in said.out.splitlines() if line.startswith("same ")]
    digests = ["data_digest", "test_digest", "lock_digest", "input_digest", "model_digest"]
    assert [line[1] for line in lines] == digests
    tags = client.get_run(run.info.run_id).data.tags
    assert (tags["rebuilt_by"], tags["rebuilt_digest"]) == ("Ada", tags["model_digest"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", tags["rebuilt_at"])
    assert len(trained.workspace.git("worktree", "list").splitlines()) == 1
    assert trained.workspace.git("status", "--short") == ""
    assert set(trained.workspace.left("training")) == FILES
