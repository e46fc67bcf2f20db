"""Is this machine fit for the tutorial? `tutorial doctor` says what is missing and how to get it."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tutorial import cloud
from tutorial.cloud.services import PORTS, setting
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.screenshot import find_browser
from tutorial.serving import PORT as APP_PORT
from tutorial.serving import free_port
from tutorial.tracking.nginx import find_nginx
from tutorial.workspace import Workspace


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fit` is False where the tutorial cannot do without, None where it can."""

    subject: str
    fit: bool | None
    said: str


def look_around(home: Home) -> list[Finding]:
    """Look at everything that the tutorial needs."""
    looks: list[Callable[[Home], Finding]] = [
        _system,
        _python,
        _git,
        _disk,
        _port,
        _browser,
        _nginx,
        _workspace,
        _cloud,
    ]
    return [look(home) for look in looks]


def _system(home: Home) -> Finding:
    name = platform.system()
    fit = name in ("Linux", "Darwin")
    return Finding("system", fit, name if fit else f"{name}: use WSL, or a Codespace")


def _python(home: Home) -> Finding:
    fit = sys.version_info >= (3, 11)
    return Finding(
        "Python",
        fit,
        platform.python_version() if fit else "older than 3.11: install 3.11",
    )


def _git(home: Home) -> Finding:
    path = shutil.which("git")
    hint = "missing: sudo apt-get install git, or brew install git"
    return Finding("git", bool(path), "found" if path else hint)


def _disk(home: Home) -> Finding:
    place = home.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    said = f"{free:.0f} GB free" if writable else "the folder for the state cannot be written"
    return Finding("disk", free >= 1 and writable, said if free >= 1 else f"{said}: free 1 GB")


def _port(home: Home) -> Finding:
    free = free_port(APP_PORT) == APP_PORT
    said = "is free" if free else "is taken: another one will be used"
    return Finding("app's port", free or None, f"{APP_PORT} {said}")


def _browser(home: Home) -> Finding:
    try:
        find_browser()
    except TutorialError:
        hint = "no Chromium: notebooks show a link in place of a picture (apt-get install chromium)"
        return Finding("pictures", None, hint)
    return Finding("pictures", True, "Chromium found")


def _nginx(home: Home) -> Finding:
    if find_nginx():
        return Finding("nginx", True, "found")
    hint = "missing: from milestone 4 on, MLflow asks for the password itself"
    return Finding("nginx", None, f"{hint} (sudo apt-get install nginx, or brew install nginx)")


def _workspace(home: Home) -> Finding:
    workspace = Workspace(home.workspace)
    if not home.workspace.exists():
        return Finding("workspace", True, "none yet: the first notebook makes it")
    if not workspace.is_ours():
        return Finding("workspace", False, f"{home.workspace} is not ours: move it away")
    done = [tag for tag in workspace.git("tag", "--list", "milestone-*").splitlines() if tag]
    return Finding("workspace", True, f"at {done[-1]}" if done else "begun")


def _cloud(home: Home) -> Finding:
    states = cloud.status(home)
    failed = [state.name for state in states if state.state == "failed"]
    if failed:
        return Finding("local cloud", False, f"{failed[0]} fails: see `tutorial logs {failed[0]}`")
    if any(state.state != "stopped" for state in states):
        said = ", ".join(f"{s.name} {s.state}{s.url and f' at {s.url}'}" for s in states)
        well = all(state.state == "running" for state in states)
        return Finding("local cloud", well or None, said if well else f"{said}: run `tutorial up`")
    given = setting(home)
    ports = given.ports if given else PORTS
    taken = [str(port) for port in ports.values() if free_port(port) != port]
    so_far = "is down" if given else "none yet: milestone 1 starts it"
    if taken:
        which = "is taken: another" if len(taken) == 1 else "are taken: others"
        said = f"{so_far}; of its ports {' and '.join(taken)} {which} will be used"
        return Finding("local cloud", None, said)
    return Finding("local cloud", True, f"{so_far}; its ports are free")
