"""A person without settings, a state of the local GitHub for each test, and no process that is left."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "tutorial"))

from rehearsal import Rehearsal
from waiting import until

from left_processes import descendants, left_since

# What a developer, a git hook or a real runner may have set.
HOME = "a reader's höme $x"  # what a person may call a folder
FOREIGN = ("GIT_", "GITHUB_", "RUNNER_", "XDG_", "VIRTUAL_ENV")


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME is the test's own, TUTORIAL_HOME as well."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    (tmp_path / "person").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("TUTORIAL_HOME", str(tmp_path / HOME))


@pytest.fixture(autouse=True)
def no_process_is_left(person: None) -> Iterator[None]:
    """Fail the test that leaves a process behind."""
    before = descendants(psutil.Process())
    yield
    until(lambda: not left_since(before), "a process is left", 20)


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """A local GitHub below the test's home, and a repository of a reader who pushes to it."""
    made = Rehearsal(tmp_path / HOME / "cloud" / "github", tmp_path / "reader")
    yield made
    made.close()
