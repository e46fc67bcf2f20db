"""Whatever is killed, and where there is no nginx: what was acknowledged is there again."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from served import SEARCH, Served, logged

from tests.tutorial.waiting import until
from tutorial import cloud
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.tracking import services
from tutorial.tracking.host import refresh, run_host
from tutorial.tracking.installation import install
from tutorial.tracking.record import HTPASSWD, UNIT, root_of, tracking


def kill(served: Served, *words: str) -> None:
    """SIGKILL the processes whose command lines have one of these words, and see them end."""
    killed = served.processes(*words)
    assert len(killed) == len(words)
    for process in killed:
        process.kill()
    until(lambda: not any(is_alive(process) for process in killed), "a killed process lives")


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def answers(served: Served) -> bool:
    states = {state.name: state.state for state in cloud.status(served.home)}
    return set(states.values()) == {"running"}


def all_is_there(served: Served, run_id: str, folder: Path) -> None:
    with served.client() as client:
        run = client.get_run(run_id)
        back = client.download_artifacts(run_id, "model.skops", str(folder / ".."))
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"accuracy": 0.75}
    assert Path(back).read_bytes() == (folder / "model.skops").read_bytes()


def test_a_killed_nginx_and_mlflow_come_back_by_themselves(served: Served, tmp_path: Path) -> None:
    with served.client() as client:
        run_id = logged(client, tmp_path)
    kill(served, "nginx.conf")
    until(lambda: answers(served), "nginx is not back", 30)
    # Its child goes on at the port, so the next one has to end it first, as systemd would
    (child,) = served.processes("uvicorn")
    kill(served, "mlflow server")
    until(lambda: not is_alive(child), "what it left is not ended", 30)
    until(lambda: answers(served), "MLflow is not back", 30)
    all_is_there(served, run_id, tmp_path)


def test_after_a_kill_of_all_and_without_nginx_mlflow_asks_for_the_password_itself(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served.client() as client:
        run_id = logged(client, tmp_path)
    address = cloud.environment(served.home)
    kill(served, "supervisor.supervisord", "mlflow server", "uvicorn", "nginx.conf", "cloud.s3")
    monkeypatch.setattr(services, "find_nginx", lambda: None)
    with broken_mlflow(served), pytest.raises(TutorialError) as told:
        cloud.up(served.home, lambda line: None)
    assert str(told.value) == "The service mlflow does not answer: DatabaseError: malformed"
    states = {state.name: state.url for state in cloud.up(served.home, lambda line: None)}
    assert "nginx" not in states
    assert cloud.environment(served.home) == address
    assert states["mlflow"] == address["MLFLOW_TRACKING_URI"]
    all_is_there(served, run_id, tmp_path)
    for password in (None, "a guess"):
        assert served.ask("GET", SEARCH, password).status_code == 401
    assert served.ask("GET", SEARCH, headers={"Host": "x.example"}).status_code == 403


@contextmanager
def broken_mlflow(served: Served) -> Iterator[None]:
    """Have a program in MLflow's place that takes its time to fail, in as many words as SQLAlchemy."""
    installed = served.root / "opt" / "mlflow"
    kept = installed.readlink()
    installed.unlink()
    (installed / "bin").mkdir(parents=True)
    words = "DatabaseError: malformed\n[SQL: SELECT 1]\n(Background on this error at: x)"
    (installed / "bin" / "mlflow").write_text(f"#!/bin/sh\nsleep 1.2\nprintf '{words}'\nexit 1\n")
    (installed / "bin" / "mlflow").chmod(0o755)
    yield
    shutil.rmtree(installed)
    installed.symlink_to(kept)


def test_a_copied_home_gets_a_server_of_its_own(served: Served, tmp_path: Path) -> None:
    """At other ports, below its own folder: milestone 4 need not be done again."""
    copy = Home(tmp_path / "copy", tmp_path / "copy" / "workspace")
    ignored = shutil.ignore_patterns("s3", "github", "heroku", "logs")
    shutil.copytree(served.home.root, copy.root, symlinks=True, ignore=ignored)
    assert tracking(copy) is None
    leading = cloud.environment(served.home)
    refresh(copy, 1, leading, lambda port: False)
    known = tracking(copy)
    assert known is not None
    assert known.uri != served.known.uri
    assert (known.password, known.bucket) == (served.known.password, served.known.bucket)
    assert f"--port {known.ports['mlflow']} " in (root_of(copy) / UNIT).read_text()
    assert (root_of(copy) / HTPASSWD).read_text() == (served.root / HTPASSWD).read_text()
    # And the second time there is nothing to do
    (copy.workspace / "scripts/mlflow_setup.py").unlink()
    refresh(copy, 1, leading, lambda port: True)
    assert tracking(copy) == known
    # But a workspace that went back to before milestone 4 has none, and the cloud comes up
    refresh(copy, 2, leading, lambda port: True)
    assert tracking(copy) is None
    assert (root_of(copy) / "var/lib/mlflow/mlflow.db").exists()


def test_a_workspace_that_was_not_built_so_far_is_told(served: Served, tmp_path: Path) -> None:
    empty = Home(tmp_path / "home", tmp_path / "home" / "workspace")
    with pytest.raises(TutorialError, match="build milestone 4 first"):
        run_host(empty, served.known, {})
    with pytest.raises(TutorialError, match="never was up"):
        install(empty, "bucket")
    assert not (tmp_path / "home").exists()
