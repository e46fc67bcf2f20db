"""`python -m tutorial.tracking.unit ROOT`: run mlflow.service below a folder, as systemd would below /.

With `--own-password` there is no nginx: MLflow itself asks for the password, at the server's address.
"""

import contextlib
import os
import secrets
import shlex
import sys
from pathlib import Path

import psutil

from tutorial.cloud.processes import ended
from tutorial.cloud.services import MARK
from tutorial.home import Home
from tutorial.tracking.record import UNIT, USER, Tracking, tracking

NAME = "TRACKING_UNIT"  # marks the processes of this unit
PATIENCE = 10  # seconds that what is left of a former run has to end by itself
AUTH = "basic_auth"


def directives(unit: str) -> dict[str, list[str]]:
    """Return the settings of a unit by name, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in unit.replace("\\\n", " ").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            found.setdefault(name, []).append(value)
    return found


def assignments(text: str) -> dict[str, str]:
    """Return the variables that NAME=VALUE words set."""
    words = (word.partition("=") for word in shlex.split(text, comments=True))
    return {name: value for name, _, value in words}


def end_leftovers() -> None:
    """End what is left of a former run: systemd does that to all of a unit's processes."""
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environment = process.environ()
                theirs = environment.get(MARK) == os.environ[MARK] and NAME in environment
                if theirs and process.pid != os.getpid():
                    left.append(process)
        for process in left:
            with contextlib.suppress(psutil.Error):
                end(process)
        if ended(left, PATIENCE):
            return


def with_own_password(command: list[str], folder: Path, server: Tracking) -> list[str]:
    """Return the command of an MLflow that is reached without nginx, and asks for the password itself."""
    for kept in folder.glob(f"{AUTH}.db*"):
        kept.unlink()  # it takes a new password only where it knows nobody yet
    settings = folder / f"{AUTH}.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{AUTH}.db\n"
        f"admin_username = {USER}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
        encoding="utf-8",
    )
    os.environ |= {
        "MLFLOW_AUTH_CONFIG_PATH": settings.name,
        "MLFLOW_AUTH_ADMIN_PASSWORD": server.password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),  # signs forms, as long as it runs
    }
    command[command.index("--port") + 1] = str(server.ports["nginx"])
    return [*command, "--app-name", "basic-auth"]


def main() -> None:
    """Become the server."""
    end_leftovers()
    root = Path(sys.argv[1]).absolute()
    unit = directives((root / UNIT).read_text(encoding="utf-8"))
    os.environ[NAME] = "mlflow"
    for given in unit.get("Environment", []):
        os.environ |= assignments(given)
    for file in unit.get("EnvironmentFile", []):
        os.environ |= assignments((root / file.lstrip("/")).read_text(encoding="utf-8"))
    folder = root / unit["WorkingDirectory"][0].lstrip("/")
    command = shlex.split(unit["ExecStart"][0])
    server = tracking(Home(Path(os.environ[MARK]), Path()))
    if "--own-password" in sys.argv and server:
        command = with_own_password(command, folder, server)
    os.umask(0o077)
    os.chdir(folder)
    os.execv(root / command[0].lstrip("/"), command)  # noqa: S606


if __name__ == "__main__":
    main()
