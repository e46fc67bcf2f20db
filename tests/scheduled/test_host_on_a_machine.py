"""`mlflow_setup.py host` on a machine of its own: an Ubuntu (where debootstrap knows none, a Debian) that systemd boots.

Minutes and a network are what it takes, so it is for a scheduled job: `make scheduled`, as root.
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from local_s3 import LocalS3, local_s3, policy
from tests.tutorial.waiting import until
from tutorial.home import PROJECT

pytestmark = pytest.mark.scheduled

SUITES = ("noble", "trixie")
INCLUDE = "systemd,systemd-sysv,dbus,procps,python3,python3-boto3,ca-certificates"
BUCKET, PASSWORD = "reviews-and-runs", "no-secret-but-thirty-characters"
SETUP = Path("opt/mlflow-setup")
STORE = "/var/lib/mlflow/mlflow.db"


@dataclass(frozen=True)
class Machine:
    """A machine that is up: its root, the number of its first process, its S3, the ports of nginx and MLflow."""

    root: Path
    init: int
    s3: LocalS3
    port: int
    inner: int

    def run(self, *command: str, **how: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as root there."""
        given = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        given |= {name: os.environ[name] for name in ("PIP_CERT",) if name in os.environ}
        given |= {
            "AWS_ENDPOINT_URL": self.s3.url,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_PROFILE": "mlflow",
            "AWS_SHARED_CREDENTIALS_FILE": "/etc/credentials",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        entered = ["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--pid"]
        words = [f"{name}={value}" for name, value in given.items()]
        return subprocess.run(
            [*entered, "--root", "--wd", "env", "-i", *words, *command],
            capture_output=True,
            text=True,
            input=how.get("input", ""),
        )

    def host(self, password: str = PASSWORD, status: int = 0) -> list[str]:
        """Run `host` there, and return the lines that it says."""
        options = f"--bucket {BUCKET} --server-name 127.0.0.1 --listen 127.0.0.1:{self.port}"
        options += f" --port {self.inner} --certificate /etc/tls.pem --key /etc/tls.key --restore"
        words = ["python3", f"/{SETUP}/scripts/mlflow_setup.py", "host", *options.split()]
        done = self.run(*words, input=f"{password}\n")
        assert done.returncode == status, done.stdout + done.stderr
        assert password not in done.stdout + done.stderr
        return (done.stdout if not status else done.stderr).splitlines()

    def setup(self, command: str) -> str:
        words = ["python3", f"/{SETUP}/scripts/mlflow_setup.py", command, "--bucket", BUCKET]
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(
        self, method: str, path: str, password: str | None = PASSWORD, **how: bytes
    ) -> requests.Response:
        """Ask from outside, as a client that knows its certificate."""
        auth = ("mlflow", password) if password else None
        with requests.Session() as session:
            session.trust_env = False
            url = f"https://127.0.0.1:{self.port}{path}"
            trusted = str(self.root / "etc/tls.pem")
            return session.request(method, url, auth=auth, verify=trusted, timeout=60, **how)

    def main(self) -> str:
        return self.run("systemctl", "show", "mlflow", "--property=MainPID", "--value").stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def booted(root: Path) -> Iterator[int]:
    """Boot what is below a folder; give the number of its first process."""
    command = ["systemd-nspawn", "--directory", str(root), "--boot", "--console=pipe"]
    command += ["--register=no", "--keep-unit", "--resolv-conf=copy-host"]
    with (root.parent / "console").open("w") as console:
        nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    try:
        until(lambda: children.read_text().split(), "the machine does not boot")
        yield int(children.read_text().split()[0])
    finally:
        nspawn.terminate()
        try:
            nspawn.wait(60)
        finally:
            nspawn.kill()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with Python, boto3, and what `mlflow_setup.py up` brings; a bucket, and its role's keys."""
    folder = tmp_path_factory.mktemp("machine")
    root = folder / "root"
    known = Path("/usr/share/debootstrap/scripts")
    suite = next(suite for suite in SUITES if (known / suite).exists())
    parts = "--components=main,universe" if suite == "noble" else "--components=main"
    made = ["debootstrap", "--variant=minbase", f"--include={INCLUDE}", parts, suite, str(root)]
    done = subprocess.run(made, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    # It trusts whom this machine trusts
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs")
    for pattern in ("scripts/mlflow_setup.py", "scripts/tracking_*.py", "infra/*"):
        for path in PROJECT.glob(pattern):
            target = root / SETUP / path.relative_to(PROJECT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    tls = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]
    tls += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30"]
    tls += ["-keyout", str(root / "etc/tls.key"), "-out", str(root / "etc/tls.pem")]
    subprocess.run(tls, check=True, capture_output=True)
    (folder / "s3").mkdir()
    with local_s3(folder / "s3") as s3:
        s3.bucket(BUCKET)
        may = policy("mlflow-artifacts", BUCKET)
        # On AWS its role may keep backups as well
        also = json.loads(
            json.dumps(may).replace("mlflow/*", "backups/*").replace('"Sid": "', '"Sid": "Also')
        )
        may["Statement"] += also["Statement"]
        key, secret = s3.user("mlflow", may)
        keys = f"[mlflow]\naws_access_key_id={key}\naws_secret_access_key={secret}\n"
        (root / "etc/credentials").write_text(keys)
        with booted(root) as init:
            made_up = Machine(root, init, s3, free_port(), free_port())
            state = ("systemctl", "is-system-running")
            until(lambda: made_up.run(*state).stdout.strip() in ("running", "degraded"), "it boots")
            yield made_up


def test_a_new_machine_becomes_the_server(machine: Machine) -> None:
    assert machine.host()[-1] == "The server answers, and asks for the password."
    assert machine.ask("GET", "/", None).status_code == 401
    page = machine.ask("GET", "/")
    assert page.status_code == 200
    assert "max-age" in page.headers["Strict-Transport-Security"]
    content = os.urandom(5_000_000)
    path = "/api/2.0/mlflow-artifacts/artifacts/test/file"
    assert machine.ask("PUT", path, data=content).status_code == 200
    assert machine.ask("GET", path).content == content
    kept = machine.s3.client().get_object(Bucket=BUCKET, Key="mlflow/test/file")["Body"].read()
    assert kept == content
    owner = machine.run("ps", "-o", "user=", "-p", machine.main().strip()).stdout
    assert owner.strip() == "mlflow"


def test_systemd_has_nothing_against_it(machine: Machine) -> None:
    done = machine.run("systemd-analyze", "verify", "mlflow.service")
    assert (done.returncode, done.stderr) == (0, "")
    done = machine.run("systemd-analyze", "security", "--threshold=20", "mlflow.service")
    assert done.returncode == 0, done.stdout[-2000:]


def test_again_with_a_new_password_it_goes_on_running(machine: Machine) -> None:
    before = machine.main()
    assert sum("as it was" in line for line in machine.host()) == 4
    new = f"{PASSWORD}-new"
    assert sum("as it was" in line for line in machine.host(new)) == 3
    assert machine.ask("GET", "/").status_code == 401
    assert machine.ask("GET", "/", new).status_code == 200
    assert machine.main() == before
    log = machine.run("journalctl", "--no-pager").stdout + machine.run("ps", "axww").stdout
    assert PASSWORD not in log
    machine.host()


def test_what_is_killed_comes_back(machine: Machine) -> None:
    before = machine.main()
    machine.run("kill", "-9", before.strip())
    until(lambda: machine.main() not in (before, "0\n"), "systemd does not start it again", 30)
    until(lambda: machine.ask("GET", "/health", None).status_code == 200, "it does not answer", 60)


def test_a_damaged_store_is_told_and_its_backup_brings_the_runs_back(machine: Machine) -> None:
    assert machine.setup("backup").startswith("Backed up ")
    machine.run("truncate", "--size=300000", STORE)
    machine.run("systemctl", "restart", "mlflow")
    (said,) = machine.host(status=1)
    assert said.startswith("mlflow answers nothing at 127.0.0.1:")
    assert "malformed" in said
    assert machine.setup("restore").startswith("Restored ")
    machine.host()
    # And a new machine begins with it
    machine.run("systemctl", "stop", "mlflow")
    machine.run("rm", "-r", str(Path(STORE).parent))
    assert any(line.startswith("Restored ") for line in machine.host())
    assert machine.ask("GET", "/").status_code == 200


def test_a_port_that_is_taken_is_told(machine: Machine) -> None:
    machine.run("systemctl", "stop", "nginx")
    with socket.create_server(("127.0.0.1", machine.port)):
        (said,) = machine.host(status=1)
        assert said.startswith("nginx cannot be started: ")
        assert "Address already in use" in said
    machine.host()
