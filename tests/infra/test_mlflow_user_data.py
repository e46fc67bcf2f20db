"""The machine's first boot: its script, run here on an S3 that enforces the machine's own policy."""

import io
import json
import os
import re
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aws_template import BUCKET, PASSWORD, properties, rehearsal

from local_s3 import REGION, LocalS3, local_s3

ADDRESS = "127.0.0.1"
# What the script would write to on a machine of its own; here, below a folder of the test.
PLACES = ("/usr/local/sbin", "/opt", "/etc", "/var/log", "/run")
HOST = """import sys
print("host", *sys.argv[1:])
{end}
"""
# Stand-ins for what a test has no business doing, or cannot do.
PROGRAMS = {
    "apt-get": 'echo "apt-get $*" >>"$TOLD"',
    "systemctl": 'echo "systemctl $*" >>"$TOLD"',
    "certbot": 'echo "certbot $*" >>"$TOLD"; exit ${CERTBOT_STATUS:-0}',
    "sleep": ":",
    "curl": 'case "$*" in *api/token) echo token;; *public-ipv4) echo %s;; *) exec %s "$@";; esac',
}


@dataclass
class Machine:
    """A machine that boots for the first time."""

    root: Path
    s3: LocalS3
    keys: tuple[str, str]
    handle: str
    answers: list[dict[str, str]]

    def user_data(self, domain: str = "") -> str:
        """The script as CloudFormation fills it in, with its places below the test's folder."""
        (text, own) = properties("Server")["UserData"]["Fn::Base64"]["Sub"]
        assert set(own) == {"ServerName", "CertbotPackages"}
        values = {
            "AWS::Region": REGION,
            "AWS::StackName": "mlflow",
            "Address": ADDRESS,
            "BucketName": BUCKET,
            "CertbotPackages": "certbot python3-certbot-dns-route53" if domain else "",
            "DomainName": domain,
            "PasswordParameter": PASSWORD,
            "ServerName": domain or ADDRESS,
            "ServerReadyHandle": self.handle,
        }
        filled = re.sub(r"\$\{([^!}]+)\}", lambda name: values[name[1]], text)
        for place in PLACES:
            filled = re.sub(rf"(?<![\w/.]){place}/", f"{self.root}{place}/", filled)
        return filled.replace("${!", "${")

    def send_scripts(self, end: str = "") -> None:
        """Upload what stands for the scripts; they say what they are told, and end as given."""
        packed, script = io.BytesIO(), HOST.format(end=end).encode()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            member = tarfile.TarInfo("scripts/mlflow_setup.py")
            member.size = len(script)
            tar.addfile(member, io.BytesIO(script))
        root = self.s3.client()
        root.put_object(Bucket=BUCKET, Key="setup/host.tar.gz", Body=packed.getvalue())

    def run(self, script: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run a script, or a text of one, as the machine would."""
        command = ["bash", script] if isinstance(script, Path) else ["bash", "-c", script]
        settings |= self.s3.environment(self.keys) | {"TOLD": str(self.root / "told")}
        path = f"{self.root / 'programs'}:{os.environ['PATH']}"
        env = {**os.environ, "NO_PROXY": "*", "PATH": path, **settings}
        return subprocess.run(command, env=env, capture_output=True, text=True)

    def boot(self, domain: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        return self.run(self.user_data(domain), **settings)

    @property
    def told(self) -> str:
        """What the stand-ins were called with."""
        return (self.root / "told").read_text()

    @property
    def host(self) -> Path:
        return self.root / "usr/local/sbin/mlflow-host"

    @property
    def certificate(self) -> Path:
        return self.root / "etc/mlflow/tls/certificate.pem"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalS3, tuple[str, str]]]:
    """An S3 with the bucket, and the machine's keys."""
    with (
        pytest.MonkeyPatch.context() as patch,
        rehearsal(patch, tmp_path_factory.mktemp("aws")) as aws,
    ):
        aws.create()
        policy = aws.policies("ServerRole")["set-up-and-backups"]
    with local_s3(tmp_path_factory.mktemp("s3")) as server:
        server.bucket(BUCKET)
        yield server, server.user("machine", policy)


@pytest.fixture
def machine(s3: tuple[LocalS3, tuple[str, str]], tmp_path: Path) -> Iterator[Machine]:
    real = subprocess.run(["which", "curl"], capture_output=True, text=True, check=True)
    (tmp_path / "programs").mkdir()
    for name, does in PROGRAMS.items():
        text = does % (ADDRESS, real.stdout.strip()) if name == "curl" else does
        (tmp_path / "programs" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "programs" / name).chmod(0o755)
    (tmp_path / "programs" / "python3").symlink_to(sys.executable)
    for place in ("usr/local/sbin", "etc/systemd/system", "opt", "var/log", "run"):
        (tmp_path / place).mkdir(parents=True)
    with wait_condition() as (url, answers):
        machine = Machine(tmp_path, *s3, url, answers)
        machine.send_scripts()
        yield machine


@contextmanager
def wait_condition() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address that a stack's wait condition listens at, and what it heard."""
    heard: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            # S3's signature of that address is for a request that says nothing of its content's type.
            assert self.headers["Content-Type"] is None
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/?a=b&Signature=c%3D", heard
        server.shutdown()
        thread.join()


def test_shells_read_it(machine: Machine) -> None:
    for domain in ("", "mlflow.example.org"):
        script = machine.user_data(domain)
        subprocess.run(["bash", "-n", "-c", script], check=True)
        assert len(script) < 16_384  # EC2 takes no more
        assert script.startswith("#!/bin/bash\n")
        assert "${" not in script.replace("${PIPESTATUS[0]}", "")


def test_a_first_boot_sets_the_host_up_and_tells_the_stack(machine: Machine) -> None:
    done = machine.boot()
    assert done.returncode == 0, done.stderr
    (answer,) = machine.answers
    assert (answer["Status"], answer["UniqueId"]) == ("SUCCESS", "mlflow")
    tls = machine.certificate.parent
    assert (
        f"host host --restore --bucket {BUCKET} --server-name {ADDRESS} --password-parameter {PASSWORD} "
        f"--certificate {tls}/certificate.pem --key {tls}/key.pem"
    ) in done.stdout
    assert "python3-boto3" in machine.told
    assert "certbot" not in machine.told
    assert "systemctl enable --now --quiet mlflow-backup.timer" in machine.told
    backup = machine.run(machine.root / "usr/local/sbin/mlflow-backup")
    assert backup.stdout == f"host backup --bucket {BUCKET}\n"


def test_a_failure_is_told_with_its_reason(machine: Machine) -> None:
    machine.send_scripts('sys.exit("Port 443 is taken: stop what listens there.")')
    machine.boot()
    (answer,) = machine.answers
    assert answer["Status"] == "FAILURE"
    assert answer["Reason"] == "Port 443 is taken: stop what listens there."
    assert "mlflow-backup.timer" not in machine.told


def test_scripts_that_never_come_are_told(machine: Machine) -> None:
    machine.s3.client().delete_object(Bucket=BUCKET, Key="setup/host.tar.gz")
    patient = machine.user_data().replace("range(60)", "range(2)").replace("time.sleep(5)", "pass")
    machine.run(patient)
    (answer,) = machine.answers
    assert answer["Status"] == "FAILURE"
    assert answer["Reason"].startswith(f"The scripts did not come from the bucket {BUCKET}: ")


def test_the_certificate_is_the_servers_own_and_clients_can_trust_it(machine: Machine) -> None:
    machine.boot()
    shown = machine.s3.client().get_object(Bucket=BUCKET, Key="setup/ca.pem")["Body"].read()
    assert shown == machine.certificate.read_bytes()
    assert b"PRIVATE" not in shown
    key = machine.certificate.with_name("key.pem")
    assert key.stat().st_mode & 0o777 == 0o600

    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(machine.certificate, key)
    trusting = ssl.create_default_context(cadata=shown.decode())
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's own way since 3.13
    shake_hands(serving, trusting, ADDRESS)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        shake_hands(serving, trusting, "127.0.0.2")
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        shake_hands(serving, ssl.create_default_context(), ADDRESS)


def shake_hands(serving: ssl.SSLContext, trusting: ssl.SSLContext, name: str) -> None:
    """Let a client and a server meet in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(up, down, server_side=True)
    client = trusting.wrap_bio(down, up, server_hostname=name)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_applied_again_it_takes_new_scripts_and_keeps_its_certificate(machine: Machine) -> None:
    """As `up` and `rotate-password` do; clients go on trusting it."""
    machine.boot()
    former = machine.certificate.read_bytes()
    machine.send_scripts('print("the new scripts")')

    done = machine.run(machine.host)

    assert (done.returncode, done.stderr) == (0, "")
    assert "the new scripts" in done.stdout
    assert machine.certificate.read_bytes() == former
    assert len(machine.answers) == 1  # the stack was told at the first boot


def test_a_failure_when_applied_again_is_an_exit_status_and_the_last_line(machine: Machine) -> None:
    machine.boot()
    machine.send_scripts('sys.exit("nginx does not take the block: line 3.")')
    done = machine.run(machine.host)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "nginx does not take the block: line 3."


def test_a_domain_is_certified_by_lets_encrypt(machine: Machine) -> None:
    done = machine.boot(domain="mlflow.example.org")
    assert machine.answers[0]["Status"] == "SUCCESS", done.stderr
    assert "certbot certonly --non-interactive" in machine.told
    assert "--dns-route53 --domain mlflow.example.org" in machine.told
    live = f"{machine.root}/etc/letsencrypt/live/mlflow.example.org"
    assert f"--certificate {live}/fullchain.pem --key {live}/privkey.pem" in done.stdout
    assert not machine.certificate.exists()


def test_a_domain_that_is_not_certified_is_told(machine: Machine) -> None:
    machine.boot(domain="mlflow.example.org", CERTBOT_STATUS="1")
    (answer,) = machine.answers
    assert answer["Status"] == "FAILURE"
    assert answer["Reason"].startswith("Let's Encrypt did not certify mlflow.example.org: ")
    assert machine.told.count("certbot certonly") == 2
