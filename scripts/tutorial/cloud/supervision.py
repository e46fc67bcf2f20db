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
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

import psutil
import requests
from supervisor.xmlrpc import SupervisorTransport

from tutorial.cloud.access import ensure_admin
from tutorial.cloud.services import (
    MARK,
    Service,
    folder_of,
    new_setting,
    services,
    setting,
)
from tutorial.errors import TutorialError
from tutorial.home import Home

PATIENCE = 60  # seconds until a service has to answer
SUPERVISOR = "supervisor"  # the record of the supervisor that runs: its pid, start and socket
STATES = {"RUNNING": "running", "STARTING": "starting", "BACKOFF": "starting", "FATAL": "failed"}
SECRETS = ("KEY",)  # in the name of a setting


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
    folder_of(home).mkdir(parents=True, exist_ok=True)
    with _alone(home):
        supervisor = _supervisor(home)
        if supervisor is None:
            _reap(home)
        given = new_setting(home, lambda port: _is_ours(home, port))
        wanted = services(home, given)
        if supervisor is None:
            say(f"Starting {', '.join(service.name for service in wanted)} ...")
            supervisor = _start(home, wanted)
        for service in wanted:
            with contextlib.suppress(Fault):  # it runs already
                supervisor.startProcess(service.name, False)
        for service in wanted:
            _wait_for(home, supervisor, service)
        ensure_admin(home, given)
    return status(home)


def down(home: Home) -> None:
    """Stop everything in good order; what was kept stays."""
    if not folder_of(home).exists():
        return
    with _alone(home):
        record = home.recall(SUPERVISOR)
        supervisor = _supervisor(home)
        if supervisor is not None and record is not None:
            process = psutil.Process(int(record["pid"]))
            with contextlib.suppress(OSError, Fault):
                supervisor.shutdown()
            try:
                process.wait(PATIENCE)
            except psutil.TimeoutExpired:
                process.kill()
        _reap(home)
        if record is not None:
            shutil.rmtree(Path(record["socket"]).parent, ignore_errors=True)
        home.forget(SUPERVISOR)


def status(home: Home) -> list[ServiceState]:
    """Say of each service how it is; an empty list where the cloud never was up."""
    given = setting(home)
    if given is None:
        return []
    supervisor = _supervisor(home)
    states: dict[str, str] = {}
    if supervisor is not None:
        with contextlib.suppress(OSError, Fault):
            states = {p["name"]: p["statename"] for p in supervisor.getAllProcessInfo()}
    return [_state(service, states.get(service.name, "")) for service in services(home, given)]


def log_of(home: Home, name: str) -> Path:
    """Return the file that a service's output goes to."""
    return folder_of(home) / "logs" / f"{name}.log"


def _state(service: Service, said: str) -> ServiceState:
    state = STATES.get(said, "stopped")
    if state == "running" and not _answers(service):
        state = "starting"
    return ServiceState(service.name, state, service.url)


def _answers(service: Service) -> bool:
    try:
        return requests.get(service.url + service.health, timeout=5).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Let one `up` or `down` of a home act at a time; a second one waits."""
    with (folder_of(home) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _supervisor(home: Home) -> Any | None:
    """Return the interface of this home's supervisor, or None where it does not run."""
    record = home.recall(SUPERVISOR)
    if record is None:
        return None
    try:
        # A pid alone may be another program's by now, and a copied home's is the original's.
        process = psutil.Process(int(record["pid"]))
        if process.create_time() != record["started"] or record["home"] != str(home.root):
            return None
        interface: Any = ServerProxy(
            "http://localhost",
            transport=cast(Any, SupervisorTransport(None, None, f"unix://{record['socket']}")),
        ).supervisor
        interface.getState()
    except (psutil.Error, OSError, Fault, KeyError):
        return None
    return interface


def _start(home: Home, wanted: list[Service]) -> Any:
    logs = folder_of(home) / "logs"
    logs.mkdir(exist_ok=True)
    # A socket's path is limited to about a hundred bytes, and a home may lie deep.
    socket = Path(tempfile.mkdtemp(prefix="tutorial-")) / "s"
    config = folder_of(home) / "supervisord.conf"
    config.write_text(_config(home, socket, wanted), encoding="utf-8")
    # Secrets reach the services by the supervisor's own environment: they stand in no file of settings.
    secrets = {
        _variable(service, name): value
        for service in wanted
        for name, value in service.environment.items()
        if name.endswith(SECRETS)
    }
    command = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(config)]
    with (logs / "supervisord.log").open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=home.root,
            env={"PATH": os.environ["PATH"], **secrets, MARK: str(home.root)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = psutil.Process(process.pid).create_time()
    record = {"pid": process.pid, "started": started, "socket": str(socket)}
    home.record(SUPERVISOR, record | {"home": str(home.root)})
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        supervisor = _supervisor(home)
        if supervisor is not None:
            return supervisor
        time.sleep(0.05)
    words = (logs / "supervisord.log").read_text(errors="replace").strip().splitlines()
    raise TutorialError(f"supervisord did not start: {words[-1] if words else 'it said nothing'}")


def _variable(service: Service, name: str) -> str:
    return f"{service.name}_{name}".upper()


def _config(home: Home, socket: Path, wanted: list[Service]) -> str:
    sections = [
        f"[unix_http_server]\nfile={socket}\nchmod=0700",
        "[supervisord]\n"
        f"logfile={_escaped(log_of(home, 'supervisord-events'))}\nlogfile_maxbytes=1MB\n"
        f"pidfile={_escaped(folder_of(home) / 'supervisord.pid')}\nnocleanup=true",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for service in wanted:
        environment = ",".join(
            f'{name}="%(ENV_{_variable(service, name)})s"'
            if name.endswith(SECRETS)
            else f'{name}="{_escaped(value)}"'
            for name, value in service.environment.items()
        )
        command = " ".join(f'"{_escaped(word)}"' for word in service.command)
        sections.append(
            f"[program:{service.name}]\ncommand={command}\nenvironment={environment}\n"
            f"directory={_escaped(home.root)}\nautostart=false\nautorestart=true\n"
            "startsecs=0\nstartretries=10\nstopwaitsecs=40\nstopasgroup=false\nkillasgroup=true\n"
            f"redirect_stderr=true\nstdout_logfile={_escaped(log_of(home, service.name))}\n"
            "stdout_logfile_maxbytes=5MB\nstdout_logfile_backups=1"
        )
    return "\n\n".join(sections) + "\n"


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


def _wait_for(home: Home, supervisor: Any, service: Service) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _answers(service):
        state = supervisor.getProcessInfo(service.name)["statename"]
        if state == "FATAL" or time.monotonic() > deadline:
            log = log_of(home, service.name)
            words = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
            last = words[-1] if words else "it said nothing"
            raise TutorialError(f"The service {service.name} does not answer: {last}")
        time.sleep(0.05)


def _marked(home: Home) -> list[psutil.Process]:
    """Return the processes of this home's services, whoever is their parent by now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home.root):
                found.append(process)
    return found


def _reap(home: Home) -> None:
    """End what a supervisor that was killed left behind."""
    left = _marked(home)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=10)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _is_ours(home: Home, port: int) -> bool:
    """Tell whether a process of this home's services listens at the port."""
    for process in _marked(home):
        with contextlib.suppress(psutil.Error):
            if any(
                c.status == psutil.CONN_LISTEN and c.laddr.port == port
                for c in process.net_connections("tcp")
            ):
                return True
    return False
