"""Start, watch and stop the services of the local cloud, with supervisord."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

import psutil
import requests
from supervisor.xmlrpc import Faults, SupervisorTransport

from tutorial.cloud.access import ensure_admin, environment
from tutorial.cloud.processes import ended, is_ours, ports, reap
from tutorial.cloud.services import (
    Service,
    folder_of,
    new_setting,
    services,
    setting,
)
from tutorial.cloud.supervisor_settings import config_of, handed
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.tracking.host import refresh
from tutorial.tracking.services import tracking_services

PATIENCE = 60  # seconds until a service has to answer
STARTS = 2  # so many starts of a service must fail before `up` gives up on it
SUPERVISOR = "supervisor"  # the record of the supervisor that runs: its pid and socket
STATES = {"RUNNING": "running", "STARTING": "running", "BACKOFF": "starting", "FATAL": "failed"}
CONFIG = "supervisord.conf"
SOCKET_FOLDER = "tutorial-"
ASIDES = ("[SQL", "[parameters", "(Background on")  # what SQLAlchemy says after its error
SOCKET_PATH = 90  # bytes that the path of a socket may have, and a little room


@dataclass(frozen=True)
class ServiceState:
    """A service, how it is ("running", "starting", "stopped" or "failed"), and where it answers."""

    name: str
    state: str
    url: str


def up(home: Home, say: Callable[[str], object] = print) -> list[ServiceState]:
    """Bring up what does not run, and return when everything answers.

    Raises `TutorialError` that names the service that does not, with its last words.
    """
    with _alone(home):
        supervisor = _supervisor(home)
        given = new_setting(home, lambda port: is_ours(home, port))
        refresh(home, given.ports["s3"], environment(home), lambda port: is_ours(home, port))
        wanted = services(given) + tracking_services(home)
        if supervisor is None or not _is_for(home, wanted):
            _stop(home)  # what a supervisor that was killed left, or one with other services
            say(f"Starting {', '.join(service.name for service in wanted)} ...")
            supervisor = _start(home, wanted)
        for service in wanted:
            try:
                supervisor.startProcess(service.name, False)
            except Fault as fault:
                if fault.faultCode != Faults.ALREADY_STARTED:
                    words = f"The service {service.name} cannot be started: {fault.faultString}."
                    raise TutorialError(words) from None
        for service in wanted:
            _wait_for(home, supervisor, service)
        ensure_admin(home, given)
    return status(home)


def restart(home: Home, *names: str) -> None:
    """Stop and start services that run, and return when they answer: with what they read at their start."""
    with _alone(home):
        supervisor = _supervisor(home)
        if supervisor is None:
            raise TutorialError("The local cloud is down: run `tutorial up`.")
        for name in names:
            with contextlib.suppress(Fault):  # it does not run
                supervisor.stopProcess(name)
            supervisor.startProcess(name, False)
        for service in tracking_services(home):
            if service.name in names:
                _wait_for(home, supervisor, service)


def stop_service(home: Home, name: str) -> None:
    """Stop a service until `start_service` or the next `up`, and return when none of its processes is left."""
    with _alone(home):
        supervisor, service = _running(home, name)
        pid = int(supervisor.getProcessInfo(name)["pid"])
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            if pid:
                family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        with contextlib.suppress(Fault):  # it is stopped already
            supervisor.stopProcess(service.name)
        if not ended(family, PATIENCE):
            raise TutorialError(f"The service {name} does not end: run `tutorial down`.")


def start_service(home: Home, name: str) -> None:
    """Start a service that was stopped, and return when it answers."""
    with _alone(home):
        supervisor, service = _running(home, name)
        with contextlib.suppress(Fault):  # it runs already
            supervisor.startProcess(service.name, False)
        _wait_for(home, supervisor, service)


def _running(home: Home, name: str) -> tuple[Any, Service]:
    """Return the supervisor that runs, and its service of that name."""
    supervisor, given = _supervisor(home), setting(home)
    if supervisor is None or given is None:
        raise TutorialError("The local cloud is down: run `tutorial up`.")
    known = services(given) + tracking_services(home)
    service = next((service for service in known if service.name == name), None)
    if service is None:
        raise TutorialError(f"There is no service {name} here: try `tutorial status`.")
    return supervisor, service


def kill(home: Home, name: str) -> int:
    """Kill a service's process as the kernel would, without a word; return its pid when it answers again."""
    supervisor, service = _running(home, name)
    pid = int(supervisor.getProcessInfo(name)["pid"])
    if not pid:
        raise TutorialError(f"The service {name} does not run: try `tutorial status`.")
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    ended(family, PATIENCE)
    _wait_for(home, supervisor, service)
    return pid


def down(home: Home) -> None:
    """Stop everything in good order; what was kept stays."""
    if folder_of(home).is_dir():
        with _alone(home):
            _stop(home)


def status(home: Home) -> list[ServiceState]:
    """Say of each service how it is; an empty list where the cloud never was up."""
    given = setting(home)
    if given is None:
        return []
    supervisor = _supervisor(home)
    told: dict[str, dict[str, Any]] = {}
    if supervisor is not None:
        with contextlib.suppress(OSError, Fault):
            told = {p["name"]: p for p in supervisor.getAllProcessInfo()}
    every = services(given) + tracking_services(home)
    return [_state(service, told.get(service.name, {})) for service in every]


def log_of(home: Home, name: str) -> Path:
    """Return the file that a service's output goes to."""
    return folder_of(home) / "logs" / f"{name}.log"


def _state(service: Service, told: dict[str, Any]) -> ServiceState:
    state = STATES.get(told.get("statename", ""), "stopped")
    if state == "running" and not _answers(service, told):
        state = "starting"
    return ServiceState(service.name, state, service.url)


def _answers(service: Service, told: dict[str, Any]) -> bool:
    """Tell whether the process serves: at its port somebody else may answer."""
    if service.port is None:
        return bool(told["statename"] == "RUNNING")  # it lasted for `startsecs`
    try:
        process = psutil.Process(told["pid"])
        family = (process, *process.children(recursive=True))  # MLflow's child listens
        if not any(service.port in ports(member) for member in family):
            return False
        with requests.Session() as session:
            session.trust_env = False  # a proxy does not lead to this machine
            return session.get(service.url + service.health, timeout=5).ok
    except (psutil.Error, requests.RequestException):
        return False


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Let one `up` or `down` of a home act at a time; a second one waits."""
    try:
        folder_of(home).mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder_of(home) / "lock").open("w")
    except OSError as error:
        raise TutorialError(f"The local cloud's folder cannot be used: {error}.") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _record(home: Home) -> dict[str, Any] | None:
    """Return the record of this home's supervisor; a copied home's is the original's, and none of ours."""
    record = home.recall(SUPERVISOR)
    if record is None or record.get("home") != str(home.root):
        return None
    return record if isinstance(record.get("pid"), int) and record.get("socket") else None


def _supervisor(home: Home) -> Any | None:
    """Return the interface of this home's supervisor, or None where it does not run."""
    record = _record(home)
    if record is None:
        return None
    try:
        interface: Any = ServerProxy(
            "http://localhost",
            transport=cast(Any, SupervisorTransport(None, None, f"unix://{record['socket']}")),
        ).supervisor
        interface.getState()
    except (OSError, Fault, HTTPException):
        return None  # whatever has its pid by now
    return interface


def _is_for(home: Home, wanted: list[Service]) -> bool:
    """Tell whether the supervisor that runs was started with these services, ports and all."""
    record = _record(home)
    try:
        former = (folder_of(home) / CONFIG).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return record is not None and former == config_of(Path(record["socket"]), wanted)


def _stop(home: Home) -> None:
    """Stop the supervisor with all its services, and what one that was killed left behind."""
    record, supervisor = _record(home), _supervisor(home)
    if record is not None and supervisor is not None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(record["pid"])
            with contextlib.suppress(OSError, Fault, HTTPException):
                supervisor.stopAllProcesses()  # at once; a shutdown waits for one after the other
                supervisor.shutdown()
            if not ended([process], PATIENCE):
                process.kill()
    reap(home)
    if record is not None:
        folder = Path(record["socket"]).parent
        if folder.name.startswith(SOCKET_FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
    home.forget(SUPERVISOR)


def _start(home: Home, wanted: list[Service]) -> Any:
    logs = folder_of(home) / "logs"
    try:
        logs.mkdir(exist_ok=True)
        socket = _socket()
        config = folder_of(home) / CONFIG
        config.write_text(config_of(socket, wanted), encoding="utf-8")
        output = (logs / "supervisord.log").open("wb")
    except OSError as error:
        raise TutorialError(f"The local cloud's folder cannot be used: {error}.") from None
    command = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(config)]
    with output:
        process = subprocess.Popen(
            command,
            cwd=home.root,
            env=handed(home, wanted),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    record = {"pid": process.pid, "socket": str(socket), "home": str(home.root)}
    home.record(SUPERVISOR, record)
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        supervisor = _supervisor(home)
        if supervisor is not None:
            return supervisor
        time.sleep(0.05)
    raise TutorialError(f"supervisord did not start: {_last_words(logs / 'supervisord.log')}")


def _socket() -> Path:
    """Return a path for a socket, in a new folder: such a path is short, and a home may lie deep."""
    folder = tempfile.mkdtemp(prefix=SOCKET_FOLDER)
    if len(os.fsencode(folder)) > SOCKET_PATH:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix=SOCKET_FOLDER, dir="/tmp")
    return Path(folder) / "s"


def _wait_for(home: Home, supervisor: Any, service: Service) -> None:
    deadline = time.monotonic() + (service.patience or PATIENCE)
    began = time.time()
    failed: set[int] = set()  # the times at which it ended, of a process that did not last
    while True:
        try:
            told = supervisor.getProcessInfo(service.name)
        except (OSError, Fault, HTTPException) as error:
            raise TutorialError(
                f"The local cloud's supervisor ended: {error}: try again."
            ) from None
        if _answers(service, told):
            return
        # One that takes its time to fail, as MLflow does, counts as running until then.
        if told["statename"] in ("BACKOFF", "FATAL") or told["stop"] > began:
            failed.add(told["stop"])
        if told["statename"] == "FATAL" or len(failed) >= STARTS or time.monotonic() > deadline:
            words = _last_words(log_of(home, service.name))
            raise TutorialError(f"The service {service.name} does not answer: {words}")
        time.sleep(0.05)


def _last_words(log: Path) -> str:
    words = log.read_text("utf-8", "replace").strip().splitlines() if log.exists() else []
    telling = [line for line in words if not line.startswith(ASIDES)]
    return telling[-1] if telling else "it said nothing."
