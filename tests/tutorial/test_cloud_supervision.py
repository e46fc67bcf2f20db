"""The local cloud comes up anywhere, comes back whatever is killed, and keeps to itself."""

import json
import shlex
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests
from cloud_processes import all_run, end, is_over, kill, kill_and_wait, processes
from small_server import Reply, small_server

from tutorial import cloud as local_cloud
from tutorial.cloud import services, supervision
from tutorial.errors import TutorialError
from tutorial.home import Home

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

SERVICES = {"s3", "heroku", "github", "runner"}


def up(home: Home) -> dict[str, local_cloud.ServiceState]:
    return {state.name: state for state in local_cloud.up(home, say=lambda line: None)}


def states(home: Home) -> dict[str, str]:
    return {state.name: state.state for state in local_cloud.status(home)}


def addresses(home: Home) -> set[str]:
    return {state.url for state in local_cloud.status(home) if state.url}


def s3_of(home: Home) -> "S3Client":
    made: S3Client = local_cloud.client(home, "s3", *local_cloud.profile_keys(home, "admin"))
    return made


def platform(home: Home, method: str, path: str, **body: Any) -> Any:
    """Ask the platform that stands in for Heroku."""
    settings = local_cloud.environment(home)
    answer = requests.request(
        method,
        settings["HEROKU_API_URL"] + path,
        timeout=30,
        json=body or None,
        headers={
            "Accept": "application/vnd.heroku+json; version=3",
            "Authorization": f"Bearer {settings['HEROKU_API_KEY']}",
        },
    )
    assert answer.ok, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose local cloud is up: a service may be killed, its supervisor may not."""
    root = tmp_path_factory.mktemp("own") / "home"
    home = Home(root, root / "workspace")
    up(home)
    yield home
    end(home)


@pytest.fixture
def other(home: Home) -> Iterator[Home]:
    """The test's own home, whose local cloud is taken down in the end."""
    yield home
    end(home)


def leave_something(home: Home, name: str) -> None:
    """Make an app, a user, and a bucket with an object, which `is_there` looks for."""
    platform(home, "POST", "/apps", name=name)
    platform(home, "PATCH", f"/apps/{name}/config-vars", MODEL_URI=f"s3://{name}/model")
    s3 = s3_of(home)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=name, Key="model", Body=b"a model")
    iam: IAMClient = local_cloud.client(home, "iam", *local_cloud.profile_keys(home, "admin"))
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    local_cloud.keep_profile(home, name, key["AccessKeyId"], key["SecretAccessKey"])


def is_there(home: Home, name: str) -> bool:
    config = platform(home, "GET", f"/apps/{name}/config-vars")
    assert config == {"MODEL_URI": f"s3://{name}/model"}
    releases = platform(home, "GET", f"/apps/{name}/releases")
    assert "MODEL_URI" in releases[-1]["description"]
    assert s3_of(home).get_object(Bucket=name, Key="model")["Body"].read() == b"a model"
    sts = local_cloud.client(home, "sts", *local_cloud.profile_keys(home, name))
    assert sts.get_caller_identity()["Arn"].endswith(f"user/{name}")
    return True


# --- Whatever is killed ---------------------------------------------------------------------


def test_a_killed_platform_comes_back_with_its_apps(own: Home) -> None:
    leave_something(own, "platform-killed")
    kill_and_wait(own, "heroku")
    assert is_there(own, "platform-killed")


def test_after_a_kill_of_the_supervisor_up_brings_all_back(other: Home) -> None:
    up(other)
    leave_something(other, "killed")
    address, former = local_cloud.environment(other), processes(other)
    kill(other, "supervisord")
    # What it left serves on; `up` has a supervisor of its own watch over it again
    assert is_there(other, "killed")
    up(other)
    assert all(is_over(process) for process in former.values())
    assert set(processes(other)) == {"supervisord", *SERVICES}
    assert is_there(other, "killed")
    # All at once
    kill(other, "supervisord", *SERVICES)
    assert set(states(other).values()) == {"stopped"}
    up(other)
    assert is_there(other, "killed")
    assert local_cloud.environment(other) == address
    # And `down` ends what is left as well as `up`
    kill(other, "supervisord")
    local_cloud.down(other)
    assert processes(other) == {}


# --- Up and down ----------------------------------------------------------------------------


def test_up_and_down_say_what_is_and_may_be_said_twice(other: Home) -> None:
    assert local_cloud.status(other) == []
    with pytest.raises(TutorialError, match="never was up"):
        local_cloud.environment(other)
    local_cloud.down(other)
    assert not other.root.exists()
    assert set(up(other)) == SERVICES
    running, address = processes(other), local_cloud.environment(other)
    assert set(up(other)) == SERVICES
    assert processes(other) == running
    assert set(states(other).values()) == {"running"}
    record = other.recall(supervision.SUPERVISOR)
    assert record is not None
    local_cloud.down(other)
    local_cloud.down(other)
    assert not Path(record["socket"]).parent.exists()
    assert processes(other) == {}
    assert states(other) == dict.fromkeys(SERVICES, "stopped")
    assert local_cloud.environment(other) == address


def test_two_at_once_bring_up_one_cloud_and_ask_no_proxy(
    other: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    command = [sys.executable, "-m", "tutorial", "up"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    marked = [p for p in psutil.process_iter() if is_a_supervisor_of(p, other)]
    assert len(marked) == 1
    assert all_run(other)


def test_what_a_notebook_brought_up_goes_down_while_the_notebook_is_busy(
    other: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "PATIENCE", 10_000)
    code = (
        "from tutorial import cloud; from tutorial.home import Home\n"
        "cloud.up(Home.current(), lambda line: None); print('up', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as notebook:
        assert notebook.stdout is not None
        assert notebook.stdout.readline() == "up\n"
        # The supervisor is its child, and it does not ask how that ended
        local_cloud.down(other)
        assert notebook.poll() is None
        assert processes(other) == {}


def is_a_supervisor_of(process: psutil.Process, home: Home) -> bool:
    try:
        mine = process.environ().get("TUTORIAL_SERVICE") == str(home.root)
        return mine and "supervisor.supervisord" in process.cmdline()
    except psutil.Error:
        return False


def test_two_homes_and_others_at_the_usual_ports_are_no_problem(own: Home, other: Home) -> None:
    with ExitStack() as taken:
        for port in services.PORTS.values():
            with suppress(OSError):  # somebody else took it: so much the better
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
        up(other)
        leave_something(other, "beside-another")
        former = addresses(other)
        assert len(former) == len(services.PORTS)
        assert not former & {f"http://127.0.0.1:{port}" for port in services.PORTS.values()}
        assert not former & addresses(own)
        local_cloud.down(other)
        assert all_run(own)
        # Another program takes the address of one of them
        given = services.setting(other)
        assert given is not None
        taken.enter_context(socket.create_server(("127.0.0.1", given.ports["s3"])))
        again = up(other)
        assert again["heroku"].url in former
        assert again["s3"].url not in former
        assert is_there(other, "beside-another")
    # And it keeps its new address when the other is free again
    local_cloud.down(other)
    assert up(other) == again


def test_what_answers_at_the_port_but_is_somebody_elses_is_not_taken_for_ours(
    other: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_server({services.S3_HEALTH: Reply(b"{}")}) as theirs:
        port = int(theirs.url.rpartition(":")[2])
        # Somebody was quicker between the look for a free port and the service's own bind
        free_port = services.free_port
        monkeypatch.setitem(services.PORTS, "s3", 4566)
        monkeypatch.setattr(services, "free_port", lambda p: port if p == 4566 else free_port(p))
        with pytest.raises(TutorialError, match=r"The service s3 does not answer: .*in use"):
            up(other)
        assert states(other)["s3"] != "running"


def test_a_service_that_cannot_start_is_told_with_its_last_words(
    other: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is not the end of our patience that tells it
    monkeypatch.setattr(supervision, "PATIENCE", 10_000)
    (other.root / "cloud").mkdir(parents=True)
    (other.root / "cloud" / "heroku").touch()
    with pytest.raises(TutorialError) as told:
        up(other)
    words = str(told.value)
    last = local_cloud.log_of(other, "heroku").read_text().strip().splitlines()[-1]
    assert words == f"The service heroku does not answer: {last}"
    assert states(other)["s3"] == "running"
    assert states(other)["heroku"] in ("starting", "failed")
    # What is mended comes up, without a stop in between
    (other.root / "cloud" / "heroku").unlink()
    assert {state.state for state in up(other).values()} == {"running"}


def test_a_service_whose_program_is_gone_is_told(
    other: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "PATIENCE", 10_000)
    gone = SimpleNamespace(executable="/nowhere/python")
    monkeypatch.setattr(services, "sys", gone)
    with pytest.raises(TutorialError, match=r"The service s3 cannot be started: .*nowhere"):
        up(other)


def test_a_folder_that_cannot_be_used_is_told(other: Home) -> None:
    other.root.mkdir()
    (other.root / "cloud").touch()
    with pytest.raises(TutorialError, match="folder cannot be used"):
        up(other)


def test_a_supervisor_that_was_given_other_settings_is_replaced(other: Home) -> None:
    up(other)
    leave_something(other, "new-settings")
    # As when a new version of this tutorial has another service; here a record was lost
    other.forget(services.RECORD)
    up(other)
    assert is_there(other, "new-settings")


def test_lost_keys_of_the_admin_are_made_anew(own: Home) -> None:
    where: Any = {"LocationConstraint": "eu-west-1"}
    s3_of(own).create_bucket(Bucket="still-mine", CreateBucketConfiguration=where)
    path = Path(local_cloud.environment(own)["AWS_SHARED_CREDENTIALS_FILE"])
    for _ in range(3):
        path.unlink()
        up(own)
        s3_of(own).head_bucket(Bucket="still-mine")
    # No key is left that nobody has; AWS, moreover, gives a user two at most
    iam: IAMClient = local_cloud.client(own, "iam", *local_cloud.profile_keys(own, "admin"))
    (only,) = iam.list_access_keys(UserName="admin")["AccessKeyMetadata"]
    assert only["AccessKeyId"] == local_cloud.profile_keys(own, "admin")[0]
    # And keys that open nothing, for what S3 kept was removed
    local_cloud.keep_profile(own, "admin", "AKIAOFFORMERDAYS", "its secret")
    up(own)
    s3_of(own).head_bucket(Bucket="still-mine")


def test_damaged_keys_are_told(own: Home) -> None:
    path = Path(local_cloud.environment(own)["AWS_SHARED_CREDENTIALS_FILE"])
    kept = path.read_text()
    path.write_text("[admin\n")
    with pytest.raises(TutorialError, match="is damaged"):
        up(own)
    path.write_text(kept)


# --- Whose cloud it is ----------------------------------------------------------------------


def test_a_copied_home_does_not_take_the_originals_cloud_for_its_own(
    own: Home, other: Home
) -> None:
    shutil.copytree(own.root, other.root, symlinks=True)
    assert local_cloud.status(other) == []
    with pytest.raises(TutorialError, match="never was up"):
        local_cloud.environment(other)
    local_cloud.down(other)
    assert all_run(own)
    up(other)
    assert not addresses(other) & addresses(own)
    # What was in it when it was copied is in it, and the two go different ways
    s3_of(other).create_bucket(
        Bucket="in-the-copy", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    names = [entry["Name"] for entry in s3_of(own).list_buckets()["Buckets"]]
    assert "in-the-copy" not in names


def test_a_record_of_former_days_harms_nobody(other: Home) -> None:
    # The machine was started anew, and another program has the supervisor's number
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:
        stale = {"pid": program.pid, "home": str(other.root), "socket": "/nowhere/s"}
        other.record(supervision.SUPERVISOR, stale)
        local_cloud.down(other)
        other.record(supervision.SUPERVISOR, stale)
        up(other)
        assert all_run(other)
        assert program.poll() is None


def test_a_home_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / ("temporary" * 12)
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    odd = "a home, 'mine' \"yours\" 100%s %(here)s é雪 ;x #y \\ $HOME"
    root = tmp_path / odd / ("long" * 40)  # no socket has a path as long
    home = Home(root, root / "workspace")
    # And so may the folder of the Python that runs all of it
    python = tmp_path / odd / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    try:
        up(home)
        leave_something(home, "anywhere")
        kill_and_wait(home, "s3")
        assert is_there(home, "anywhere")
    finally:
        local_cloud.down(home)
    assert (root / "cloud" / "s3" / "settings").is_dir()
    assert list(temporary.iterdir()) == []


# --- What nobody else is to see -------------------------------------------------------------


def test_no_secret_is_where_others_look(own: Home) -> None:
    leave_something(own, "with-secrets")
    given = services.setting(own)
    assert given is not None
    secrets = {given.root_key, given.heroku_key, *local_cloud.profile_keys(own, "admin")[1:]}
    secrets |= {*local_cloud.profile_keys(own, "with-secrets")[1:]}
    # Requests that are refused are what a service may want to tell of
    url = local_cloud.environment(own)
    for key in secrets:
        requests.get(
            url["AWS_ENDPOINT_URL"], headers={"Authorization": f"AWS {key}:{key}"}, timeout=30
        )
        requests.get(
            url["HEROKU_API_URL"] + "/apps", headers={"Authorization": f"Bearer {key}-"}, timeout=30
        )
    for name in ("credentials", "../cloud.json", "../supervisor.json"):
        mode = (own.root / "cloud" / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600, name
    assert stat.S_IMODE((own.root / "cloud" / "s3" / "settings").stat().st_mode) == 0o700
    folder = own.root / "cloud"
    open_to_others = [folder / "supervisord.conf", *(folder / "logs").iterdir()]
    for path in open_to_others:
        said = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in said], path.name
    running = processes(own)
    for name, process in running.items():
        words = " ".join(process.cmdline())
        assert not [secret for secret in secrets if secret in words], name
    # Nor does a service know another's
    assert given.root_key not in json.dumps(running["heroku"].environ())
    assert given.heroku_key not in json.dumps(running["s3"].environ())


def test_it_listens_to_this_machine_alone(own: Home) -> None:
    ports = set()
    for name, process in processes(own).items():
        for c in process.net_connections("inet"):
            if c.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                assert c.laddr.ip == "127.0.0.1", name
                ports.add(c.laddr.port)
    assert {f"http://127.0.0.1:{port}" for port in ports} >= addresses(own)
