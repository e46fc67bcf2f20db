"""What the tracking server needs of a machine of its own: packages, a user, services. Ubuntu or Debian."""

import hashlib
import http.client
import os
import shutil
import ssl
import subprocess
import time
from functools import partial
from pathlib import Path

from tracking_account import SetupError
from tracking_files import INFRA

PACKAGES = ("nginx", "python3-venv", "openssl")
INSTALLED = Path("/opt/mlflow")  # a link to an environment, so that half a one is never in use
RESTARTS = 3  # by systemd, after which a service will not do better
SECONDS = 300  # until a small machine has MLflow answer: the first time, it makes its tables
# How lines begin that say that something failed, and not why: systemd's, SQLAlchemy's, nginx's.
NO_REASON = ("Start", "Stop", "Failed to start", "[SQL", "(Background on", "nginx: [emerg] still")
say = partial(print, flush=True)


def run(*command: str, why: str) -> None:
    """Run a command. Raises `SetupError` with its last words where it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise SetupError(f"{why}: {words[-1]}")


def install() -> bool:
    """Bring packages, a user, and MLflow in an environment of its own; tell whether that is new."""
    needed = ("dpkg-query", "--show", *PACKAGES)
    if subprocess.run(needed, capture_output=True).returncode:
        say(f"Installing {', '.join(PACKAGES)}")
        lock = ("-o", "DPkg::Lock::Timeout=300")
        run("apt-get", *lock, "update", "-q", why="The packages cannot be listed")
        command = ("apt-get", *lock, "install", "-q", "-y", "--no-install-recommends", *PACKAGES)
        run(*command, why="The packages cannot be installed")
    if subprocess.run(["id", "mlflow"], capture_output=True).returncode:
        say("Making the user mlflow")
        options = ("--system", "--home-dir", "/var/lib/mlflow", "--shell", "/usr/sbin/nologin")
        run("useradd", *options, "mlflow", why="The user mlflow cannot be made")
    requirements = INFRA / "mlflow-requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    wanted = INSTALLED.with_name(f"mlflow-{digest}")
    if INSTALLED.resolve() == wanted:
        return False
    say("Installing MLflow, which takes a few minutes")
    run("python3", "-m", "venv", "--clear", str(wanted), why="There can be no environment")
    pip = (f"{wanted}/bin/pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check")
    run(*pip, "--requirement", str(requirements), why="MLflow cannot be installed")
    former, link = INSTALLED.resolve(), INSTALLED.with_name(".mlflow")
    link.unlink(missing_ok=True)
    link.symlink_to(wanted)
    link.replace(INSTALLED)
    if former != INSTALLED:
        shutil.rmtree(former, ignore_errors=True)
    return True


def start(listen: str, port: int, tls: bool, changed: bool) -> None:
    """Have systemd run both, now and at every boot; return when they answer. Raises `SetupError`."""
    run("systemctl", "daemon-reload", why="systemd does not read the new unit")
    run("systemctl", "enable", "-q", "mlflow", "nginx", why="The services cannot be enabled")
    for verb, service in (
        ("restart" if changed else "start", "mlflow"),
        ("reload-or-restart", "nginx"),
    ):
        if subprocess.run(["systemctl", verb, service], capture_output=True).returncode:
            raise SetupError(f"{service} cannot be started: {_last_words(service)}")
    say("Waiting until they answer")
    _wait("mlflow", f"127.0.0.1:{port}", False, "/health", 200)
    _wait("nginx", listen, tls, "/", 401)
    say("The server answers, and asks for the password.")


def _wait(service: str, address: str, tls: bool, path: str, wanted: int) -> None:
    deadline, before = time.monotonic() + SECONDS, _restarts(service)
    while (answer := _status(address, tls, path)) != wanted:
        if time.monotonic() > deadline or _restarts(service) >= before + RESTARTS:
            said = answer or "nothing"
            raise SetupError(f"{service} answers {said} at {address}: {_last_words(service)}")
        time.sleep(1)


def _restarts(service: str) -> int:
    command = ["systemctl", "show", service, "--property", "NRestarts", "--value"]
    return int(subprocess.run(command, capture_output=True, text=True).stdout.strip() or 0)


def _last_words(service: str) -> str:
    """Return the last line of the service's log that is its own, not systemd's."""
    command = ["journalctl", "--unit", service, "--lines", "40", "--output", "cat"]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    theirs = (f"{service}.service: ", *NO_REASON)
    own = [line for line in lines if not line.startswith(theirs)] or lines
    return own[-1] if own else "it said nothing"


def _status(address: str, tls: bool, path: str) -> int:
    """Return the status of an answer, 0 where there is none. Whose certificate it is, we know."""
    host = address.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    unverified = ssl._create_unverified_context()  # noqa: S323
    connection = (
        http.client.HTTPSConnection(host, timeout=10, context=unverified)
        if tls
        else http.client.HTTPConnection(host, timeout=10)
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
