"""MLflow stopped and started by the reader: nobody brings it up meanwhile, and nothing is lost."""

from pathlib import Path

import pytest
from served import SEARCH, Served, logged
from trained import Trained

from tutorial import cloud, lab
from tutorial.checks import CHECKS
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.tracking.record import root_of


@pytest.fixture
def server(served: Served, monkeypatch: pytest.MonkeyPatch) -> lab.TrackingServer:
    """What `lab.tracking_server` returned to this reader."""
    cloud.up(served.home, lambda line: None)  # tests before may have left it without nginx
    monkeypatch.setattr(lab, "home", served.home)
    return lab.TrackingServer(served.known.uri, root_of(served.home))


def states(served: Served) -> dict[str, str]:
    return {service.name: service.state for service in cloud.status(served.home)}


def test_what_is_stopped_stays_so_until_it_is_started(
    served: Served,
    five: Trained,
    server: lab.TrackingServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card, probe = five.card(), five.probe(monkeypatch)
    with served.client() as client:
        run_id = logged(client, tmp_path, size=100)
    capsys.readouterr()
    server.stop()
    server.stop()  # a second time is no error
    assert capsys.readouterr().out == "MLflow is stopped: nobody gets an answer from it.\n" * 2
    assert not served.processes("mlflow")
    assert served.ask("GET", SEARCH).status_code == 502
    # nginx runs, and is asked for what MLflow would say.
    wanted = dict.fromkeys(states(served), "running") | {"mlflow": "stopped", "nginx": "starting"}
    assert states(served) == wanted
    with pytest.raises(TutorialError, match=r"mlflow does not run: try `tutorial status`"):
        server.kill("mlflow")
    for item in CHECKS[5]:
        with pytest.raises(TutorialError, match=r"MLflow does not answer \(502 from http"):
            item.probe(probe)
    monkeypatch.undo()
    assert "MLflow does not answer (502" in five.audited(card)[5].evidence
    monkeypatch.setattr(lab, "home", served.home)
    server.start()
    server.start()
    assert capsys.readouterr().out == f"MLflow answers again at {served.known.uri}.\n" * 2
    with served.client() as client:
        assert client.get_run(run_id).data.params == {"C": "2"}


def test_what_is_stopped_comes_up_with_the_cloud(
    served: Served, server: lab.TrackingServer
) -> None:
    others = set(states(served)) - {"mlflow"}
    running = {process.pid for process in served.processes("nginx", "tutorial.")}
    server.stop()
    cloud.up(served.home, lambda line: None)
    assert states(served) == dict.fromkeys([*others, "mlflow"], "running")
    assert running <= {process.pid for process in served.processes("nginx", "tutorial.")}
    assert served.ask("GET", SEARCH).ok


def test_what_is_not_there_cannot_be_stopped(served: Served, tmp_path: Path) -> None:
    for act in (cloud.stop_service, cloud.start_service):
        with pytest.raises(TutorialError, match="There is no service mail here"):
            act(served.home, "mail")
        with pytest.raises(TutorialError, match="The local cloud is down: run `tutorial up`"):
            act(Home(tmp_path, tmp_path / "workspace"), "mlflow")
