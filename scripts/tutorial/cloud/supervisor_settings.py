"""What supervisord is told of the services: its settings in a file, and their secrets in its environment."""

import hashlib
import os
import shlex
from pathlib import Path

from tutorial.cloud.services import MARK, Service, folder_of
from tutorial.home import Home

# What a service may know of the reader's environment: where things are, and no secret.
INHERITED = ("PATH", "HOME", "LANG", "UV_CACHE_DIR")


def handed(home: Home, wanted: list[Service]) -> dict[str, str]:
    """Return supervisord's environment.

    By it go the secrets, which stand in no file of settings, and what needs no quoting there: a path
    may hold anything.
    """
    told = {name: os.environ[name] for name in INHERITED if name in os.environ}
    told |= {MARK: str(home.root), "PYTHONUNBUFFERED": "1"}
    for service in wanted:
        told[_variable(service, "command")] = shlex.join(service.command)
        told |= {_variable(service, n): v for n, v in service.environment.items()}
    return told


def _variable(service: Service, name: str) -> str:
    return f"{service.name}_{name}".upper()


def config_of(socket: Path, wanted: list[Service]) -> str:
    """Return supervisord's settings: its paths are relative to the home, where it runs."""
    folder = folder_of(Home(Path(), Path()))
    sections = [
        f"[unix_http_server]\nfile={socket}\nchmod=0700",
        "[supervisord]\n"
        f"logfile={folder}/logs/supervisord-events.log\nlogfile_maxbytes=1MB\n"
        f"pidfile={folder}/supervisord.pid\nnocleanup=true",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    others = [_variable(service, name) for service in wanted for name in service.environment]
    for service in wanted:
        # A service finds its own settings, under their own names, and nothing of the others'.
        own = [f'{n}="%(ENV_{_variable(service, n)})s"' for n in service.environment]
        environment = ",".join([f'{name}=""' for name in others] + own)
        sections.append(
            f"[program:{service.name}]\ncommand=%(ENV_{_variable(service, 'command')})s\n"
            f"environment={environment}\nautostart=false\nautorestart=true\n"
            "startsecs=1\nstartretries=5\nstopwaitsecs=40\nkillasgroup=true\n"
            f"redirect_stderr=true\nstdout_logfile={folder}/logs/{service.name}.log\n"
            "stdout_logfile_maxbytes=5MB\nstdout_logfile_backups=1"
        )
    # By which `up` sees whether a supervisor that runs was handed the same: ports, folders, keys.
    digest = hashlib.sha256(repr(wanted).encode()).hexdigest()
    sections.append(f"# {digest}")
    return "\n\n".join(sections) + "\n"
