"""`tutorial doctor` on the local cloud: which services are up, and whether its ports are free."""

import socket
from contextlib import ExitStack

import pytest

from tutorial import cloud as local_cloud
from tutorial import doctor
from tutorial.cloud import ServiceState
from tutorial.doctor import Finding, look_around
from tutorial.home import Home


def finding(home: Home) -> Finding:
    (found,) = [f for f in look_around(home) if f.subject == "local cloud"]
    return found


def test_a_cloud_that_is_up_is_told_with_its_addresses(cloud: Home) -> None:
    found = finding(cloud)
    assert found.fit is True
    told = found.said.split(", ")
    for state in local_cloud.status(cloud):
        address = f" at {state.url}" if state.url else ""
        assert f"{state.name} running{address}" in told


def test_ports_that_others_took_are_told_and_no_fault(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as open_ports:
        free, taken = (
            open_ports.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)
        )
        ports = {"s3": taken.getsockname()[1], "heroku": free.getsockname()[1]}
        free.close()
        monkeypatch.setattr(doctor, "PORTS", ports)
        found = finding(home)
        assert found.fit is None
        assert f"of its ports {ports['s3']} is taken: another will be used" in found.said
    found = finding(home)
    assert found == Finding(
        "local cloud", True, "none yet: milestone 1 starts it; its ports are free"
    )
    assert not home.root.exists()


@pytest.mark.parametrize(
    ("state", "fit", "words"),
    [
        ("failed", False, "heroku fails: see `tutorial logs heroku`"),
        ("stopped", None, "s3 running at u, heroku stopped at v: run `tutorial up`"),
    ],
)
def test_a_service_that_does_not_run_is_told_with_what_to_do(
    home: Home, state: str, fit: bool | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [ServiceState("s3", "running", "u"), ServiceState("heroku", state, "v")]
    monkeypatch.setattr(local_cloud, "status", lambda home: states)
    assert finding(home) == Finding("local cloud", fit, words)


def test_without_nginx_it_is_said_what_becomes_of_milestone_4(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for there, fit, words in (("/usr/sbin/nginx", True, "found"), (None, None, "install nginx")):
        monkeypatch.setattr(doctor, "find_nginx", lambda there=there: there)
        (found,) = [f for f in look_around(home) if f.subject == "nginx"]
        assert found.fit is fit
        assert words in found.said
