"""Where runs go: which of those left behind are marked failed, and what is said of a server."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from plain import is_one_sentence

from app import tracking
from tracking_server import Way

HERE = socket.gethostname()


@pytest.fixture
def settled(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """Settings that lead to the server, and that a test may change; its files go to a folder."""
    for name in list(os.environ):
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.chdir(tmp_path)
    former = mlflow.get_tracking_uri()
    for name in (*tracking.SETTINGS, *tracking.LATER):
        monkeypatch.setenv(name, "0")  # so that what is set is taken back
        monkeypatch.delenv(name)
    yield monkeypatch
    mlflow.set_tracking_uri(former)


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def left(client: mlflow.MlflowClient, process: str) -> str:
    """Leave a run as running that says this of its process; return its id."""
    [experiment] = client.search_experiments(filter_string="name = 'sentiment'")
    tags = {"process": process} if process else {}
    return str(client.create_run(experiment.experiment_id, tags=tags).info.run_id)


def test_runs_whose_process_is_gone_are_marked_failed_and_no_others(
    settled: pytest.MonkeyPatch, client: mlflow.MlflowClient, dead: int
) -> None:
    tracking.begin()
    said = (f"{dead} on {HERE}", f"{os.getpid()} on {HERE}", f"{dead} on elsewhere-{HERE}", "")
    runs = [left(client, process) for process in (*said, f"mine on {HERE}", f"-1 on {HERE}")]

    tracking.begin()

    statuses = [client.get_run(run).info.status for run in runs]
    assert statuses == ["FAILED", *["RUNNING"] * 5]
    for run in runs[1:]:
        client.set_terminated(run, "KILLED")


def test_where_runs_go_is_said_without_user_and_password(
    settled: pytest.MonkeyPatch, server: str
) -> None:
    assert tracking.begin() == f"This run goes to the tracking server at {server}."
    settled.setenv("MLFLOW_TRACKING_URI", server.replace("//", "//trainer:secret@"))
    assert tracking.begin() == f"This run goes to the tracking server at {server}."


def test_a_server_that_says_nothing_is_given_up_sooner_than_in_the_midst_of_a_run(
    settled: pytest.MonkeyPatch, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    settled.setattr(tracking, "AT_FIRST", dict.fromkeys(tracking.AT_FIRST, "1"))
    way = Way(server)
    way.hangs = True
    way.open()
    settled.setenv("MLFLOW_TRACKING_URI", way.url)
    try:
        with pytest.raises(tracking.TrackingError, match="does not answer: check") as error:
            tracking.begin()
    finally:
        way.cut()
    assert is_one_sentence(str(error.value))
    assert "read timeout=1)" in caplog.text
    assert os.environ.items() >= tracking.LATER.items()


def test_a_person_s_own_patience_stays(settled: pytest.MonkeyPatch) -> None:
    settled.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    tracking.begin()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"


@pytest.mark.parametrize(
    "uri", ["nonsense://x", "http://", "http://[", "sqlite:////dev/null/mlflow.db"]
)
def test_an_address_that_is_none_is_a_sentence(settled: pytest.MonkeyPatch, uri: str) -> None:
    settled.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(tracking.TrackingError, match="cannot be kept: ") as error:
        tracking.begin()
    assert is_one_sentence(str(error.value)), error.value


def test_what_mlflow_refuses_to_log_is_said_in_its_words(
    settled: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tracking.begin()
    with (
        pytest.raises(tracking.TrackingError, match=r"The run cannot be kept: MLflow says .*name"),
        tracking.run("mine", {}, tmp_path / "run_id"),
    ):
        mlflow.log_metric("is it good?", 1.0)


def test_a_mistake_of_ones_own_in_a_run_stays_what_it_is(
    settled: pytest.MonkeyPatch, client: mlflow.MlflowClient, tmp_path: Path
) -> None:
    tracking.begin()
    with pytest.raises(ZeroDivisionError), tracking.run("mine", {}, tmp_path / "run_id"):
        mlflow.log_metric("mine", 1 / 0)
    assert client.get_run((tmp_path / "run_id").read_text()).info.status == "FAILED"


def test_a_folder_that_takes_no_files_is_a_sentence(
    settled: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settled.delenv("MLFLOW_TRACKING_URI")
    assert tracking.begin().startswith("MLFLOW_TRACKING_URI is not set: this run stays on this")
    (tmp_path / "plot.png").write_bytes(b"a plot")
    shutil.rmtree(tmp_path / "mlruns", ignore_errors=True)
    (tmp_path / "mlruns").write_bytes(b"a file where a folder has to be")
    with (
        pytest.raises(tracking.TrackingError, match="this disk does not keep it") as error,
        tracking.run("mine", {}, tmp_path / "run_id"),
    ):
        mlflow.log_artifact(str(tmp_path / "plot.png"))
    assert is_one_sentence(str(error.value))
