"""Run Python in the workspace: a process of its own, so that the reader's `app` is the one imported."""

import subprocess
import sys

from tutorial.errors import AlreadyToldError, TutorialError
from tutorial.home import Home


def run_in_workspace(home: Home, module: str, *arguments: str, progress: bool = False) -> str:
    """Run `python -m MODULE ARGUMENTS` in the workspace and return what it prints.

    A failure raises `TutorialError` with the process's last line. With `progress`, its standard error
    passes through to ours, progress bars and last sentence included, and `AlreadyToldError` is raised.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=home.workspace,
        env=home.environment(),
        stdout=subprocess.PIPE,
        stderr=None if progress else subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        if progress:
            raise AlreadyToldError(f"{module} failed: what it said stands above.")
        words = (done.stderr or done.stdout).strip().splitlines()
        raise TutorialError(words[-1] if words else f"{module} failed and said nothing.")
    return done.stdout
