"""The laptop's tracking server: who gets in, what gets through, where it is kept, who sees the password."""

import base64
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from served import ARTIFACTS, BUCKET, PROFILE, SEARCH, Served, logged

from tests.tutorial.waiting import until
from tutorial import cloud
from tutorial.tracking.installation import install
from tutorial.tracking.nginx import command, find_nginx, prepare
from tutorial.tracking.record import BLOCK, HTPASSWD, new_password


def test_who_has_the_password_gets_in_and_nobody_else(served: Served) -> None:
    assert served.ask("GET", SEARCH).status_code == 200
    for path in (SEARCH, "/", "/version", "/metrics", "/health/", "/ajax-api/2.0/mlflow/x", "/%2e"):
        for password in (None, "a guess", served.known.password[:-1]):
            refused = served.ask("GET", path, password)
            assert (refused.status_code, "nginx" in refused.text) == (401, True), path
    assert served.ask("POST", "/api/2.0/mlflow/runs/create", None, json={}).status_code == 401
    assert served.ask("PUT", f"{ARTIFACTS}/1/a", None, data=b"x").status_code == 401
    # But whoever watches over it may ask whether it is well
    health = served.ask("GET", "/health", None)
    assert (health.status_code, health.text) == (200, "OK")


@pytest.mark.parametrize("header", [{"Host": "elsewhere.example"}, {"Origin": "http://x.example"}])
def test_a_foreign_name_or_page_is_refused_in_spite_of_the_password(
    served: Served, header: dict[str, str]
) -> None:
    create = "/api/2.0/mlflow/experiments/create"
    refused = served.ask("POST", create, json={"name": str(header)}, headers=header)
    assert refused.status_code == 403
    assert served.ask("POST", create, None, json={}, headers=header).status_code == 401


def test_its_own_page_may_change_things(served: Served) -> None:
    own = {"Origin": served.known.uri}
    create = "/ajax-api/2.0/mlflow/experiments/create"
    assert served.ask("POST", create, json={"name": "from the page"}, headers=own).ok


def test_what_it_is_and_where_a_page_may_be_shown(served: Served) -> None:
    for password in ("", None):
        headers = served.ask("GET", "/", password).headers
        assert headers["Server"] == "nginx"  # and no version
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in headers


def test_a_client_without_keys_logs_and_reads_and_the_file_is_in_the_bucket(
    served: Served, tmp_path: Path
) -> None:
    with served.client() as client:
        run = client.get_run(run_id := logged(client, tmp_path))
        back = client.download_artifacts(run_id, "model.skops", str(tmp_path / ".."))
    assert run.data.params == {"C": "2"}
    assert run.data.metrics == {"accuracy": 0.75}
    assert Path(back).read_bytes() == (tmp_path / "model.skops").read_bytes()
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    place = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    kept = served.admin().get_object(Bucket=BUCKET, Key=f"mlflow/{place}/model.skops")
    assert kept["Body"].read() == (tmp_path / "model.skops").read_bytes()


def test_a_default_nginx_refuses_what_ours_takes(served: Served, tmp_path: Path) -> None:
    content, path = bytes(5_000_000), f"{ARTIFACTS}/test/{tmp_path.name}"
    assert served.ask("PUT", path, data=content).status_code == 200
    # The same server block, but for the lines that let a large body through
    prepare(tmp_path)
    socket = tmp_path / "socket"
    block = (served.root / BLOCK).read_text("utf-8")
    ours = served.known.uri.removeprefix("http://")
    lines = block.replace(f"listen {ours}", f"listen unix:{socket}").splitlines()
    cured = ("client_max_body_size", "proxy_request_buffering")
    plain = [line for line in lines if not line.strip().startswith(cured)]
    assert len(plain) == len(lines) - 2
    (tmp_path / BLOCK).parent.mkdir(parents=True)
    (tmp_path / BLOCK).write_text("\n".join(plain))
    (tmp_path / HTPASSWD).write_text((served.root / HTPASSWD).read_text())
    (tmp_path / "large").write_bytes(content)
    asked = ["curl", "--silent", "--config", "-", "--unix-socket", str(socket)]
    asked += ["--output", "/dev/null", "--write-out", "%{http_code}"]
    asked += ["--upload-file", str(tmp_path / "large"), f"http://{ours}{path}"]
    nginx = find_nginx()
    assert nginx
    process = subprocess.Popen(command(nginx, tmp_path), stdout=subprocess.DEVNULL)
    try:
        until(socket.exists, "nginx listens")
        login = f'user = "mlflow:{served.known.password}"\n'
        done = subprocess.run(asked, input=login, capture_output=True, text=True, check=True)
    finally:
        process.terminate()
        process.wait()
    assert done.stdout == "413"


def test_the_servers_own_keys_reach_nothing_but_artifacts(served: Served) -> None:
    served.admin().put_object(Bucket=BUCKET, Key="models/sentiment.skops", Body=b"a model")
    keys = cloud.profile_keys(served.home, PROFILE)
    assert f"AWS_PROFILE={PROFILE}\n" in (served.root / "etc/mlflow/environment").read_text()
    own: Any = cloud.client(served.home, "s3", *keys)
    own.put_object(Bucket=BUCKET, Key="mlflow/test", Body=b"an artifact")
    for refused, arguments in (
        (own.get_object, {"Key": "models/sentiment.skops"}),
        (own.put_object, {"Key": "models/sentiment.skops", "Body": b"mine"}),
        (own.put_object, {"Key": "backups/mlflow.db", "Body": b""}),
        (own.list_objects_v2, {"Prefix": ""}),
        (own.delete_bucket, {}),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden"):
            refused(Bucket=BUCKET, **arguments)


def test_without_s3_the_server_stays_and_what_needs_no_file_is_kept(
    served: Served, tmp_path: Path
) -> None:
    with served.client() as client, s3_away(served):
        run = client.create_run("0")
        client.log_metric(run.info.run_id, "accuracy", 0.8)
        refused = served.ask("PUT", f"{ARTIFACTS}/test/{tmp_path.name}", data=b"x")
        assert refused.status_code == 500
    log = cloud.log_of(served.home, "mlflow").read_text(errors="replace")
    assert "Could not connect to the endpoint URL" in log
    assert served.ask("PUT", f"{ARTIFACTS}/test/{tmp_path.name}", data=b"x").status_code == 200
    with served.client() as client:
        assert client.get_run(run.info.run_id).data.metrics == {"accuracy": 0.8}


def test_a_new_password_is_good_at_once_and_the_old_one_no_more(
    served: Served, tmp_path: Path
) -> None:
    former, new, running = (
        served.known.password,
        new_password(),
        served.processes("mlflow", "nginx"),
    )
    with served.client() as client:
        run_id = logged(client, tmp_path, 10)
    said: list[str] = []
    install(served.home, BUCKET, PROFILE, new, said.append)
    assert served.known.password == new
    assert cloud.environment(served.home)["MLFLOW_TRACKING_PASSWORD"] == new
    assert served.ask("GET", SEARCH, former).status_code == 401
    with served.client() as client:
        assert client.get_run(run_id).data.params == {"C": "2"}
    # Nothing was restarted for it, and nothing else was written
    assert all(process.is_running() for process in running)
    written = [line for line in "\n".join(said).splitlines() if "written" in line]
    assert len(written) == 1
    assert written[0].endswith(HTPASSWD.name)


def test_a_second_time_changes_nothing(served: Served) -> None:
    said: list[str] = []
    before, running = served.known, served.processes("mlflow", "nginx")
    files = {
        p: p.stat().st_mtime_ns for p in (served.root / "etc").rglob("*") if "mlflow" in p.name
    }
    install(served.home, BUCKET, PROFILE, say=said.append)
    assert "written" not in "\n".join(said)
    assert "\n".join(said).count("as it was") == 4
    assert served.known == before
    assert {p: p.stat().st_mtime_ns for p in files} == files
    assert all(process.is_running() for process in running)


def test_the_store_is_backed_up_and_brought_back_while_the_server_runs(
    served: Served, tmp_path: Path
) -> None:
    with served.client() as client:
        kept = logged(client, tmp_path, 10)
        said = setup(served, "backup")
        assert said.stdout.startswith("Backed up ")
        assert said.stdout.endswith(f" to s3://{BUCKET}/backups/mlflow.db.\n")
        later = logged(client, tmp_path, 10)
        client.delete_run(kept)
        assert setup(served, "restore").stdout.startswith("Restored ")
        assert client.get_run(kept).info.lifecycle_stage == "active"
        with pytest.raises(Exception, match=f"Run with id={later} not found"):
            client.get_run(later)
        logged(client, tmp_path, 10)  # and on it goes


def test_a_backup_that_is_none_changes_nothing(served: Served, tmp_path: Path) -> None:
    with served.client() as client:
        kept = logged(client, tmp_path, 10)
        for content in (b"not a database", b"", b"SQLite format 3\0" + bytes(5000)):
            served.admin().put_object(Bucket=BUCKET, Key="backups/mlflow.db", Body=content)
            refused = setup(served, "restore", status=1)
            assert refused.stderr.startswith("The copy is damaged, so nothing was changed: ")
            assert refused.stderr.count("\n") == 1
        assert client.get_run(kept).data.params == {"C": "2"}
    served.admin().delete_object(Bucket=BUCKET, Key="backups/mlflow.db")
    assert "There is no backup" in setup(served, "restore", status=1).stderr


def test_a_store_that_is_none_is_not_backed_up_and_gives_way_to_its_backup(
    served: Served, tmp_path: Path
) -> None:
    with served.client() as client:
        logged(client, tmp_path, 10)
    setup(served, "backup")
    assert setup(served, "backup").stdout.startswith("Nothing has changed: ")
    store = tmp_path / "var/lib/mlflow/mlflow.db"
    for content in (bytes(5000), (served.root / "var/lib/mlflow/mlflow.db").read_bytes()[:300_000]):
        store.parent.mkdir(parents=True, exist_ok=True)
        store.write_bytes(content)
        refused = setup(served, "backup", 1, tmp_path)
        assert "damaged" in refused.stderr
        assert refused.stderr.count("\n") == 1
        setup(served, "restore", 0, tmp_path)
        setup(served, "backup", 0, tmp_path)
        assert store.with_name("mlflow.db.damaged").read_bytes() == content
    # One that is in use for too long is not put aside: what is written to it would be lost
    with closing(sqlite3.connect(store)) as user:
        user.execute("BEGIN EXCLUSIVE")
        code = "import tracking_store; tracking_store.PATIENCE = 0.1"
        refused = setup(served, "restore", 1, tmp_path, code)
    assert "cannot be copied" in refused.stderr
    assert "in use: try again" in refused.stderr or "is locked: try again" in refused.stderr


def test_nobody_else_sees_the_password(served: Served) -> None:
    password = served.known.password
    shown = {password, base64.b64encode(f"mlflow:{password}".encode()).decode()}
    secrets = {*shown, cloud.profile_keys(served.home, PROFILE)[1]}
    served.ask("GET", SEARCH)
    served.ask("GET", f"{SEARCH}&x=1", f"{password}x")
    assert not told("\n".join(served.said), secrets)
    for path in served.home.root.rglob("*"):
        if path.is_file() and not path.is_symlink() and told(path.read_bytes(), secrets):
            # The home's own records, and what S3 checks signatures with
            assert path.name in ("tracking.json", "credentials", "iam.json"), path
            assert is_closed(path) or is_closed(path.parent), path
    for process in served.processes(""):
        assert not told(" ".join(process.cmdline()), secrets)
    assert stat.S_IMODE((served.root / HTPASSWD).stat().st_mode) == 0o640
    assert is_closed(served.root / "var/lib/mlflow")
    assert is_closed(served.root / "var/lib/mlflow/mlflow.db")
    # MLflow does not see whose request it is: the password has done its work before
    seen = (served.root / BLOCK).read_text()
    assert 'proxy_set_header Authorization "";' in seen


def is_closed(path: Path) -> bool:
    return not path.stat().st_mode & 0o077


def told(text: str | bytes, secrets: set[str]) -> bool:
    text = text if isinstance(text, bytes) else text.encode()
    return any(secret.encode() in text for secret in secrets)


def setup(
    served: Served, command: str, status: int = 0, root: Path | None = None, before: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a command of the workspace's mlflow_setup.py as the admin, some code before it."""
    code = f"import sys; sys.path.insert(0, 'scripts')\n{before}\nimport mlflow_setup\n"
    words = [command, "--bucket", BUCKET, "--root", str(root or served.root)]
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(mlflow_setup.main())", *words],
        cwd=served.home.workspace,
        env={**served.home.environment(), **cloud.environment(served.home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    return done


class s3_away:  # noqa: N801
    """Stop S3 for a block."""

    def __init__(self, served: Served) -> None:
        from tutorial.cloud import supervision

        self._supervisor: Any = supervision._supervisor(served.home)
        self._home = served.home

    def __enter__(self) -> None:
        self._supervisor.stopProcess("s3")

    def __exit__(self, *_: object) -> None:
        cloud.up(self._home, lambda line: None)
