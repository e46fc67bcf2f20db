"""A person without settings, for a whole module: its local GitHub is set up once."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

sys.path += [str(Path(__file__).resolve().parents[1] / name) for name in ("github", "tutorial")]

from waiting import until

from left_processes import descendants, left_since

FOREIGN = ("GIT_", "GITHUB_", "RUNNER_", "XDG_", "VIRTUAL_ENV", "AWS_", "MLFLOW_", "APP_")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the module; HOME is in it, and no process is left in the end."""
    root = tmp_path_factory.mktemp("a reader's höme $x")
    before = descendants(psutil.Process())
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(FOREIGN):
                patch.delenv(name)
        (root / "person").mkdir()
        patch.setenv("HOME", str(root / "person"))
        patch.setenv("TUTORIAL_HOME", str(root / "home"))
        yield root
    until(lambda: not left_since(before), "a process is left", 20)
