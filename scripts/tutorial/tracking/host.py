"""Run the workspace's own `mlflow_setup.py host`, for a folder in place of a machine."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.serving import free_port
from tutorial.tracking.nginx import path_with_nginx, prepare
from tutorial.tracking.record import (
    BLOCK,
    HTPASSWD,
    RECORD,
    UNIT,
    Tracking,
    former,
    keep,
    root_of,
)

SCRIPT = Path("scripts/mlflow_setup.py")


def arguments(home: Home, wanted: Tracking) -> list[str]:
    """Return what `mlflow_setup.py` is told: the password is none of it."""
    return [
        "host",
        *("--bucket", wanted.bucket),
        *("--server-name", "127.0.0.1"),
        *("--listen", f"127.0.0.1:{wanted.ports['nginx']}"),
        *("--port", str(wanted.ports["mlflow"])),
        *("--root", str(root_of(home))),
    ]


def run_host(home: Home, wanted: Tracking, leading: Mapping[str, str]) -> str:
    """Install the server's files, and return what the script said. Raises `TutorialError`, in its words.

    `leading` are the variables that lead to the bucket.
    """
    if not (home.workspace / SCRIPT).is_file():
        raise TutorialError(f"The workspace has no {SCRIPT}: build milestone 4 first.")
    root = root_of(home)
    try:
        prepare(root)
        (root / "opt").mkdir(exist_ok=True)
        link = root / "opt" / f".mlflow.{os.getpid()}"
        link.symlink_to(sys.prefix)
        link.replace(root / "opt" / "mlflow")
    except OSError as error:
        raise TutorialError(f"The tracking server's folder cannot be used: {error}.") from None
    own = {"AWS_PROFILE": wanted.profile, "PATH": path_with_nginx()}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments(home, wanted)],
        cwd=home.workspace,
        env={**home.environment(), **leading, **own},
        input=f"{wanted.password}\n",
        capture_output=True,
        text=True,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise TutorialError(words[-1] if words else f"{SCRIPT} failed and said nothing.")
    return done.stdout


def refresh(
    home: Home, s3: int, leading: Mapping[str, str], is_ours: Callable[[int], bool]
) -> None:
    """Bring an installed server to where this home is now, with other ports where some were taken."""
    installed = former(home)
    if installed is None:
        return
    ports = {
        name: port if is_ours(port) else free_port(port) for name, port in installed.ports.items()
    }
    wanted = replace(installed, ports=ports, s3=s3)
    record = home.recall(RECORD) or {}
    files = [root_of(home) / name for name in (BLOCK, HTPASSWD, UNIT)]
    here = record.get("home") == str(home.root) and all(file.exists() for file in files)
    if wanted == installed and here:
        return
    if (home.workspace / SCRIPT).is_file():
        run_host(home, wanted, leading)
        keep(home, wanted)
    else:
        # The workspace went back to before milestone 4, which will install it anew: the runs stay.
        home.forget(RECORD)
