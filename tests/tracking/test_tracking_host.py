"""`mlflow_setup.py host` below a folder: what it writes, and what it refuses in one sentence."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tutorial.home import PROJECT
from tutorial.tracking.nginx import path_with_nginx, prepare
from tutorial.tracking.record import BLOCK, ENVIRONMENT, HTPASSWD, UNIT
from tutorial.tracking.unit import assignments, directives

PASSWORD = "no-secret-but-thirty-characters"  # noqa: S105
LOCAL = {"--server-name": "127.0.0.1", "--listen": "127.0.0.1:5050", "--port": "5051"}
PUBLIC = {"--server-name": "mlflow.example.org"}


@dataclass
class Machine:
    """A folder in place of a machine, and a copy of what milestone 4 builds."""

    root: Path
    workspace: Path
    password: str = PASSWORD
    settings: dict[str, str] = field(default_factory=dict)

    def host(
        self, options: Mapping[str, str | Path] = LOCAL, status: int = 0, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run `host`; what it says never has the password in it."""
        given = {"--bucket": "reviews", "--root": self.root, **options}
        given |= {f"--{name.replace('_', '-')}": value for name, value in more.items()}
        done = subprocess.run(
            [sys.executable, "scripts/mlflow_setup.py", "host", *map(str, sum(given.items(), ()))],
            cwd=self.workspace,
            env={"PATH": path_with_nginx(), **self.settings},
            input=f"{self.password}\n",
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done

    def refuses(self, *words: str, **options: str) -> None:
        """It says one sentence that has these words, and everything is as it was."""
        before = self.files()
        done = self.host({**LOCAL, **options}, 1)
        assert re.fullmatch(r"[^\n]+\n", done.stderr), done.stderr
        assert all(word in done.stderr for word in words), done.stderr
        assert self.files() == before

    def files(self) -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def read(self, name: Path) -> str:
        return (self.root / name).read_text(encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "root", tmp_path / "workspace")
    for pattern in ("scripts/mlflow_setup.py", "scripts/tracking_*.py", "infra/*"):
        for path in PROJECT.glob(pattern):
            target = made.workspace / path.relative_to(PROJECT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate of its own with its key; an expired one; another's key."""
    folder = tmp_path_factory.mktemp("tls")

    def make(name: str, *when: str) -> Path:
        key, path = folder / f"{name}.key", folder / f"{name}.pem"
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ]
        command += ["-nodes", "-subj", "/CN=mlflow.example.org", "-keyout", str(key)]
        subprocess.run([*command, "-out", str(path), *when], check=True, capture_output=True)
        return path

    good, soon = make("good", "-days", "90"), make("soon", "-days", "3")
    # openssl makes none that has expired; it signs one anew, with its end where it began
    expired = folder / "expired.pem"
    subprocess.run(
        [
            "openssl",
            "x509",
            "-in",
            good,
            "-key",
            good.with_suffix(".key"),
            "-days",
            "-1",
            "-out",
            expired,
        ],
        check=True,
        capture_output=True,
    )
    shutil.copy(good.with_suffix(".key"), folder / "expired.key")
    return {"good": good, "soon": soon, "expired": expired}


def both(path: Path) -> dict[str, str]:
    return {"--certificate": str(path), "--key": str(path.with_suffix(".key"))}


def test_what_a_machine_of_its_own_gets(machine: Machine, certificate: dict[str, Path]) -> None:
    machine.settings = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_SECRET_ACCESS_KEY": "a secret"}
    good = both(certificate["good"])
    machine.host({**PUBLIC, **good})
    block = machine.read(BLOCK)
    assert "listen 0.0.0.0:443 ssl;" in block
    assert f'ssl_certificate "{good["--certificate"]}";' in block
    assert "max-age=31536000" in block
    assert "# tls" not in block.partition("server {")[2]
    unit = directives(machine.read(UNIT))
    (command,) = unit["ExecStart"]
    assert command.split()[:2] == ["/opt/mlflow/bin/mlflow", "server"]
    assert "--host 127.0.0.1 --port 5000 " in command
    assert "--artifacts-destination s3://reviews/mlflow " in command
    # A browser leaves the usual port out, and so must what it is compared with
    assert command.split()[-4:] == [
        *("--allowed-hosts", "mlflow.example.org"),
        *("--cors-allowed-origins", "https://mlflow.example.org"),
    ]
    assert assignments(machine.read(ENVIRONMENT)) == {"AWS_DEFAULT_REGION": "eu-west-1"}
    (line,) = machine.read(HTPASSWD).splitlines()
    assert line.startswith("mlflow:{SSHA}")


def test_the_same_again_writes_nothing_and_a_change_writes_what_differs(machine: Machine) -> None:
    assert machine.host().stdout.count("written") == 4
    before = machine.files()
    assert machine.host().stdout.count("as it was") == 4
    assert machine.files() == before
    machine.password = f"{PASSWORD}-new"
    said = [line for line in machine.host().stdout.splitlines() if "written" in line]
    assert [Path(line.split()[-1]).name for line in said] == [HTPASSWD.name]
    said = [line for line in machine.host(bucket="others").stdout.splitlines() if "written" in line]
    assert [Path(line.split()[-1]).name for line in said] == [UNIT.name]


def test_a_block_that_nginx_does_not_take_is_told_with_its_line(machine: Machine) -> None:
    prepare(machine.root)
    template = machine.workspace / "infra" / "nginx.conf.template"
    good = template.read_text()
    template.write_text(good.replace("client_max_body_size", "client_max_bodysize"))
    line = good[: good.index("client_max_body_size")].count("\n")
    done = machine.host(status=1)
    assert (
        'nginx does not take the server block: unknown directive "client_max_bodysize"'
        in done.stderr
    )
    (told,) = re.findall(r"mlflow\.conf:(\d+)", done.stderr)
    assert abs(int(told) - line) <= 6  # lines for TLS are left out
    assert not [path for path in machine.files() if "mlflow" in path.name]
    # Where there was a good one, it stays
    template.write_text(good)
    machine.host()
    template.write_text(good.replace("server_tokens off;", "server_tokens off"))
    machine.refuses("nginx does not take the server block", "mlflow.conf:")
    template.write_text(good.replace("@PORT@", "@PROT@"))
    machine.refuses("infra/nginx.conf.template asks for @PROT@")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"--listen": "0.0.0.0:5050"}, "Without a certificate, passwords would cross"),
        ({"--listen": "192.168.1.7:5050"}, "Without a certificate, passwords would cross"),
        ({"--listen": "127.0.0.1"}, "--listen 127.0.0.1 is not"),
        ({"--listen": "127.0.0.1:99999"}, "--listen 127.0.0.1:99999 or"),
        ({"--listen": "300.0.0.1:80"}, "--listen 300.0.0.1:80 or"),
        ({"--port": "5050"}, "nginx and MLflow cannot both have port 5050"),
        ({"--bucket": "s3://reviews"}, "--bucket s3://reviews is not"),
        ({"--server-name": "a;return 200"}, "--server-name a;return 200 is not"),
        ({"--certificate": "/etc/tls.pem"}, "Give --certificate and --key together."),
        ({"--certificate": "/none.pem", "--key": "/none.key"}, "/none.pem cannot be used"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_what_it_refuses(machine: Machine, options: dict[str, str], words: str) -> None:
    machine.refuses(words, **options)


@pytest.mark.parametrize("password", ["", "too-short", "x" * 19])
def test_a_password_that_can_be_guessed_is_refused(machine: Machine, password: str) -> None:
    machine.password = password
    machine.refuses(f"The password has {len(password)} characters: give 20 or more.")


def test_the_password_of_a_machine_on_aws_is_in_parameter_store(machine: Machine) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        machine.settings = {
            "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "AKIAOFAROLE",
            "AWS_SECRET_ACCESS_KEY": "its-secret",
        }
        ssm = boto3.client(
            "ssm",
            region_name="eu-west-1",
            endpoint_url=machine.settings["AWS_ENDPOINT_URL"],
            aws_access_key_id="mine",
            aws_secret_access_key="mine",
        )
        ssm.put_parameter(Name="/mlflow/password", Value=PASSWORD, Type="SecureString")
        machine.password = "what is typed does not count"  # noqa: S105
        machine.host(password_parameter="/mlflow/password")
        former = machine.read(HTPASSWD)
        machine.refuses("ParameterNotFound", **{"--password-parameter": "/none"})
    finally:
        server.stop()
    machine.settings, machine.password = {}, PASSWORD
    machine.host()
    assert machine.read(HTPASSWD) == former


def test_a_certificate_that_cannot_serve_is_refused(
    machine: Machine, certificate: dict[str, Path]
) -> None:
    machine.refuses("expired on", "renew it", **both(certificate["expired"]))
    others = {**both(certificate["good"]), "--key": str(certificate["soon"].with_suffix(".key"))}
    machine.refuses("are no certificate and its key: key values mismatch", **others)
    swapped = {"--certificate": others["--key"], "--key": others["--key"]}
    machine.refuses("are no certificate and its key", **swapped)
    assert "expires on" in machine.host({**PUBLIC, **both(certificate["soon"])}).stdout


def test_a_place_that_cannot_be_written_is_told(machine: Machine) -> None:
    machine.root.touch()
    machine.refuses(f"{machine.root}", "cannot be used")
    machine.root.unlink()
    machine.host()
    (machine.root / UNIT).unlink()
    (machine.root / UNIT).mkdir()
    machine.refuses("cannot be used")


def test_whoever_is_no_root_is_told_before_anything_is_done(machine: Machine) -> None:
    code = (
        "import os, sys; os.geteuid = lambda: 1000; sys.path.insert(0, 'scripts')\n"
        "import mlflow_setup; sys.exit(mlflow_setup.main())"
    )
    words = ["host", "--bucket", "reviews", *sum(LOCAL.items(), ())]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=machine.workspace,
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("This sets up the whole machine: run it as root")


def test_systemd_reads_the_unit_and_thinks_it_safe(machine: Machine, tmp_path: Path) -> None:
    machine.host()
    # It looks for the program, and for who is to run it, on this machine
    program, me = tmp_path / "mlflow", "root"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = machine.read(UNIT).replace("/opt/mlflow/bin/mlflow", str(program))
    unit = tmp_path / "mlflow.service"
    unit.write_text(text.replace("User=mlflow", f"User={me}"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, "mlflow.service" in done.stderr) == (0, False), done.stderr
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
